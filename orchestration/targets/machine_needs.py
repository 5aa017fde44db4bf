"""What a run needs of this machine: an engine, its plugins, docker, the services' sources."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from architecture.model import Architecture
from orchestration.artifacts.contexts import source_folder
from orchestration.automation.engines import MINIMUM_PULUMI, require_pulumi
from orchestration.automation.plugins import Plugin, absent_plugins, required_plugins
from orchestration.errors import PrerequisitesMissing
from orchestration.targets.builders import DEFAULT_DAEMON, Builder, BuilderName
from orchestration.targets.prerequisite import Prerequisite, Seen, missing, ok, unknown

MACHINE = "this machine"
SOURCES = "sources"
INSTALL_PULUMI = "https://www.pulumi.com/docs/install/"


def real_engine(why: str) -> Iterator[Prerequisite]:
    """Yield what driving stacks with the real `pulumi` takes."""
    least = ".".join(map(str, MINIMUM_PULUMI[:2]))
    yield Prerequisite(MACHINE, f"pulumi {least} or newer", why, INSTALL_PULUMI, _pulumi)
    for plugin in required_plugins():
        yield Prerequisite(
            MACHINE,
            f"{plugin.name} plugin {plugin.version}",
            "the stacks' SDK has this version; a run fetches nothing half-way",
            plugin.install_command,
            partial(_plugin, plugin),
        )


def program(project_dir: Path) -> Prerequisite:
    """Give what the real engine runs the stacks' program with."""
    return Prerequisite(
        MACHINE,
        "the program's Python",
        "Pulumi.yaml names .venv, where the real pulumi looks for the stacks' packages",
        "make install",
        partial(_program, project_dir / ".venv" / "bin" / "python"),
    )


def docker(why: str) -> Prerequisite:
    """Give the daemon that builds images."""
    remedy = "sudo systemctl start docker"
    return Prerequisite(MACHINE, "a docker daemon", why, remedy, _docker)


def docker_login(registry: str) -> Prerequisite:
    """Give docker's credentials for a registry."""
    return Prerequisite(
        MACHINE,
        f"docker's login to {registry}",
        "images are pushed there; no password of it is in any stack",
        f"gcloud auth configure-docker {registry}",
        partial(_docker_login, registry, os.environ),
    )


def sources(architecture: Architecture) -> Iterator[Prerequisite]:
    """Yield the folder of every service that is built."""
    for service in architecture.all_services():
        if service.deployment is None:
            continue
        folder = source_folder(service.deployment)
        yield Prerequisite(
            SOURCES,
            f"the source of {service.name}",
            "its image is built from it",
            "conductor up … --source-root DIR",
            _there(folder, f"source folder {_shown(folder)} of service {service.name}"),
        )


def _pulumi() -> Seen:
    try:
        found = require_pulumi()
    except PrerequisitesMissing as error:
        return missing(error.message)
    return ok(f"pulumi {found.version}")


def _plugin(plugin: Plugin) -> Seen:
    if plugin in absent_plugins(os.environ):
        return missing(f"plugin {plugin.name} {plugin.version} is not installed")
    return ok("installed")


def _program(python: Path) -> Seen:
    if not python.is_file():
        return missing("there is no .venv in the project's folder")
    return ok("there")


def _docker() -> Seen:
    daemon = os.environ.get("DOCKER_HOST") or DEFAULT_DAEMON
    if not daemon.startswith("unix://"):
        return unknown(f"DOCKER_HOST is {daemon}; only unix sockets are asked")
    try:
        Builder(BuilderName.DOCKER, daemon).require()
    except PrerequisitesMissing as error:
        return missing(error.message)
    return ok(f"a daemon answers at {daemon}")


def _docker_login(registry: str, environ: Mapping[str, str]) -> Seen:
    named = environ.get("DOCKER_CONFIG")
    file = (Path(named) if named else Path.home() / ".docker") / "config.json"
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        held = {}
    except (OSError, ValueError) as error:
        return missing(f"{file} cannot be read: {error}")
    known = held if isinstance(held, dict) else {}
    if known.get("credsStore") or any(
        registry in known.get(kind, {}) for kind in ("credHelpers", "auths")
    ):
        return ok("docker knows where to find it")
    return missing(f"docker has no credentials for {registry}")


def _there(folder: Path, what: str) -> Callable[[], Seen]:
    return lambda: ok("there") if folder.is_dir() else missing(f"{what} does not exist")


def _shown(folder: Path) -> str:
    """Name a folder from where the reader is, where that is shorter."""
    here = Path.cwd()
    return str(folder.relative_to(here)) if folder.is_relative_to(here) else str(folder)
