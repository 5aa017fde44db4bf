"""`conductor cloud …`: start, show and stop an environment's local cloud."""

from __future__ import annotations

import json
import shlex
import sys
from datetime import datetime

from orchestration.cli.console import output
from orchestration.environments import Environment, TargetName
from orchestration.errors import UsageError
from orchestration.settings import Settings
from orchestration.targets.local import DEFAULT_PROJECT, LocalTarget, running_cloud, stop_cloud_of
from orchestration.targets.local_logs import lines_of

PROPAGATION_MODES = ("seeded", "none", "realistic", "flickering")


def require_propagation(mode: str) -> None:
    """Refuse a way of delaying grants that the local cloud does not know; none is as before.

    Raises:
        UsageError: the mode is none.
    """
    if mode and mode not in PROPAGATION_MODES:
        raise UsageError(f"--propagation {mode!r} is none of: {', '.join(PROPAGATION_MODES)}")


def start_cloud(env: str, project: str | None, propagation: str, *, as_json: bool) -> None:
    """Start the environment's local cloud.

    Raises:
        UsageError: there is no such propagation.
        CloudUnreachable: it did not start.
    """
    require_propagation(propagation)
    environment = Environment(env, Settings.from_environment())
    record = environment.record()
    if record is not None and record.target is not TargetName.LOCAL:
        raise UsageError(
            f"environment {env!r} lives on {record.target.value}, not in a local cloud"
        )
    project_id = project or (record.project_id if record else DEFAULT_PROJECT)
    target = LocalTarget(environment, project_id=project_id, region="", propagation=propagation)
    target.prepare()
    show_cloud(env, as_json=as_json)


def show_cloud(env: str, *, as_json: bool) -> None:
    """Say whether the local cloud runs, where, and what runs in it."""
    environment = Environment(env, Settings.from_environment())
    info = running_cloud(environment)
    if as_json:
        described = {"running": info is not None, "environment": env}
        if info is not None:
            described |= info.described()
        sys.stdout.write(json.dumps(described) + "\n")
        return
    console = output()
    if info is None:
        console.print(f"the local cloud of {env} does not run")
        return
    console.print(
        f"the local cloud of {env} runs: {info.base_url} (pid {info.pid},"
        f" project {info.project_id}, Pub/Sub at {info.pubsub_host})"
    )
    for service in info.services:
        console.print(f"  {service.name} at {service.url}: {service.state}")


def print_client_variables(env: str, *, as_json: bool) -> None:
    """Print what points other people's clients at the local cloud: `export` lines, or JSON.

    Raises:
        CloudUnreachable: it does not run.
    """
    from orchestration.targets.local_clients import client_variables  # noqa: PLC0415 - rarely asked

    environment = Environment(env, Settings.from_environment())
    info = LocalTarget(environment, project_id="", region="").info
    variables = client_variables(info, environment.cloud_dir)
    if as_json:
        sys.stdout.write(json.dumps(variables, indent=2) + "\n")
        return
    for name, value in variables.items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")


def stop_cloud(env: str, *, as_json: bool) -> None:
    """Stop the local cloud and everything in it."""
    environment = Environment(env, Settings.from_environment())
    stopped = stop_cloud_of(environment)
    if as_json:
        sys.stdout.write(json.dumps({"environment": env, "stopped": stopped}) + "\n")
    elif stopped:
        output().print(f"stopped the local cloud of {env} and its services; what they hold is kept")
    else:
        output().print(f"the local cloud of {env} does not run")


def show_service_log(
    env: str, service: str, revision: str, instance: str, *, last: int, as_json: bool
) -> None:
    """Print the last lines of what a service's revision has written; `last` 0 prints all.

    Raises:
        UsageError: no such service or revision has written anything.
    """
    environment = Environment(env, Settings.from_environment())
    lines = lines_of(environment, service, revision=revision, instance=instance)
    lines = lines[-last:] if last else lines
    if as_json:
        for line in lines:
            sys.stdout.write(line.model_dump_json() + "\n")
        return
    if lines:
        output().print(f"revision {lines[-1].revision}")
    for line in lines:
        at = datetime.fromisoformat(line.at).astimezone()
        sys.stdout.write(f"{at:%H:%M:%S.%f}"[:-3] + f"  {line.instance:8}  {line.text}\n")
