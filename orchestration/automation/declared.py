"""What the stacks' programs declare, found out without an engine and without a cloud."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestration.errors import StackFailed
from policies.model import PlannedResource

PROGRAM = "orchestration.automation.declaring"


def declared_resources(
    project_dir: Path, stacks: Sequence[str], config: Mapping[str, str]
) -> tuple[PlannedResource, ...]:
    """Run the program of every stack in a process of its own, and give what it declares.

    Args:
        project_dir: the Pulumi project's folder.
        stacks: the stacks' names.
        config: their configuration, the same for all.

    Raises:
        StackFailed: a program failed; `details` has what it printed.
    """
    done = subprocess.run(
        [sys.executable, "-m", PROGRAM],
        cwd=project_dir,
        input=json.dumps({"stacks": list(stacks), "config": dict(config)}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        printed = done.stderr.strip()
        last = printed.rpartition("\n")[2] or f"exit code {done.returncode}"
        raise StackFailed(
            f"the stacks' program cannot be run: {last}", stack="", failures={}, details=printed
        )
    return tuple(_read(json.loads(line)) for line in done.stdout.splitlines())


def _read(declared: Mapping[str, object]) -> PlannedResource:
    inputs = declared["inputs"]
    assert isinstance(inputs, dict), "the program above writes an object"
    return PlannedResource(
        stack=str(declared["stack"]),
        type=str(declared["type"]),
        name=str(declared["name"]),
        inputs=inputs,
        is_protected=declared["protect"] is True,
    )
