"""Which Pulumi engine is behind the Automation API.

The local target uses the embedded engine, or the real `pulumi` where it is asked for; Google's
cloud takes the real one only. This is the one place that imports the embedded engine.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pulumi.automation import CommandResult, PulumiCommand

from orchestration.environments import TargetName
from orchestration.errors import PrerequisitesMissing, UsageError

if TYPE_CHECKING:
    from semver import VersionInfo

# The first release whose events the SDK reads over gRPC (SDK 3.272, `automation/_stack.py`).
MINIMUM_PULUMI = (3, 206, 0)
INSTALL_HINT = "install Pulumi 3.206 or newer: https://www.pulumi.com/docs/install/"


class EngineName(StrEnum):
    """The engines that `--engine` names."""

    AUTO = "auto"
    EMBEDDED = "embedded"
    PULUMI = "pulumi"


def engine_for(asked: EngineName, target: TargetName) -> EngineName:
    """Say which engine an environment's stacks are driven with.

    Raises:
        UsageError: the embedded engine was asked for Google's cloud.
    """
    if target is TargetName.LOCAL:
        return EngineName.EMBEDDED if asked is EngineName.AUTO else asked
    if asked is EngineName.EMBEDDED:
        raise UsageError(
            "the embedded engine talks to a local cloud only; target google needs the real pulumi",
            hint="leave --engine out",
        )
    return EngineName.PULUMI


def choose_engine(name: EngineName) -> PulumiCommand:
    """Make the engine's command; `auto` is the embedded one.

    Raises:
        PrerequisitesMissing: the real `pulumi` was asked for, and is not there or too old.
    """
    if name is EngineName.PULUMI:
        return require_pulumi()
    # The engine brings grpc along; a command that never runs a stack does not pay for it.
    from rehearsal.engine.command import EmbeddedPulumi  # noqa: PLC0415
    from rehearsal.providers import PROVIDERS  # noqa: PLC0415

    engine = EmbeddedPulumi(PROVIDERS)
    engine.warm_up()
    return engine


class DeferredPulumi(PulumiCommand):
    """The real `pulumi`, looked for when it is first needed.

    A run on Google's cloud says in phase 1 what is missing, and a missing engine is one finding
    among others there.
    """

    def __init__(self) -> None:
        # Not the base's: it would start the program at once.
        pass

    @cached_property
    def _found(self) -> PulumiCommand:
        return require_pulumi()

    @property
    def command(self) -> str:  # type: ignore[override] # the base has attributes, filled at once
        """The program's name or path."""
        return self._found.command

    @property
    def version(self) -> VersionInfo | None:  # type: ignore[override] # as above
        """The program's version."""
        return self._found.version

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: Callable[[str], Any] | None = None,
        on_error: Callable[[str], Any] | None = None,
    ) -> CommandResult:
        """Run a command.

        Raises:
            PrerequisitesMissing: there is no `pulumi`, or it is too old.
            CommandError: it failed.
        """
        return self._found.run(args, cwd, additional_env, on_output, on_error)


def require_pulumi() -> PulumiCommand:
    """Find the real `pulumi`.

    Raises:
        PrerequisitesMissing: it is not there, or too old.
    """
    if shutil.which("pulumi") is None:
        raise PrerequisitesMissing("there is no `pulumi` on PATH", hint=INSTALL_HINT)
    try:
        command = PulumiCommand()
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        raise PrerequisitesMissing(
            f"`pulumi version` failed: {str(error).splitlines()[0]}", hint=INSTALL_HINT
        ) from error
    version = command.version
    if version is None or (version.major, version.minor, version.patch) < MINIMUM_PULUMI:
        raise PrerequisitesMissing(f"pulumi {version} is too old", hint=INSTALL_HINT)
    return command
