"""`conductor overrides`: what plans have recorded above an environment's architecture."""

from __future__ import annotations

import json
import sys

from rich.markup import escape

from architecture.findings import InvalidArchitecture
from architecture.loading import load
from architecture.recorded import RecordedOverride, applied
from orchestration.cli.console import output
from orchestration.durable.holding import held_environment
from orchestration.environments import Environment
from orchestration.errors import UsageError
from orchestration.overriding import OverrideStore
from orchestration.settings import Settings
from orchestration.wording import counted


def show_overrides(env: str, *, as_json: bool) -> None:
    """Print what counts of all that is recorded, with where it comes from.

    Raises:
        UsageError: there is no such environment, or the record cannot be read.
    """
    environment = Environment(env, Settings.from_environment())
    environment.require_record()
    recorded = OverrideStore(environment).read()
    in_effect = _in_effect(environment)
    entries = list(recorded.effective().values())
    if not as_json and not entries:
        output().print("nothing is recorded above the architecture")
    for entry in entries:
        beneath = recorded.beneath(entry)
        if as_json:
            line = {
                **entry.model_dump(mode="json"),
                "above": None if beneath is None else beneath.value,
                "has_effect": entry in in_effect,
            }
            sys.stdout.write(json.dumps(line) + "\n")
        else:
            over = "" if beneath is None else f", above {beneath.value} of plan {beneath.plan_id}"
            idle = "" if entry in in_effect else " [yellow](the architecture has no such)[/]"
            output().print(
                f"{escape(entry.service)} {escape(entry.key)} ="
                f" {escape(json.dumps(entry.value))}  [dim]# plan {entry.plan_id}, step"
                f" {entry.step_id} ({escape(entry.action)}),"
                f" {entry.recorded_at.isoformat(timespec='seconds')}{over}[/]{idle}",
                soft_wrap=True,
                highlight=False,
            )


def remove_overrides(
    env: str, service: str, key: str | None, *, database_url: str | None, as_json: bool
) -> None:
    """Take away what is recorded of a service, or of one key of it; nothing is deployed.

    Raises:
        UsageError: nothing such is recorded; the message says what is.
        EnvironmentBusy: somebody else changes the environment.
    """
    environment = Environment(env, Settings.from_environment())
    environment.require_record()
    store = OverrideStore(environment)
    doing = f"conductor overrides remove --env {env}"
    with held_environment(environment, doing, database_url):
        held = store.read()
        going = [e for e in held.entries if e.service == service and key in {None, e.key}]
        if not going:
            known = ", ".join(sorted({f"{e.service} {e.key}" for e in held.entries})) or "nothing"
            what = service if key is None else f"{key} of {service}"
            raise UsageError(f"nothing is recorded of {what} (recorded: {known})")
        store.remove(service, key)
    keys = sorted({entry.key for entry in going})
    if as_json:
        event = {"event": "overrides_removed", "service": service, "keys": keys}
        sys.stdout.write(json.dumps(event) + "\n")
        return
    output().print(
        f"{counted(len(keys), 'override')} of {escape(service)} removed: {', '.join(keys)};"
        f" the next `conductor up --env {env}` deploys it as its architecture says"
    )


def _in_effect(environment: Environment) -> frozenset[RecordedOverride]:
    try:
        architecture = load(environment.architecture_file).architecture
    except (InvalidArchitecture, OSError):
        return frozenset()
    recorded = OverrideStore(environment).read()
    return frozenset(item.entry for item in applied(architecture, recorded))
