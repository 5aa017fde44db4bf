"""Build contexts: which files go into an image, their digest, and whether they can run.

`.dockerignore` is honoured; times and owners do not count, so equal sources give equal digests.
"""

from __future__ import annotations

import hashlib
import os
import stat
import warnings
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import pathspec

IGNORE_FILE: Final = ".dockerignore"
_PROCFILE: Final = "Procfile"
_MAIN: Final = "main.py"


class BuildError(Exception):
    """A context cannot become an image; the message says which file and why."""


@dataclass(frozen=True, slots=True)
class ContextFile:
    """One file of a context; `link` is the target when it is a symbolic link."""

    path: PurePosixPath
    content: bytes
    is_executable: bool
    link: str = ""


@dataclass(frozen=True, slots=True)
class BuildContext:
    """The files that go into an image, sorted by path."""

    files: tuple[ContextFile, ...]

    @property
    def digest(self) -> str:
        """The digest of paths, modes and contents."""
        found = hashlib.sha256()
        for file in self.files:
            kind = "link" if file.link else "exec" if file.is_executable else "file"
            content = hashlib.sha256(file.link.encode() if file.link else file.content)
            found.update(f"{kind} {content.hexdigest()} {file.path}\n".encode())
        return found.hexdigest()

    def file(self, name: str) -> ContextFile | None:
        """Return a file by its path, if the context has it."""
        return next((file for file in self.files if str(file.path) == name), None)

    def start_command(self) -> tuple[str, ...]:
        """Return what a container of this context runs.

        Raises:
            BuildError: there is neither a `web` entry in a Procfile nor a main.py.
        """
        if (procfile := self.file(_PROCFILE)) is not None:
            for line in procfile.content.decode(errors="replace").splitlines():
                process, separator, command = line.partition(":")
                if separator and process.strip() == "web" and command.strip():
                    return ("/bin/sh", "-c", f"exec {command.strip()}")
        if self.file(_MAIN) is not None:
            return ("python", _MAIN)
        raise BuildError(
            "the build context has neither a Procfile with a 'web:' entry nor a main.py, "
            "so nothing says how the service starts"
        )

    def check_sources(self) -> None:
        """Compile every Python file: the build step of an interpreted service.

        Raises:
            BuildError: a file does not compile; names the file and the line.
        """
        for file in self.files:
            if file.path.suffix != ".py" or file.link:
                continue
            try:
                with warnings.catch_warnings():
                    # A dubious escape in somebody's source is not ours to report.
                    warnings.simplefilter("ignore")
                    compile(file.content, str(file.path), "exec", dont_inherit=True)
            except SyntaxError as error:
                raise BuildError(f"{file.path}:{error.lineno}: {error.msg}") from error
            except ValueError as error:
                raise BuildError(f"{file.path}: {error}") from error


def read_context(folder: Path, *, kept: Collection[str] = ()) -> BuildContext:
    """Read the files of a build context; those `kept` also where they are ignored.

    Raises:
        BuildError: the folder does not exist, or cannot be read.
    """
    if not folder.is_dir():
        raise BuildError(f"the build context {folder} does not exist")
    try:
        ignored = _ignored(folder)
        files = [
            _context_file(folder, path)
            for path in sorted(_walk(folder))
            if str(path) in kept or not ignored.match_file(str(path))
        ]
    except OSError as error:
        raise BuildError(f"the build context cannot be read: {error}") from error
    return BuildContext(tuple(files))


def _walk(folder: Path) -> Iterator[PurePosixPath]:
    for root, folders, names in os.walk(folder):
        here = Path(root)
        # A link to a folder is packed as a link, not followed.
        links = [name for name in folders if (here / name).is_symlink()]
        for name in (*names, *links):
            path = here / name
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode) or stat.S_ISLNK(mode):
                yield PurePosixPath(path.relative_to(folder).as_posix())


def _context_file(folder: Path, path: PurePosixPath) -> ContextFile:
    full = folder / path
    if full.is_symlink():
        link = str(full.readlink())
        if not full.resolve().is_relative_to(folder.resolve()) or link.startswith("/"):
            raise BuildError(f"{path} is a link that leads out of the build context")
        return ContextFile(path, b"", is_executable=False, link=link)
    is_executable = bool(full.stat().st_mode & stat.S_IXUSR)
    return ContextFile(path, full.read_bytes(), is_executable)


def _ignored(folder: Path) -> pathspec.PathSpec[pathspec.Pattern]:
    """Read `.dockerignore`, whose patterns start at the context's root, unlike git's."""
    ignore_file = folder / IGNORE_FILE
    lines = ignore_file.read_text(errors="replace").splitlines() if ignore_file.is_file() else []
    return pathspec.PathSpec.from_lines("gitignore", _anchored(lines))


def _anchored(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        sign = "!" if pattern.startswith("!") else ""
        cleaned = pattern.removeprefix("!").strip().removeprefix("./").strip("/")
        if cleaned and cleaned != ".":
            yield f"{sign}/{cleaned}"
