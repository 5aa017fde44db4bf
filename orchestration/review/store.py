"""Previews kept by their fingerprint, so that what was approved can be compared with what is.

They lie beside the environment's state, or in whatever file a pipeline carries from its preview
to its deployment. Secrets are masked in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from orchestration.environments import Environment, write_atomically
from orchestration.errors import UsageError
from orchestration.review.errors import PreviewUnknown
from orchestration.review.fingerprint import DIGITS
from orchestration.review.model import Review

# Older ones are let go: what they compared with has changed long since.
KEPT_PREVIEWS = 50
FINGERPRINT = re.compile(rf"[0-9a-f]{{{DIGITS}}}")


class PreviewStore:
    """The previews of one environment."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._folder = environment.previews_dir

    def keep(self, review: Review) -> None:
        """Store a preview; the same one again takes its place."""
        self._folder.mkdir(parents=True, exist_ok=True)
        write_review(self._file(review.fingerprint), review)
        for old in list(self._newest_first())[KEPT_PREVIEWS:]:
            old.unlink(missing_ok=True)

    def newest(self) -> Review:
        """Give the preview that was stored last.

        Raises:
            PreviewUnknown: there is none.
        """
        for file in self._newest_first():
            return read_review(file)
        raise PreviewUnknown(
            f"no preview is stored in environment {self._environment.name}",
            hint="make one with `conductor preview`",
        )

    def find(self, approved: str, *, option: str = "--approved") -> Review:
        """Give the preview that is meant by a fingerprint, or that a file holds.

        Args:
            approved: the fingerprint, or the file's path.
            option: how whoever said it did so.

        Raises:
            UsageError: it is neither a fingerprint nor a readable file.
            PreviewUnknown: no preview of that fingerprint is stored here.
        """
        if FINGERPRINT.fullmatch(approved):
            with suppress(FileNotFoundError):
                return read_review(self._file(approved))
            raise PreviewUnknown(
                f"no preview with fingerprint {approved} is stored in environment"
                f" {self._environment.name}",
                hint="preview again, or carry the preview over: `conductor preview --out FILE`,"
                " then `conductor up --approved FILE`",
            )
        try:
            return read_review(Path(approved))
        except FileNotFoundError as error:
            raise UsageError(
                f"{option} {approved!r} is neither a fingerprint nor a file",
                hint=f"a fingerprint has {DIGITS} hexadecimal digits; `preview` prints it",
            ) from error

    def _file(self, fingerprint: str) -> Path:
        return self._folder / f"{fingerprint}.json"

    def _newest_first(self) -> Iterator[Path]:
        yield from sorted(
            self._folder.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True
        )


def write_review(path: Path, review: Review) -> None:
    """Write a preview to a file, whole or not at all.

    Raises:
        UsageError: the file cannot be written.
    """
    try:
        write_atomically(path, review.model_dump_json(indent=2) + "\n")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def read_review(path: Path) -> Review:
    """Read a preview from a file.

    Raises:
        FileNotFoundError: there is none.
        UsageError: it cannot be read, or is not the file of a preview.
    """
    try:
        return Review.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UsageError(
            f"{path} is not the file of a preview: {where}: {first['msg']}",
            hint="make one with `conductor preview --out FILE`",
        ) from error
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
