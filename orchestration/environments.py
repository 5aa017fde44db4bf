"""An environment on disk: its folders, its record, and the lock that makes runs take turns.

An environment is one deployed copy of one architecture. What was deployed is in the stacks'
state; this module only knows where everything lies and what the environment was made for.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import re
import secrets
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from orchestration.environment_folders import EnvironmentFolders
from orchestration.errors import EnvironmentBusy, EnvironmentMismatch, UsageError
from orchestration.settings import Settings

# A name becomes part of stack names (`[A-Za-z0-9_.-]`) and of label values (lower case); the dot
# separates the parts of a stack's name.
ENVIRONMENT_NAME = re.compile(r"[a-z][a-z0-9-]{0,38}[a-z0-9]|[a-z]")

# Where an environment's state is, by the record's fields: what may be named once, and only once.
STATE_PLACES: Mapping[str, str] = {
    "state_bucket": "state bucket",
    "secrets_provider": "secrets provider",
}


class TargetName(StrEnum):
    """Where an environment lives."""

    LOCAL = "local"
    GOOGLE = "google"


class EnvironmentRecord(BaseModel):
    """What an environment was made for; written once, when it is made.

    On Google's cloud the stacks' state is in a bucket, its secrets behind a key; both may be named
    later than the rest, and then stay.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    target: TargetName
    architecture_name: str
    project_id: str
    name_suffix: str = ""
    state_bucket: str = ""
    # As Pulumi names it: `gcpkms://projects/…/cryptoKeys/…`.
    secrets_provider: str = ""
    made_at: AwareDatetime
    # From then on `conductor sweep` takes it down; None: never.
    expires_at: AwareDatetime | None = None

    def has_expired(self, now: datetime) -> bool:
        """Say whether its time is over."""
        return self.expires_at is not None and self.expires_at <= now


