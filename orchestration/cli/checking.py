"""`conductor check`: what is wrong in an architecture file, where, and what to do about it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.markup import escape

from orchestration.artifacts.planner import read_architecture
from orchestration.cli.console import output
from orchestration.environments import Environment
from orchestration.settings import Settings
from orchestration.targets.local import DEFAULT_PROJECT


def check(architecture: Path, env: str, *, project: str | None, as_json: bool) -> None:
    """Print what should be better in a file.

    Raises:
        ArchitectureInvalid: with every finding, where one of them is an error.
    """
    environment = Environment(env, Settings.from_environment())
    file = read_architecture(
        architecture, environment=environment.name, project_id=project or DEFAULT_PROJECT
    )
    for warning in file.warnings:
        if as_json:
            sys.stdout.write(json.dumps({"finding": warning}) + "\n")
        else:
            output().print(escape(warning), soft_wrap=True)
