"""What instances write, kept per revision, bounded in size.

Every line bears its time and its instance. A revision's log is two files of at most 1 MiB, the
older of which goes when the newer is full; a service keeps those of its twenty latest revisions.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rehearsal.cloud.times import rfc3339

_SUFFIX: Final = ".log"
_OLDER_SUFFIX: Final = ".older"
_FILE_BYTES: Final = 1024 * 1024
_LINE_BYTES: Final = 64 * 1024
_MOST_REVISIONS: Final = 20


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of a revision's log.

    Attributes:
        at: When it was written, in RFC 3339.
        instance: Which instance wrote it, or whom the platform speaks of.
        text: What it says.
    """

    at: str
    instance: str
    text: str


class RevisionLog:
    """The log of one revision."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, instance: str, *texts: str) -> None:
        """Append lines of an instance."""
        at = rfc3339(time.time())
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _forget_oldest(self.path.parent)
        with self.path.open("ab") as file:
            file.write("".join(f"{at} {instance} {text}\n" for text in texts).encode())
            is_full = file.tell() >= _FILE_BYTES
        if is_full:
            self.path.replace(_older(self.path))
            self.path.touch()

    def lines(self, instance: str = "") -> Iterator[LogLine]:
        """Read what is kept, oldest first: everything, or one instance's lines."""
        for path in (_older(self.path), self.path):
            if not path.exists():
                continue
            with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
                for line in file:
                    at, _, rest = line.rstrip("\n").partition(" ")
                    writer, _, text = rest.partition(" ")
                    if writer.startswith(instance):
                        yield LogLine(at, writer, text)


class InstanceOutput:
    """Cuts what an instance writes into the lines of its revision's log."""

    def __init__(self, log: RevisionLog, instance: str) -> None:
        self._log = log
        self._instance = instance
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take what the instance wrote; a line that does not end is cut at 64 KiB."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        lines = [line[:_LINE_BYTES].decode(errors="replace").rstrip("\r") for line in whole]
        if len(self._rest) > _LINE_BYTES:
            lines.append(self._rest[:_LINE_BYTES].decode(errors="replace"))
            self._rest = b""
        if lines:
            self._log.write(self._instance, *lines)

    def end(self) -> None:
        """Take the instance's last words, though no line end follows them."""
        if self._rest:
            self.feed(b"\n")


class Logs:
    """The logs of all services of a local cloud."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, region: str, service: str, revision: str) -> RevisionLog:
        """Return a revision's log."""
        return RevisionLog(self._folder / region / service / f"{revision}{_SUFFIX}")

    def latest(self, service: str) -> RevisionLog | None:
        """Return the log of the service that was written last, in whatever region."""
        paths = list(self._folder.glob(f"*/{service}/*{_SUFFIX}"))
        return RevisionLog(max(paths, key=_written_at)) if paths else None

    def find(self, service: str, revision: str) -> RevisionLog | None:
        """Return the log of a revision, in whatever region."""
        paths = list(self._folder.glob(f"*/{service}/{revision}{_SUFFIX}"))
        return RevisionLog(paths[0]) if paths else None

    def revisions(self) -> dict[str, list[str]]:
        """Return the revisions of each service whose logs there are, the latest one last."""
        known: dict[str, list[str]] = {}
        for path in sorted(self._folder.glob(f"*/*/*{_SUFFIX}"), key=_written_at):
            known.setdefault(path.parent.name, []).append(path.stem)
        return known


def _older(path: Path) -> Path:
    return path.with_suffix(_OLDER_SUFFIX)


def _forget_oldest(folder: Path) -> None:
    """Make room for the log of one more revision."""
    logs = sorted(folder.glob(f"*{_SUFFIX}"), key=_written_at)
    for path in logs[: max(0, len(logs) - _MOST_REVISIONS + 1)]:
        _older(path).unlink(missing_ok=True)
        path.unlink()


def _written_at(path: Path) -> float:
    return path.stat().st_mtime
