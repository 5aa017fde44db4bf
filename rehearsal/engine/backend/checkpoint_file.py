"""The file of one stack's checkpoint, and the version before it (`.bak`).

The real engine may have left it compressed; it is written plain, as the real one does without a
switch that says otherwise.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rehearsal.engine import clock
from rehearsal.engine.errors import CommandFailedError, DeclinedError
from rehearsal.engine.files import describe, sync_directory, write_atomically
from rehearsal.engine.values import gojson
from rehearsal.engine.values.gojson import JsonObject

_GZIP: Final = ".gz"
_ZSTD: Final = ".zst"
_GZIP_MAGIC: Final = b"\x1f\x8b"


class CheckpointFile:
    """Reads and writes the checkpoint of one stack."""

    def __init__(self, plain: Path) -> None:
        """Take the path of the uncompressed file."""
        self._plain = plain

    @property
    def path(self) -> Path:
        """The newest of the forms it may have; the plain one where there is none."""
        forms = (self._beside(_ZSTD), self._beside(_GZIP), self._plain)
        there = [form for form in forms if form.is_file()]
        return max(there, key=lambda form: form.stat().st_mtime_ns, default=self._plain)

    def exists(self) -> bool:
        """Tell whether there is one."""
        return self.path.is_file()

    def read(self) -> JsonObject:
        """Read the document in the file.

        Raises:
            FileNotFoundError: there is none.
            CommandFailedError: it is damaged; says which earlier version there is.
            DeclinedError: it is compressed in a way that cannot be read here.
        """
        path = self.path
        if path.suffix == _ZSTD:
            raise DeclinedError(
                f"state compressed with zstd ({path})",
                "run a real `pulumi up` with PULUMI_DIY_BACKEND_ZSTD=false, which writes it plain",
            )
        try:
            data = path.read_bytes()
            document = gojson.loads(gzip.decompress(data) if data[:2] == _GZIP_MAGIC else data)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise self._damaged(path, describe(error)) from error
        except (ValueError, EOFError, zlib.error) as error:
            raise self._damaged(path, str(error)) from error
        if not isinstance(document, Mapping):
            raise self._damaged(path, "it is no JSON object")
        return dict(document)

    def write(self, text: str, *, is_retained: bool) -> Path:
        """Replace the file, keeping the version before; return where it is.

        Args:
            text: the new content.
            is_retained: keep a copy of this version under the time it was written.
        """
        before = self.path
        if before.is_file():
            _keep(before)
        write_atomically(self._plain, text)
        if before != self._plain:
            before.unlink(missing_ok=True)
        if is_retained:
            write_atomically(self._beside(f".{clock.nanoseconds()}"), text)
        return self._plain

    def remove(self) -> None:
        """Let the version before be all that is left."""
        path = self.path
        path.replace(path.with_name(f"{path.name}.bak"))
        sync_directory(path.parent)

    def _beside(self, suffix: str) -> Path:
        return self._plain.with_name(f"{self._plain.name}{suffix}")

    @staticmethod
    def _damaged(path: Path, reason: str) -> CommandFailedError:
        backup = path.with_name(f"{path.name}.bak")
        instead = f"; its last version is {backup}" if backup.is_file() else ""
        return CommandFailedError(f"failed to load checkpoint: {path}: {reason}{instead}")


def _keep(file: Path) -> None:
    backup = file.with_name(f"{file.name}.bak")
    temporary = file.with_name(f"{file.name}.bak.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    temporary.hardlink_to(file)
    temporary.replace(backup)
    # Two names of one file are not renamed into each other: it was kept already.
    temporary.unlink(missing_ok=True)
