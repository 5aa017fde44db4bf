"""What this machine has of what the product needs, found by looking, changing nothing.

Each look gives findings: what is there, what is missing, what to do. Printing them is the command
line's. A look that cannot be taken is a finding too: a doctor must not fall ill.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path

from orchestration.automation.engines import EngineName, choose_engine, require_pulumi
from orchestration.conductor.records import RunStatus, last_run
from orchestration.environments import Environment, known_environments
from orchestration.errors import ConductorError
from orchestration.settings import Settings
from orchestration.targets.builders import BuilderName, choose_builder
from orchestration.targets.local import chosen_ports, cloud_process
from orchestration.wording import counted

# `requires-python` of pyproject.toml.
MINIMUM_PYTHON = (3, 11)
# A rehearsal of a dozen services keeps some hundred megabytes: state, images, logs.
LITTLE_SPACE_BYTES = 1 << 30
SHOWN_PACKAGES = ("pulumi", "pulumi-gcp", "pulumi-docker", "google-cloud-pubsub", "grpcio")
PINNED = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)(?P<marker>\s*;)?", re.MULTILINE
)
# Where Google's libraries look (https://cloud.google.com/docs/authentication/
# application-default-credentials): a file named by a variable, then gcloud's own.
CREDENTIALS_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
CREDENTIALS_FILE = "application_default_credentials.json"


class Health(StrEnum):
    """How one thing stands."""

    OK = "ok"
    # Not there, and not needed for a rehearsal on this machine.
    OPTIONAL = "optional"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Found:
    """One thing looked at; `advice` says what to do, empty where nothing is to be done."""

    subject: str
    health: Health
    what: str
    advice: str = ""


def examine(settings: Settings, env: str | None) -> tuple[Found, ...]:
    """Look at everything; with `env` at this environment only, else at all there are.

    Raises:
        UsageError: there is no such environment.
    """
    if env is not None:
        Environment(env, settings).require_record()
    names = [env] if env is not None else known_environments(settings)
    environments = [Environment(name, settings) for name in names]
    looks: list[tuple[str, Callable[[], Iterator[Found]]]] = [
        ("python", _python),
        ("versions", lambda: _versions(settings)),
        ("engine", _engines),
        ("docker", lambda: _docker(settings)),
        ("credentials", _credentials),
        ("state folder", lambda: _state_folder(settings)),
        *(
            (f"environment {item.name}", lambda item=item: _environment(item))
            for item in environments
        ),
    ]
    return tuple(found for subject, look in looks for found in _taken(subject, look))


def _taken(subject: str, look: Callable[[], Iterator[Found]]) -> Iterator[Found]:
    try:
        yield from look()
    except ConductorError as error:
        yield Found(subject, Health.PROBLEM, error.message, error.hint)
    except OSError as error:
        yield Found(subject, Health.PROBLEM, str(error), "mend the file system, then look again")


def _python() -> Iterator[Found]:
    version = platform.python_version()
    if sys.version_info < MINIMUM_PYTHON:
        needed = ".".join(map(str, MINIMUM_PYTHON))
        yield Found("python", Health.PROBLEM, version, f"install Python {needed} or newer")
    else:
        yield Found("python", Health.OK, f"{version} at {sys.executable}")


def _versions(settings: Settings) -> Iterator[Found]:
    shown = ", ".join(f"{name} {metadata.version(name)}" for name in ("conductor", *SHOWN_PACKAGES))
    yield Found("versions", Health.OK, shown)
    lock = settings.project_dir / "requirements.lock"
    if not lock.is_file():
        return
    other = list(_not_as_pinned(lock.read_text(encoding="utf-8")))
    if other:
        yield Found(
            "versions",
            Health.PROBLEM,
            f"{counted(len(other), 'package')} not as requirements.lock pins: {', '.join(other)}",
            "run `make install`",
        )
    else:
        yield Found("versions", Health.OK, "every package is as requirements.lock pins it")


def _not_as_pinned(lock: str) -> Iterator[str]:
    for pin in PINNED.finditer(lock):
        try:
            version = metadata.version(pin["name"])
        except metadata.PackageNotFoundError:
            # What is for other systems only has a marker, and is rightly not here.
            if not pin["marker"]:
                yield f"{pin['name']} is missing"
            continue
        if version != pin["version"]:
            yield f"{pin['name']} is {version}, not {pin['version']}"


def _engines() -> Iterator[Found]:
    embedded = choose_engine(EngineName.EMBEDDED)
    yield Found("engine", Health.OK, f"embedded (speaks as pulumi {embedded.version})")
    try:
        real = require_pulumi()
    except ConductorError as error:
        yield Found(
            "engine",
            Health.OPTIONAL,
            f"{error.message}; only `--engine pulumi` and target google need it",
            error.hint,
        )
    else:
        yield Found("engine", Health.OK, f"pulumi {real.version} at {shutil.which('pulumi')}")


def _docker(settings: Settings) -> Iterator[Found]:
    nowhere = Environment("doctor", settings)
    try:
        builder = choose_builder(BuilderName.DOCKER, EngineName.EMBEDDED, nowhere)
        builder.require()
    except ConductorError as error:
        yield Found(
            "docker",
            Health.OPTIONAL,
            f"{error.message}; images are assembled without it",
            "start docker or point DOCKER_HOST at its socket, if images are to be built with it",
        )
    else:
        yield Found("docker", Health.OK, f"a daemon answers at {builder.daemon}")


def _credentials() -> Iterator[Found]:
    named = os.environ.get(CREDENTIALS_VARIABLE)
    if named:
        if os.access(named, os.R_OK):
            yield Found("credentials", Health.OK, f"{CREDENTIALS_VARIABLE} names {named}")
        else:
            yield Found(
                "credentials",
                Health.PROBLEM,
                f"{CREDENTIALS_VARIABLE} names {named}, which cannot be read",
                f"mend the file, or unset {CREDENTIALS_VARIABLE}",
            )
        return
    configured = os.environ.get("CLOUDSDK_CONFIG")
    folder = Path(configured) if configured else Path.home() / ".config" / "gcloud"
    if (folder / CREDENTIALS_FILE).is_file():
        yield Found("credentials", Health.OK, f"gcloud's own, at {folder / CREDENTIALS_FILE}")
        return
    yield Found(
        "credentials",
        Health.OPTIONAL,
        "none for Google Cloud; the local cloud needs none",
        "run `gcloud auth application-default login` before anything talks to Google",
    )


def _state_folder(settings: Settings) -> Iterator[Found]:
    folder = settings.environments_dir
    # The folder appears with the first environment: until then its parent must let it.
    place = folder if folder.is_dir() else settings.project_dir
    try:
        with tempfile.NamedTemporaryFile(dir=place):
            pass
    except OSError as error:
        yield Found(
            "state folder",
            Health.PROBLEM,
            f"{place} cannot be written to: {error.strerror}",
            "make it writable for this user, or set CONDUCTOR_PROJECT_DIR to another project",
        )
        return
    free = shutil.disk_usage(place).free
    what = f"{folder}, {free / (1 << 30):.1f} GiB free"
    if free < LITTLE_SPACE_BYTES:
        yield Found("state folder", Health.PROBLEM, what, "free some space: runs end half-way")
    else:
        yield Found("state folder", Health.OK, what)


def _environment(environment: Environment) -> Iterator[Found]:
    subject = f"environment {environment.name}"
    record = environment.require_record()
    run = last_run(environment.runs_dir)
    what = f"architecture {record.architecture_name}, target {record.target.value}"
    if environment.is_held():
        yield Found(subject, Health.OK, f"{what}, in use at this moment")
    elif run is not None and run.status is RunStatus.RUNNING:
        yield Found(
            subject,
            Health.PROBLEM,
            f"{what}, its last run {run.run_id} died",
            f"`conductor up … --env {environment.name}` goes on from what it left",
        )
    elif run is None:
        yield Found(subject, Health.OK, f"{what}, never deployed")
    else:
        yield Found(subject, Health.OK, f"{what}, last run {run.status.value}")
    yield from _ports(environment)


def _ports(environment: Environment) -> Iterator[Found]:
    subject = f"environment {environment.name}"
    ports = chosen_ports(environment)
    pid = cloud_process(environment)
    if pid is not None:
        yield Found(subject, Health.OK, f"its local cloud runs on port {ports[0]} (pid {pid})")
        return
    taken = [port for port in ports if _is_taken(port)]
    for port in taken:
        yield Found(
            subject,
            Health.PROBLEM,
            f"port {port} of its local cloud is taken by another process",
            f"end that process: `ss -ltnp 'sport = :{port}'` names it",
        )
    if ports and not taken:
        yield Found(
            subject,
            Health.OK,
            f"its local cloud does not run; its ports {', '.join(map(str, ports))} are free",
        )


def _is_taken(port: int) -> bool:
    with socket.socket() as probe, suppress(OSError):
        # As servers do: connections of the one before that linger are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        return False
    return True
