"""Blob uploads in progress: files that grow until their digest is known."""

from __future__ import annotations

import hashlib
import re
import shutil
import uuid
from collections.abc import AsyncIterable
from pathlib import Path
from typing import Final

_ID: Final = re.compile(r"[0-9a-f-]{36}")


class Uploads:
    """The uploads of one server; they end with it."""

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
        self._folder = folder

    def begin(self) -> str:
        """Start an upload and return its id."""
        upload_id = str(uuid.uuid4())
        (self._folder / upload_id).touch()
        return upload_id

    def size(self, upload_id: str) -> int | None:
        """How many bytes have arrived; None for an unknown upload."""
        path = self._folder / upload_id
        return path.stat().st_size if _ID.fullmatch(upload_id) and path.exists() else None

    async def append(self, upload_id: str, chunks: AsyncIterable[bytes]) -> int:
        """Add bytes and return how many have arrived in total."""
        with (self._folder / upload_id).open("ab") as file:
            async for chunk in chunks:
                file.write(chunk)
            return file.tell()

    def finish(self, upload_id: str, digest: str, target: Path) -> bool:
        """Move the upload to its place; False, and gone, when the digest is another one."""
        path = self._folder / upload_id
        with path.open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != f"sha256:{actual}":
            path.unlink()
            return False
        path.replace(target)
        return True

    def cancel(self, upload_id: str) -> None:
        """Forget an upload."""
        (self._folder / upload_id).unlink(missing_ok=True)
