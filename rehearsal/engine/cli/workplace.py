"""What every command starts from: the project, the backend, the stack and its secrets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rehearsal.engine.backend.folder import FileBackend, StackRef
from rehearsal.engine.cli.arguments import Arguments
from rehearsal.engine.configuration.project import Project, find
from rehearsal.engine.configuration.stack_configuration import StackSettings
from rehearsal.engine.errors import CommandFailedError
from rehearsal.engine.files import write_atomically
from rehearsal.engine.secrets import passphrase
from rehearsal.engine.secrets.codec import StateCodec
from rehearsal.engine.secrets.passphrase import Crypter
from rehearsal.engine.state import checkpoint
from rehearsal.engine.values import gojson

Output = Callable[[str], None]


@dataclass(slots=True)
class Workplace:
    """One command line in its folder and environment."""

    arguments: Arguments
    folder: Path
    environ: Mapping[str, str]
    out: Output
    err: Output
    _project: Project | None = None
    _backend: FileBackend | None = None
    _crypters: dict[str, Crypter] = field(default_factory=dict)

    @property
    def project(self) -> Project:
        """The project of the folder."""
        if self._project is None:
            self._project = find(self.folder)
        return self._project

    @property
    def command_line(self) -> str:
        """The command as a person would type it, for the record."""
        return " ".join(("pulumi", *self.arguments.words))

    @property
    def checks_integrity(self) -> bool:
        """Tell whether a state that breaks the rules is refused."""
        return not self.arguments.has("disable-integrity-checking")

    @property
    def backend(self) -> FileBackend:
        """Where the state is."""
        if self._backend is None:
            self._backend = FileBackend.open(self.project, self.environ)
        return self._backend

    def ref(self, name: str) -> StackRef:
        """Resolve a stack's name.

        Raises:
            CommandFailedError: it belongs to another project.
        """
        ref = StackRef.parse(name, self.project.name)
        if ref.project != self.project.name:
            raise CommandFailedError(
                f"provided project name {ref.project!r} doesn't match Pulumi.yaml"
            )
        return ref

    @property
    def stack(self) -> StackRef:
        """The stack the command is about: by flag, environment or selection.

        Raises:
            CommandFailedError: there is none, or it does not exist.
        """
        name = self.arguments.get("stack") or self.environ.get("PULUMI_STACK") or self.selected()
        if not name:
            raise CommandFailedError(
                "no stack selected; specify a stack name with --stack", exit_code=6
            )
        ref = self.ref(name)
        self.backend.load(ref)
        return ref

    def settings(self, ref: StackRef) -> StackSettings:
        """Load a stack's configuration file."""
        chosen = self.arguments.get("config-file")
        file = (self.folder / chosen) if chosen else self.project.stack_file(ref.name)
        return StackSettings.load(file)

    def salt(self, ref: StackRef) -> str:
        """Find the salt of a stack: in its configuration, else in its state."""
        return self.settings(ref).salt or checkpoint.salt_of(self.backend.load(ref))

    def crypter(self, ref: StackRef) -> Crypter:
        """Unlock a stack's secrets, once.

        Raises:
            CommandFailedError: the passphrase is missing or wrong.
        """
        return self.unlock(self.salt(ref))

    def unlock(self, salt: str) -> Crypter:
        """Unlock the secrets under a salt, once."""
        if salt not in self._crypters:
            if not salt:
                raise CommandFailedError("the stack has no encryption salt")
            passphrase_ = passphrase.passphrase_of(self.environ)
            self._crypters[salt] = passphrase.unlock(salt, passphrase_)
        return self._crypters[salt]

    def codec(self, ref: StackRef) -> StateCodec:
        """Make a codec for a stack's state, which may lock its secrets with a salt of its own."""
        salt = checkpoint.salt_of(self.backend.load(ref))
        return StateCodec(lambda: self.unlock(salt or self.salt(ref)))

    def warn(self, message: str) -> None:
        """Say what the user should know although the command goes on."""
        self.err(f"warning: {message}")

    def print_json(self, value: gojson.Json, indent: int = 2) -> None:
        """Print a value as pretty JSON."""
        for line in gojson.dumps(value, indent=indent).split("\n"):
            self.out(line)

    def _selection_file(self) -> Path:
        home = Path(self.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
        digest = hashlib.sha1(str(self.project.file).encode(), usedforsecurity=False).hexdigest()
        return home / "workspaces" / f"{self.project.name}-{digest}-workspace.json"

    def selected(self) -> str:
        """Return the selected stack; empty when none is."""
        try:
            document = json.loads(self._selection_file().read_text(encoding="utf-8"))
            return str(
                document.get("stacks", {}).get(self.backend.url) or document.get("stack") or ""
            )
        except (OSError, ValueError):
            return ""

    def select(self, ref: StackRef | None) -> None:
        """Select a stack, or none."""
        file = self._selection_file()
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            document = {}
        if not isinstance(document, dict):
            document = {}
        stacks = dict(document.get("stacks") or {})
        stacks.pop(self.backend.url, None)
        if ref is not None:
            stacks[self.backend.url] = str(ref)
        # Of the older form, one stack for all backends, nothing is left behind.
        kept = {key: value for key, value in document.items() if key != "stack"}
        write_atomically(file, gojson.dumps({**kept, "stacks": stacks}))
