"""`conductor drift`: what is not as the last run left it, stack by stack; nothing is changed."""

from __future__ import annotations

import json
import sys
from functools import partial

from rich.markup import escape

from orchestration.automation.engines import EngineName
from orchestration.automation.results import StackDrift
from orchestration.cli.console import output
from orchestration.concurrency import run_all
from orchestration.conductor.assembly import stack_operations
from orchestration.environments import Environment
from orchestration.settings import Settings
from orchestration.targets.opening import target_of
from orchestration.wording import counted


def show_drift(env: str, *, as_json: bool) -> bool:
    """Print what has drifted; say whether anything has.

    Raises:
        UsageError: there is no such environment.
        CloudUnreachable: its cloud does not run.
        StackFailed: a stack could not be compared.
    """
    environment = Environment(env, Settings.from_environment())
    target = target_of(environment)
    with environment.locked(f"conductor drift --env {env}"):
        operations = stack_operations(environment, target, EngineName.AUTO)
        stacks = operations.existing(f"{env}.")
        compared = run_all({stack: partial(operations.drift, stack) for stack in stacks})
    found = [compared.results[stack] for stack in stacks if stack in compared.results]
    for drift in found:
        _show(drift, as_json=as_json)
    compared.raise_errors()
    return any(drift.resources for drift in found)


def _show(drift: StackDrift, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(
            json.dumps(
                {
                    "stack": drift.stack,
                    "resources": [
                        {
                            "urn": item.urn,
                            "type": item.type,
                            "name": item.name,
                            "gone": item.is_gone,
                            "changed": list(item.changed),
                        }
                        for item in drift.resources
                    ],
                    "duration_s": round(drift.duration_s, 3),
                }
            )
            + "\n"
        )
        return
    console = output()
    number = len(drift.resources)
    console.print(
        f"[bold]{escape(drift.stack)}[/]: "
        + (f"{counted(number, 'resource')} drifted" if number else "as it was left")
    )
    for item in drift.resources:
        what = "[bold red]gone[/]" if item.is_gone else f"changed: {', '.join(item.changed)}"
        console.print(f"  {item.type} {escape(item.name)} {what}")
