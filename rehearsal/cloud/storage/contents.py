"""Contents of objects: files in one folder, each written once, with its size and checksums."""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rehearsal.cloud.crc32c import crc32c, encoded
from rehearsal.cloud.errors import ApiError

# Pieces of this size cost least to sum up.
PIECE_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Content:
    """One content, on disk.

    Attributes:
        file: Its file's name in the folder.
        size: Its bytes.
        md5: Its MD5, in base64.
        crc32c: Its CRC32C, in base64.
    """

    file: str
    size: int
    md5: str
    crc32c: str

    def check(self, given: Mapping[str, str]) -> None:
        """Refuse a content that is not the one its sender meant.

        Args:
            given: The checksums sent, as the object's metadata names them.

        Raises:
            ApiError: 400.
        """
        for field, word, found in (
            ("md5Hash", "MD5 hash", self.md5),
            ("crc32c", "CRC32C", self.crc32c),
        ):
            sent = given.get(field)
            if sent and sent != found:
                raise ApiError(
                    400,
                    "INVALID_ARGUMENT",
                    f'Provided {word} "{sent}" doesn\'t match calculated {word} "{found}".',
                    reason="invalid",
                )


class Contents:
    """The folder of all contents of one local cloud, and of uploads under way."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, exist_ok=True)

    def path(self, file: str) -> Path:
        """Where a file is."""
        return self._folder / file

    def new_file(self) -> str:
        """Return the name of an empty file that is there."""
        file = str(uuid.uuid4())
        self.path(file).touch(mode=0o600)
        return file

    def renamed(self, file: str) -> str:
        """Give a file a new name, and return that."""
        renamed = str(uuid.uuid4())
        self.path(file).rename(self.path(renamed))
        return renamed

    def write(self, pieces: Iterable[bytes]) -> Content:
        """Write a content."""
        file = self.new_file()
        with self.path(file).open("wb") as written:
            for piece in pieces:
                written.write(piece)
        return self.sealed(file)

    def sealed(self, file: str) -> Content:
        """Return what a file, now complete, contains."""
        md5, checksum, size = hashlib.md5(usedforsecurity=False), 0, 0
        for piece in self.pieces(file):
            md5.update(piece)
            checksum = crc32c(piece, checksum)
            size += len(piece)
        return Content(file, size, base64.b64encode(md5.digest()).decode(), encoded(checksum))

    def pieces(self, file: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield a file's bytes from `start` to before `end`."""
        with self.path(file).open("rb") as content:
            content.seek(start)
            left = (end - start) if end is not None else None
            while left is None or left > 0:
                piece = content.read(PIECE_BYTES if left is None else min(left, PIECE_BYTES))
                if not piece:
                    return
                left = None if left is None else left - len(piece)
                yield piece

    def remove(self, file: str) -> None:
        """Drop a file."""
        self.path(file).unlink(missing_ok=True)

    def keep_only(self, files: Collection[str]) -> None:
        """Drop what a killed process wrote and nobody was told of."""
        for path in self._folder.iterdir():
            if path.name not in files:
                path.unlink()
