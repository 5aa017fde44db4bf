"""`conductor generate`: `resources.yaml` per service, without touching any cloud."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from orchestration.artifacts.generator import ConfigGenerator
from orchestration.artifacts.planner import read_architecture
from orchestration.cli.console import output
from orchestration.environments import Environment
from orchestration.settings import Settings
from orchestration.targets.local import DEFAULT_PROJECT


def generate(
    architecture: Path,
    env: str,
    project: str | None,
    folder: Path | None,
    *,
    suffix: str | None,
    as_json: bool,
) -> None:
    """Write `FOLDER/SERVICE/resources.yaml` for every service.

    Raises:
        ArchitectureInvalid: the file has errors.
        UsageError: the folder cannot be written.
        EnvironmentMismatch: the environment's names end in another suffix.
    """
    environment = Environment(env, Settings.from_environment())
    file = read_architecture(
        architecture,
        environment=env,
        project_id=project or DEFAULT_PROJECT,
        # What is written for elsewhere need not be what the environment holds.
        suffix=environment.suffix(suffix) if folder is None or suffix is None else suffix,
    )
    generator = ConfigGenerator(folder or environment.generated_dir)
    # A folder that the user names may hold other things; ours holds nothing else.
    files = generator.generate(file.architecture, keep_others=folder is not None)
    if as_json:
        sys.stdout.write(json.dumps({name: str(path) for name, path in files.items()}) + "\n")
        return
    console = output()
    for warning in file.warnings:
        console.print(f"[yellow]warning[/]: {warning}", soft_wrap=True)
    for path in files.values():
        console.print(str(path), soft_wrap=True)
