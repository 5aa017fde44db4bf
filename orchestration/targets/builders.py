"""Which builder makes the services' images: a docker daemon, or none at all.

The choice is recorded in the configuration of the environment's `images` stack, where `auto` finds
it again and where Pulumi's docker provider, ours or the official one, finds the daemon. The
director's image has a stack of its own without a daemon: on the local target the director works in
this project's folders with this program, which a container would not see.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from architecture.names import stack_name
from orchestration.automation.config import StackConfigFiles
from orchestration.automation.engines import EngineName
from orchestration.environments import Environment
from orchestration.errors import PrerequisitesMissing, UsageError

BUILDER_KEY = "conductor:builder"
# The docker provider's own setting.
DAEMON_KEY = "docker:host"
DEFAULT_DAEMON = "unix:///var/run/docker.sock"
ANSWER_TIMEOUT_S = 10.0


class BuilderName(StrEnum):
    """The builders that `--builder` names."""

    AUTO = "auto"
    DOCKER = "docker"
    ASSEMBLE = "assemble"


@dataclass(frozen=True, slots=True)
class Builder:
    """What builds an environment's images; `daemon` is docker's host, empty without docker."""

    name: BuilderName = BuilderName.ASSEMBLE
    daemon: str = ""

    def require(self) -> None:
        """Make sure that it can build.

        Raises:
            PrerequisitesMissing: no docker daemon answers.
        """
        if not self.daemon:
            return
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(ANSWER_TIMEOUT_S)
                connection.connect(urlsplit(self.daemon).path)
                connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
                answer = connection.recv(64)
        except OSError as error:
            raise _no_daemon(self.daemon, error.strerror or str(error)) from error
        if b" 200 " not in answer:
            raise _no_daemon(
                self.daemon, " ".join(answer.decode(errors="replace").split()) or "an empty answer"
            )

    def config(self) -> Mapping[str, str]:
        """Give the configuration of the `images` stack that says so."""
        return {
            BUILDER_KEY: self.name.value,
            **({DAEMON_KEY: self.daemon} if self.daemon else {}),
        }


def _no_daemon(daemon: str, reason: str) -> PrerequisitesMissing:
    return PrerequisitesMissing(
        f"no docker daemon answers at {daemon}: {reason}",
        hint="start docker, point DOCKER_HOST at it, or use --builder assemble",
    )


def choose_builder(asked: BuilderName, engine: EngineName, environment: Environment) -> Builder:
    """Choose what builds: what was asked for, else what was asked for last, else no docker.

    Raises:
        UsageError: the engine cannot do it, or the docker host is no unix socket.
    """
    if engine is EngineName.PULUMI:
        if asked is BuilderName.ASSEMBLE:
            raise UsageError(
                "--builder assemble needs the embedded engine: the official docker provider always"
                " builds with docker",
                hint="leave --builder or --engine out",
            )
        # That provider finds its daemon as the `docker` command does.
        return Builder(BuilderName.DOCKER)
    name = _recorded(environment) if asked is BuilderName.AUTO else asked
    if name is not BuilderName.DOCKER:
        return Builder(BuilderName.ASSEMBLE)
    daemon = os.environ.get("DOCKER_HOST") or DEFAULT_DAEMON
    parts = urlsplit(daemon)
    if parts.scheme != "unix" or not parts.path.startswith("/"):
        raise UsageError(
            f"DOCKER_HOST is {daemon!r}: the embedded engine reaches docker by a unix socket only",
            hint="set DOCKER_HOST to unix:///PATH, or use --builder assemble",
        )
    return Builder(name, daemon)


def _recorded(environment: Environment) -> BuilderName:
    files = StackConfigFiles(environment.settings.stack_config_dir, environment.name)
    held = files.read(stack_name(environment.name, "images")).get(BUILDER_KEY)
    return BuilderName.DOCKER if held == BuilderName.DOCKER else BuilderName.ASSEMBLE