class LockHolder(BaseModel):
    """Who runs in an environment, for the message that others get."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    user: str
    host: str
    pid: int
    since: AwareDatetime
    doing: str

    def describe(self, now: datetime) -> str:
        """Say who holds the environment, where, and for how long."""
        age_s = max(0, int((now - self.since).total_seconds()))
        return f"`{self.doing}` of {self.user} on {self.host} (pid {self.pid}, for {age_s} s)"


class Environment(EnvironmentFolders):
    """One environment: its folders, what it was made for, and who holds it."""

    def __init__(self, name: str, settings: Settings) -> None:
        if not ENVIRONMENT_NAME.fullmatch(name):
            raise UsageError(
                f"environment name {name!r} is not usable",
                hint="use lower-case letters, digits and hyphens, at most 40, a letter first",
            )
        super().__init__(settings.environments_dir / name)
        self.name = name
        self.settings = settings

    def record(self) -> EnvironmentRecord | None:
        """Read what the environment was made for; None when it was never made.

        Raises:
            UsageError: the record cannot be read.
        """
        try:
            return EnvironmentRecord.model_validate_json(self.record_file.read_bytes())
        except FileNotFoundError:
            return None
        except (ValidationError, OSError) as error:
            raise UsageError(
                f"{self.record_file} cannot be read: {_first_line(error)}",
                hint="restore the file; it says what the environment was made for",
            ) from error

    def require_record(self) -> EnvironmentRecord:
        """Read the record of an environment that must exist.

        Raises:
            UsageError: there is no such environment; the message names those there are.
        """
        record = self.record()
        if record is None:
            known = ", ".join(known_environments(self.settings)) or "none yet"
            raise UsageError(
                f"there is no environment {self.name!r} (known: {known})",
                hint=f"make it with `conductor up ARCHITECTURE --env {self.name}`",
            )
        return record

    def suffix(self, asked: str | None) -> str:
        """Give what the environment's names end in: what it was made with, else what is asked for.

        Raises:
            EnvironmentMismatch: it was made with another suffix, or without one.
        """
        record = self.record()
        if record is None:
            return asked or ""
        if asked is not None and asked != record.name_suffix:
            raise self._mismatch("suffix", record.name_suffix, asked)
        return record.name_suffix

    def make(
        self,
        *,
        target: TargetName,
        architecture_name: str,
        project_id: str,
        name_suffix: str = "",
        state_bucket: str = "",
        secrets_provider: str = "",
    ) -> None:
        """Make the environment, or confirm that it was made for the same purpose.

        Raises:
            EnvironmentMismatch: it holds another architecture, target, project or suffix, or its
                state is elsewhere.
        """
        asked = EnvironmentRecord(
            name=self.name,
            target=target,
            architecture_name=architecture_name,
            project_id=project_id,
            name_suffix=name_suffix,
            state_bucket=state_bucket,
            secrets_provider=secrets_provider,
            made_at=datetime.now(UTC),
        )
        held = self.record()
        if held is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            if target is TargetName.LOCAL:
                self.state_dir.mkdir(exist_ok=True)
                self._write_passphrase()
            self._write_record(asked)
            return
        self.require_same(held, asked)
        named = {
            place: getattr(asked, place)
            for place in STATE_PLACES
            if getattr(asked, place) and not getattr(held, place)
        }
        if named:
            self._write_record(held.model_copy(update=named))

    def require_same(self, held: EnvironmentRecord, asked: EnvironmentRecord) -> None:
        """Refuse a purpose other than the one that the environment was made for.

        Raises:
            EnvironmentMismatch: naming the first difference.
        """
        for what, of_held, of_asked in (
            ("architecture", held.architecture_name, asked.architecture_name),
            ("target", held.target.value, asked.target.value),
            ("project", held.project_id, asked.project_id),
            ("suffix", held.name_suffix, asked.name_suffix),
        ):
            if of_held != of_asked:
                raise self._mismatch(what, of_held, of_asked)
        for place, what in STATE_PLACES.items():
            of_held, of_asked = getattr(held, place), getattr(asked, place)
            # Not said again, it stays what it is; not said yet, it may be said now.
            if of_held and of_asked and of_held != of_asked:
                raise self._mismatch(what, of_held, of_asked)

    def expire_at(self, when: datetime) -> None:
        """Note when an environment that was made may be taken down, in the place of what was noted.

        Raises:
            UsageError: there is no such environment.
        """
        self._write_record(self.require_record().model_copy(update={"expires_at": when}))

    def _write_record(self, record: EnvironmentRecord) -> None:
        write_atomically(self.record_file, record.model_dump_json(indent=2) + "\n")

    def _mismatch(self, what: str, held: str, asked: str) -> EnvironmentMismatch:
        return EnvironmentMismatch(
            f"environment {self.name!r} holds {what} {held!r}, not {asked!r}",
            hint="choose another name with --env",
        )

    def forget(self) -> None:
        """Note that nothing of the environment stands any more; its runs stay on record.

        The next `up` may make it for another architecture.
        """
        made = (self.generated_dir, self.contexts_dir, self.placeholders_dir, self.releases_dir)
        for folder in made:
            shutil.rmtree(folder, ignore_errors=True)
        self.overrides_file.unlink(missing_ok=True)
        self.architecture_file.unlink(missing_ok=True)
        self.record_file.unlink(missing_ok=True)

    def _write_passphrase(self) -> None:
        if self.passphrase_file.exists():
            return
        descriptor = os.open(self.passphrase_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))

    @contextmanager
    def locked(self, doing: str) -> Iterator[None]:
        """Hold the environment while the block runs; the kernel frees it if we die.

        Raises:
            EnvironmentBusy: somebody else holds it; the message names who, where, how long.
        """
        with locked_folder(self.folder, f"environment {self.name!r}", doing):
            yield

    def is_held(self) -> bool:
        """Say whether somebody runs in the environment at this moment."""
        try:
            with (self.folder / "lock").open("r+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                fcntl.flock(file, fcntl.LOCK_UN)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False


@contextmanager
def locked_folder(folder: Path, name: str, doing: str) -> Iterator[None]:
    """Hold a folder while the block runs; the kernel frees it if we die.

    Raises:
        EnvironmentBusy: somebody else holds it; the message names who, where, how long.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise EnvironmentBusy(f"{name} is busy: {_holder(file.name)}") from error
        file.truncate(0)
        holder = LockHolder(
            user=getpass.getuser(),
            host=socket.gethostname(),
            pid=os.getpid(),
            since=datetime.now(UTC),
            doing=doing,
        )
        file.write(holder.model_dump_json())
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)
            fcntl.flock(file, fcntl.LOCK_UN)


def _holder(path: str) -> str:
    try:
        return LockHolder.model_validate_json(Path(path).read_bytes()).describe(datetime.now(UTC))
    except (OSError, ValidationError):
        return "its holder has not said its name yet"


def known_environments(settings: Settings) -> list[str]:
    """Name the environments that exist, sorted."""
    return sorted(file.parent.name for file in settings.environments_dir.glob("*/environment.json"))


def write_atomically(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Replace a file in one step, so that no reader and no crash sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_json_lines(path: Path) -> Iterator[dict[str, object]]:
    """Read a file of JSON lines; a last line that a crash cut short is left out."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                return


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return f"{where}: {first['msg']}" if where else first["msg"]
    return str(error).splitlines()[0]
