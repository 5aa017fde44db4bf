"""`conductor secrets set`: from a value that nobody sees to the version to pin."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import typer

from orchestration.cli.console import output
from orchestration.environments import Environment
from orchestration.errors import UsageError
from orchestration.settings import Settings
from orchestration.targets.local import DEFAULT_PROJECT, LocalTarget
from orchestration.targets.opening import target_of
from orchestration.targets.seeding import check_secret, seed_secret


def read_value(name: str, file: Path | None) -> bytes:
    """Read a secret's value from a file, from standard input, or unseen from a terminal.

    Raises:
        UsageError: the file cannot be read.
    """
    if file is not None:
        try:
            return file.read_bytes()
        except OSError as error:
            raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    if sys.stdin.isatty():
        asked: str = typer.prompt(f"Value of {name}", hide_input=True, confirmation_prompt=True)
        return asked.encode()
    # `echo value | …` ends in a line break that is no part of a password.
    return sys.stdin.buffer.read().removesuffix(b"\n").removesuffix(b"\r")


def set_secret(env: str, name: str, value: bytes, *, project: str | None, as_json: bool) -> None:
    """Give a secret of an environment a new version, starting a local cloud if need be.

    Raises:
        UsageError: the name or the value cannot be, or another project is meant.
        CloudUnreachable: the local cloud did not start, or refused.
    """
    check_secret(name, value)
    environment = Environment(env, Settings.from_environment())
    record = environment.record()
    if record is not None and project not in {None, record.project_id}:
        raise UsageError(
            f"environment {env!r} holds project {record.project_id!r}, not {project!r}",
            hint="leave --project out",
        )
    project_id = record.project_id if record else project or DEFAULT_PROJECT
    target = (
        target_of(environment)
        if record is not None
        else LocalTarget(environment, project_id=project_id, region="")
    )
    target.prepare()
    version = seed_secret(target, name, value)
    if as_json:
        described = {"secret": name, "version": version, "environment": env, "project": project_id}
        sys.stdout.write(json.dumps(described) + "\n")
        return
    output().print(
        f"secret {name} of {env} has a new version; pin it beside `value_from: {name}`:\n"
        f"  version: {version}",
        markup=False,
    )
