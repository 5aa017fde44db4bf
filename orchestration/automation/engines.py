"""Which Pulumi engine is behind the Automation API.

The local target uses the embedded engine, or the real `pulumi` where it is asked for. This is the
one place that imports the embedded engine.
"""

from __future__ import annotations

import shutil
import subprocess
from enum import StrEnum

from pulumi.automation import PulumiCommand

from orchestration.errors import PrerequisitesMissing

# The first release whose events the SDK reads over gRPC (SDK 3.272, `automation/_stack.py`).
MINIMUM_PULUMI = (3, 206, 0)
INSTALL_HINT = "install Pulumi 3.206 or newer: https://www.pulumi.com/docs/install/"


class EngineName(StrEnum):
    """The engines that `--engine` names."""

    AUTO = "auto"
    EMBEDDED = "embedded"
    PULUMI = "pulumi"


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
