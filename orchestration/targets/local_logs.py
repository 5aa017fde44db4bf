"""What the services of an environment's local cloud have written.

The local cloud keeps it in files, by revision and instance; they are there when it does not run.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict

from orchestration.environments import Environment
from orchestration.errors import UsageError

if TYPE_CHECKING:
    from rehearsal.cloud.run.logs import Logs

_NAME: Final = re.compile(r"[a-z0-9-]*")


class ServiceLine(BaseModel):
    """One line of a service's log."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: str
    """When it was written, in RFC 3339."""
    revision: str
    instance: str
    """Which instance wrote it; `-` where the platform speaks of none."""
    text: str


def lines_of(
    environment: Environment, service: str, *, revision: str = "", instance: str = ""
) -> list[ServiceLine]:
    """Read the log of a service's revision, oldest line first.

    Args:
        environment: The environment, on the local target.
        service: The service's name.
        revision: The revision's name; without it the one that wrote last.
        instance: How the instance's id begins; without it all of them.

    Raises:
        UsageError: no such service or revision has written anything.
    """
    from rehearsal.cloud.run.logs import Logs  # noqa: PLC0415 - only the local target pays for it

    logs = Logs(environment.cloud_dir / "run" / "logs")
    log = None
    if _NAME.fullmatch(service) and _NAME.fullmatch(revision):
        log = logs.find(service, revision) if revision else logs.latest(service)
    if log is None:
        what = f"service {service!r}"
        if revision:
            what = f"revision {revision!r} of {what}"
        raise UsageError(
            f"no {what} has written anything in the local cloud of {environment.name!r}",
            hint=_hint(logs, service),
        )
    return [
        ServiceLine(at=line.at, revision=log.path.stem, instance=line.instance, text=line.text)
        for line in log.lines(instance)
    ]


def _hint(logs: Logs, service: str) -> str:
    known = logs.revisions()
    if service in known:
        return f"these have: {', '.join(known[service])}"
    if known:
        return f"these have: {', '.join(sorted(known))}"
    return "deploy one with `conductor up` first"
