"""`up --ttl` and `conductor sweep`: environments for a time, and what takes them down after it."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from architecture.durations import seconds
from orchestration.cli.console import output
from orchestration.cli.destroying import held_destruction, names_of
from orchestration.cli.progress import JsonProgress, PlainProgress
from orchestration.environments import Environment, known_environments
from orchestration.errors import ConductorError, EnvironmentBusy, UsageError
from orchestration.settings import Settings

EXIT_FAILED = 1
EXIT_SKIPPED = 3


class Outcome(StrEnum):
    """What a sweep did to an environment whose time is over."""

    DESTROYED = "destroyed"
    WOULD_DESTROY = "would be destroyed"
    RENEWED = "renewed"
    BUSY = "busy"
    PROTECTED = "protected"
    FAILED = "failed"


class Swept(NamedTuple):
    """An environment, what the sweep did to it, and why not more."""

    environment: str
    outcome: Outcome
    reason: str = ""


def expiry(ttl: str, now: datetime) -> datetime:
    """Say when an environment expires that is to live for so long from now on.

    Raises:
        UsageError: it is no time to live.
    """
    try:
        lifetime_s = seconds(ttl)
        when = now + timedelta(seconds=lifetime_s)
    except (ValueError, OverflowError):
        lifetime_s, when = 0.0, now
    if not lifetime_s:
        raise UsageError(f"--ttl {ttl!r} is no time to live", hint="write it as 12h, 3d or 1d12h")
    return when


def sweep(env: str | None, *, only_tell: bool, database_url: str | None, as_json: bool) -> int:
    """Take down what has expired, and give the exit code: 0, 3 if any was skipped, 1 if any failed.

    One that cannot be taken down does not keep the others.

    Raises:
        UsageError: there is no such environment.
    """
    settings = Settings.from_environment()
    if env is not None:
        Environment(env, settings).require_record()
    names = [env] if env is not None else known_environments(settings)
    found = []
    for name in names:
        swept = _swept(
            Environment(name, settings),
            only_tell=only_tell,
            database_url=database_url,
            as_json=as_json,
        )
        if swept is not None:
            found.append(swept)
            _tell(swept, as_json=as_json)
    if not found and not as_json:
        output().print("no environment has expired")
    outcomes = {swept.outcome for swept in found}
    if Outcome.FAILED in outcomes:
        return EXIT_FAILED
    return EXIT_SKIPPED if outcomes & {Outcome.BUSY, Outcome.PROTECTED} else 0


def _swept(
    environment: Environment, *, only_tell: bool, database_url: str | None, as_json: bool
) -> Swept | None:
    """Take one down if it has expired; None when its time has not come."""
    try:
        record = environment.record()
        if record is None or not record.has_expired(datetime.now(UTC)):
            return None
        if only_tell:
            is_held = environment.is_held()
            return Swept(environment.name, Outcome.BUSY if is_held else Outcome.WOULD_DESTROY)
        return _destroyed(environment, database_url, as_json=as_json)
    except EnvironmentBusy as busy:
        return Swept(environment.name, Outcome.BUSY, busy.message)
    except ConductorError as error:
        return Swept(environment.name, Outcome.FAILED, f"{error.code}: {error.message}")


def _destroyed(environment: Environment, database_url: str | None, *, as_json: bool) -> Swept:
    name = environment.name
    progress = JsonProgress() if as_json else PlainProgress(output())
    doing = f"conductor sweep --env {name}"
    with held_destruction(environment, doing, database_url, progress) as held:
        # Whoever held it before us may have renewed it, or have taken it down.
        record = environment.record()
        if record is None or not record.has_expired(datetime.now(UTC)):
            return Swept(name, Outcome.RENEWED)
        waves = held.destruction.waves()
        if protected := held.destruction.will_keep(waves):
            kept = "; ".join(f"{names_of(items)} in {at}" for at, items in protected.items())
            return Swept(name, Outcome.PROTECTED, f"it holds {kept}")
        held.tell(record, held.destruction.run(waves), is_whole=True)
    return Swept(name, Outcome.DESTROYED)


def _tell(swept: Swept, *, as_json: bool) -> None:
    if as_json:
        said = {
            "event": "environment_swept",
            "environment": swept.environment,
            "outcome": swept.outcome.value,
            "reason": swept.reason,
        }
        sys.stdout.write(json.dumps(said) + "\n")
        return
    why = f": {swept.reason}" if swept.reason else ""
    output().print(f"{swept.environment} {swept.outcome.value}{why}", markup=False, soft_wrap=True)
