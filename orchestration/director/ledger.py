"""What the director has finished: one record per command, made once and never changed.

A command that arrives again is answered from here; its effect is not repeated. Beside them is the
newest generation that it has obeyed: one that was restarted still knows whom to refuse.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from orchestration.director.messages import Completion
from orchestration.environments import write_atomically

GENERATION_FILE = "generation"


class Ledger(Protocol):
    """The finished commands of one environment."""

    def find(self, command_id: str) -> Completion | None:
        """Read how a command ended; None when it has not."""
        ...

    def store(self, completion: Completion) -> Completion:
        """Keep how a command ended; when that is known already, give what is known."""
        ...

    def generation(self) -> int:
        """Read the newest generation whose command was obeyed; 0 before the first."""
        ...

    def keep_generation(self, generation: int) -> None:
        """Keep a newer generation, before its first command is obeyed."""
        ...


class FolderLedger:
    """A ledger in a folder: one file per command, created with an exclusive create."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def find(self, command_id: str) -> Completion | None:
        """Read how a command ended; a record that a crash cut short counts as none."""
        try:
            return Completion.model_validate_json(self._path(command_id).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def store(self, completion: Completion) -> Completion:
        """Keep how a command ended; the first record of a command stands."""
        path = self._path(completion.command_id)
        temporary = path.with_suffix(f".{os.getpid()}.{os.urandom(4).hex()}.tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        with os.fdopen(descriptor, "wb") as file:
            file.write(completion.model_dump_json().encode())
            file.flush()
            os.fsync(file.fileno())
        try:
            # A link appears whole or not at all, and fails where the name is taken.
            path.hardlink_to(temporary)
        except FileExistsError:
            return self.find(completion.command_id) or self._replace(temporary, path, completion)
        finally:
            temporary.unlink(missing_ok=True)
        return completion

    def generation(self) -> int:
        """Read the newest generation whose command was obeyed; 0 before the first."""
        try:
            return int((self._folder / GENERATION_FILE).read_text())
        except FileNotFoundError:
            return 0

    def keep_generation(self, generation: int) -> None:
        """Keep a newer generation; the caller lets nobody else do so meanwhile."""
        write_atomically(self._folder / GENERATION_FILE, str(generation))

    def _replace(self, temporary: Path, path: Path, completion: Completion) -> Completion:
        """Put a whole record in the place of one that cannot be read."""
        temporary.replace(path)
        return completion

    def _path(self, command_id: str) -> Path:
        return self._folder / file_name(command_id)


def file_name(command_id: str) -> str:
    """Name a command's record; the id comes from a message and must not choose a path."""
    return f"{hashlib.sha256(command_id.encode()).hexdigest()[:40]}.json"
