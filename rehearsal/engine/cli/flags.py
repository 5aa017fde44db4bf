"""What the flags of an operation mean: its targets, its parallelism, and what is declined."""

from __future__ import annotations

import os

from rehearsal.engine.cli import declined
from rehearsal.engine.cli.workplace import Workplace
from rehearsal.engine.errors import (
    EXIT_USAGE,
    CommandFailedError,
    DeploymentError,
)
from rehearsal.engine.planner.deployment import Deployment
from rehearsal.engine.planner.targets import Targets, is_literal
from rehearsal.engine.state.checkpoint import Snapshot


def refuse_declined(work: Workplace) -> None:
    """Refuse flags that this engine does not cover, or that contradict each other.

    Raises:
        CommandFailedError: one of them is given.
    """
    for flag in declined.flags():
        if work.arguments.has(flag):
            raise declined.flag(flag)
    if work.arguments.has("skip-preview") and work.arguments.has("preview-only"):
        raise CommandFailedError(
            "--skip-preview and --preview-only cannot be used together", EXIT_USAGE
        )
    if work.arguments.all("target") and work.arguments.all("exclude"):
        raise CommandFailedError(
            "if any flags in the group [target exclude] are set none of the others can be",
            EXIT_USAGE,
        )


def targets_of(work: Workplace, snapshot: Snapshot) -> Targets:
    """Return what the operation may touch."""
    arguments = work.arguments
    excludes = list(arguments.all("exclude"))
    if arguments.has("exclude-protected"):
        # What they need is spared with them; what needs them goes.
        excludes += sorted(state.urn for state in snapshot.resources if state.protect)
    return Targets(
        targets=(*arguments.all("target"), *arguments.all("target-replace")),
        excludes=tuple(excludes),
        with_dependents=arguments.has("target-dependents") or arguments.has("exclude-dependents"),
    )


def refuse_unknown_targets(deployment: Deployment, kind: str) -> None:
    """Refuse targets that no resource has.

    Raises:
        DeploymentError: there is one.
    """
    known = {state.urn for state in deployment.recorder.base} | deployment.registered.keys()
    unknown = deployment.targets.unknown(known)
    replaced = [
        target
        for target in deployment.replace_targets.targets
        if is_literal(target) and target not in known
    ]
    for target in (*unknown, *replaced):
        if kind == "update":
            hint = "" if "$" in target else " Did you forget to escape $ in your shell?"
            raise DeploymentError(f"Target '{target}' could not be found in the stack.{hint}")
        raise DeploymentError(f"no resource named '{target}' found")


def parallelism(work: Workplace) -> int:
    """Return how many steps may run at a time."""
    default = work.environ.get("PULUMI_PARALLEL", "")
    number = work.arguments.number(
        "parallel", int(default) if default.isdigit() else 4 * (os.cpu_count() or 1)
    )
    return min(number, 1 << 20) if number > 0 else 1 << 20
