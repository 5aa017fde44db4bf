"""State in a folder, laid out as the real engine's `file://` backend does."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from rehearsal.engine import clock
from rehearsal.engine.backend import locks
from rehearsal.engine.backend.checkpoint_file import CheckpointFile
from rehearsal.engine.configuration.project import Project
from rehearsal.engine.errors import CommandFailedError, DeclinedError, stack_not_found
from rehearsal.engine.files import write_atomically
from rehearsal.engine.state import checkpoint
from rehearsal.engine.values import gojson
from rehearsal.engine.values.gojson import Json, JsonObject

ORGANIZATION: Final = "organization"
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_CHECKPOINT_SUFFIX: Final = ".checkpoint.json"
_HISTORY_SUFFIX: Final = ".history.json"


@dataclass(frozen=True, slots=True)
class StackRef:
    """A stack, by project and name."""

    project: str
    name: str

    @classmethod
    def parse(cls, text: str, project: str) -> StackRef:
        """Read `stack`, `organization/stack` or `organization/project/stack`.

        Raises:
            CommandFailedError: the text names no stack.
        """
        parts = text.split("/")
        if len(parts) > 1 and parts[0] != ORGANIZATION:
            raise CommandFailedError(
                f"organization name must be '{ORGANIZATION}' for stacks in a folder"
            )
        ref = cls(parts[1] if len(parts) == 3 else project, parts[-1])  # noqa: PLR2004 (org, project, stack)
        if not _NAME.fullmatch(ref.name) or not _NAME.fullmatch(ref.project):
            raise CommandFailedError(
                f"'{text}' is no stack name: it may only contain alphanumeric,"
                " hyphens, underscores, and periods"
            )
        return ref

    def __str__(self) -> str:
        return f"{ORGANIZATION}/{self.project}/{self.name}"


_COMPRESSIONS: Final[Mapping[str, tuple[str, str]]] = {
    "gzip": ("PULUMI_DIY_BACKEND_GZIP", "PULUMI_SELF_MANAGED_STATE_GZIP"),
    "zstd": ("PULUMI_DIY_BACKEND_ZSTD", "PULUMI_SELF_MANAGED_STATE_ZSTD"),
}


@dataclass(frozen=True, slots=True)
class Switches:
    """What the environment says about keeping state."""

    retains_checkpoints: bool = False
    makes_backups: bool = True

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Switches:
        """Read the real engine's variables, by their present or their older names.

        Raises:
            DeclinedError: compressed state is asked for.
        """
        for kind, names in _COMPRESSIONS.items():
            if _is_on(environ, *names):
                raise DeclinedError(
                    f"state compressed with {kind}",
                    f"unset {' and '.join(names)}; it is written plain, which a real `pulumi`"
                    " reads as well",
                )
        return cls(
            retains_checkpoints=_is_on(
                environ, "PULUMI_DIY_BACKEND_RETAIN_CHECKPOINTS", "PULUMI_RETAIN_CHECKPOINTS"
            ),
            makes_backups=not _is_on(
                environ,
                "PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS",
                "PULUMI_DISABLE_CHECKPOINT_BACKUPS",
            ),
        )


def _is_on(environ: Mapping[str, str], *names: str) -> bool:
    return any(environ.get(name, "").lower() in {"1", "true"} for name in names)


class FileBackend:
    """The stacks in one folder."""

    def __init__(self, url: str, root: Path, switches: Switches | None = None) -> None:
        self.url = url
        self._root = root / ".pulumi"
        self._switches = switches or Switches()

    @classmethod
    def open(cls, project: Project | None, environ: Mapping[str, str]) -> FileBackend:
        """Open the backend that environment, project or login name, in this order.

        Raises:
            CommandFailedError: there is none, it is no folder, or its layout is too old.
        """
        url = environ.get("PULUMI_BACKEND_URL") or (project.backend_url if project else "")
        url = url or _logged_in(environ)
        if not url:
            raise CommandFailedError(
                "no backend: set PULUMI_BACKEND_URL to a folder such as file://./state"
            )
        if not url.startswith("file://"):
            raise DeclinedError(
                f"the backend {url}", "set PULUMI_BACKEND_URL to a folder such as file://./state"
            )
        path = url.removeprefix("file://").partition("?")[0]
        root = Path(path).expanduser()
        if not root.is_absolute() and project:
            root = project.root / root
        if not root.is_dir():
            raise CommandFailedError(f"unable to open bucket {url}: {root} is no directory")
        backend = cls(url, root.resolve(), Switches.of(environ))
        backend._check_layout()
        return backend

    def _check_layout(self) -> None:
        meta = self._root / "meta.yaml"
        if meta.is_file():
            version = (yaml.safe_load(meta.read_text(encoding="utf-8")) or {}).get("version", 0)
        else:
            version = 0 if list(self._root.glob("stacks/*.json")) else 1
        if version != 1:
            raise CommandFailedError(
                "the state folder has the legacy layout: run `pulumi state upgrade`"
            )
        if not meta.is_file():
            write_atomically(meta, "version: 1\n")

    def _checkpoint_file(self, ref: StackRef) -> CheckpointFile:
        return CheckpointFile(self._root / "stacks" / ref.project / f"{ref.name}.json")

    def _history_folder(self, ref: StackRef) -> Path:
        return self._root / "history" / ref.project / ref.name

    def _tags_file(self, ref: StackRef) -> Path:
        return self._root / "stacks" / ref.project / f"{ref.name}.pulumi-tags"

    def lock(self, ref: StackRef) -> AbstractContextManager[None]:
        """Hold the stack's lock for a `with` block."""
        return locks.held(self._lock_folder(ref))

    def break_locks(self, ref: StackRef) -> int:
        """Remove every lock of a stack."""
        return locks.release_all(self._lock_folder(ref))

    def _lock_folder(self, ref: StackRef) -> Path:
        return self._root / "locks" / ORGANIZATION / ref.project / ref.name

    def exists(self, ref: StackRef) -> bool:
        """Tell whether a stack exists."""
        return self._checkpoint_file(ref).exists()

    def stacks(self, project: str | None = None) -> list[StackRef]:
        """List the stacks of one project, or of all."""
        found = {
            StackRef(file.parent.name, file.name.removesuffix(suffix))
            for suffix in (".json", ".json.gz", ".json.zst")
            for file in self._root.glob(f"stacks/{project or '*'}/*{suffix}")
        }
        return sorted(found, key=lambda ref: (ref.project, ref.name))

    def modified_at(self, ref: StackRef) -> float:
        """When the checkpoint was last written, in seconds since the epoch."""
        return self.file_of(ref).stat().st_mtime

    def file_of(self, ref: StackRef) -> Path:
        """Where the checkpoint of a stack is."""
        return self._checkpoint_file(ref).path

    def read(self, ref: StackRef) -> JsonObject:
        """Read the whole document of a stack's checkpoint.

        Raises:
            CommandFailedError: there is no such stack, or its file is damaged.
        """
        try:
            return self._checkpoint_file(ref).read()
        except FileNotFoundError:
            raise stack_not_found(ref.name) from None

    def load(self, ref: StackRef) -> JsonObject:
        """Load a stack's deployment; a stack that was never brought up may have an empty one.

        Raises:
            CommandFailedError: there is no such stack, or its file is damaged or too new.
        """
        document = self.read(ref)
        try:
            return checkpoint.deployment_of(document)
        except CommandFailedError as error:
            raise CommandFailedError(
                f"failed to load checkpoint: {self.file_of(ref)}: {error}"
            ) from error

    def save(
        self, ref: StackRef, deployment: JsonObject, before: Mapping[str, Json] | None = None
    ) -> Path:
        """Write a stack's checkpoint, keeping the one before as `.bak`.

        Args:
            ref: the stack.
            deployment: what is deployed.
            before: the document that it was made from, for what else is in it.

        Returns:
            Where it is.
        """
        document = checkpoint.wrap(deployment, str(ref), before or {})
        return self._checkpoint_file(ref).write(
            gojson.dumps(document), is_retained=self._switches.retains_checkpoints
        )

    def remove(self, ref: StackRef) -> None:
        """Remove a stack: its checkpoint becomes the `.bak`, its history goes."""
        self._checkpoint_file(ref).remove()
        self._tags_file(ref).unlink(missing_ok=True)
        # Entries first: whatever is cut off in the middle, no entry lacks its checkpoint.
        for entry in self._history_folder(ref).glob(f"*{_HISTORY_SUFFIX}"):
            entry.unlink(missing_ok=True)
        shutil.rmtree(self._history_folder(ref), ignore_errors=True)

    def record(self, ref: StackRef, entry: JsonObject) -> None:
        """Add an entry to a stack's history, beside a copy and a backup of its checkpoint."""
        at = clock.nanoseconds()
        folder = self._history_folder(ref)
        current = self.file_of(ref).read_text(encoding="utf-8")
        write_atomically(folder / f"{ref.name}-{at}{_CHECKPOINT_SUFFIX}", current)
        if self._switches.makes_backups:
            backups = self._root / "backups" / ref.project / ref.name
            write_atomically(backups / f"{ref.name}.{at}.json", current)
        # Last: an entry in the history promises the copies.
        write_atomically(
            folder / f"{ref.name}-{at}{_HISTORY_SUFFIX}", gojson.dumps(entry, indent=4)
        )

    def history(
        self, ref: StackRef, *, start: int = 0, stop: int | None = None
    ) -> list[JsonObject]:
        """Read a stack's history, newest entry first, or a part of it."""
        files = sorted(self._history_folder(ref).glob(f"*{_HISTORY_SUFFIX}"), reverse=True)
        return [json.loads(file.read_text(encoding="utf-8")) for file in files[start:stop]]


def _logged_in(environ: Mapping[str, str]) -> str:
    home = Path(environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    try:
        document: Json = json.loads((home / "credentials.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(document.get("current") or "") if isinstance(document, Mapping) else ""
