"""What goes wrong in an environment's local cloud on purpose, and every call that reached it.

The rules are the local cloud's own: it checks them, keeps them and says how often each struck.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from orchestration.environments import Environment
from orchestration.errors import CloudUnreachable, UsageError

if TYPE_CHECKING:
    from rehearsal.cloud.control import CloudInfo

_BAD_REQUEST: Final = 400
_LOG_FILE: Final = "calls.jsonl"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FaultRule(_Model):
    """One rule as it is in force."""

    rule: JsonValue
    """As it was written."""
    does: str
    """What it does, in a few words."""
    matched: int
    injected: int


class _Answer(_Model):
    rules: tuple[FaultRule, ...]


class RecordedCall(_Model):
    """One line of the call log."""

    at: float
    method: str
    principal: str
    resource: str
    permission: str = ""
    """What the call needed; empty where it did not come to that."""
    decision: str
    """`allowed`, `denied`, or `unchecked` where no permission is needed."""
    code: int
    """The HTTP status; 0 where the connection was dropped."""
    ms: float
    message: str = ""
    fault: str = ""
    """What a fault rule injected."""


def faults_of(environment: Environment) -> tuple[FaultRule, ...]:
    """Return the rules in force.

    Raises:
        CloudUnreachable: the local cloud does not run.
    """
    return _exchange(environment, "GET")


def set_faults(environment: Environment, rules: JsonValue) -> tuple[FaultRule, ...]:
    """Replace all rules.

    Raises:
        UsageError: they make no sense; nothing changed.
        CloudUnreachable: the local cloud does not run.
    """
    return _exchange(environment, "PUT", rules)


def clear_faults(environment: Environment) -> None:
    """Drop every rule.

    Raises:
        CloudUnreachable: the local cloud does not run.
    """
    _exchange(environment, "DELETE")


def recorded_calls(environment: Environment) -> Iterator[RecordedCall]:
    """Read the call log, oldest first, also of a local cloud that does not run."""
    from rehearsal.cloud.call_log import previous_log  # noqa: PLC0415 - as in `_running`

    path = environment.cloud_dir / _LOG_FILE
    for file in (previous_log(path), path):
        if file.is_file():
            yield from _records_in(file)


def _records_in(file: Path) -> Iterator[RecordedCall]:
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            try:
                yield RecordedCall.model_validate_json(line)
            except ValidationError:
                # The last line of a cloud that was killed, or one that is just being written.
                continue


def _exchange(
    environment: Environment, method: str, body: JsonValue = None
) -> tuple[FaultRule, ...]:
    info = _running(environment)
    try:
        answer = httpx.request(
            method,
            f"http://127.0.0.1:{info.port}/_local/faults",
            headers={"Authorization": f"Bearer {info.deployer_token}"},
            json=body,
            trust_env=False,
        )
        if answer.status_code == _BAD_REQUEST:
            raise UsageError(
                str(answer.json()["error"]["message"]),
                hint="the keys of a rule are in rehearsal/cloud/README.md, under Faults",
            )
        answer.raise_for_status()
        return _Answer.model_validate_json(answer.content).rules
    except (httpx.HTTPError, ValidationError) as error:
        raise CloudUnreachable(
            f"the local cloud of {environment.name!r} does not answer: {error}"
        ) from error


def _running(environment: Environment) -> CloudInfo:
    from rehearsal.cloud import control  # noqa: PLC0415 - only the local target pays for it

    info = control.status(environment.cloud_dir)
    if info is None:
        raise CloudUnreachable(
            f"the local cloud of {environment.name!r} does not run",
            hint=f"start it with `conductor cloud start --env {environment.name}`",
        )
    return info
