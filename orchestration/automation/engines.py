"""Which Pulumi engine is behind the Automation API.

The local target uses the embedded engine; Google Cloud needs the real `pulumi`. This is the one
place that imports the embedded engine.
"""

from __future__ import annotations

import shutil
import subprocess
from enum import StrEnum

from pulumi.automation import PulumiCommand

from orchestration.environments import TargetName
from orchestration.errors import PrerequisitesMissing, UsageError

# The first release whose events the SDK reads over gRPC (SDK 3.272, `automation/_stack.py`).
MINIMUM_PULUMI = (3, 206, 0)
INSTALL_HINT = "install Pulumi 3.206 or newer: https://www.pulumi.com/docs/install/"


class EngineName(StrEnum):
    """The engines that `--engine` names."""

    AUTO = "auto"
    EMBEDDED = "embedded"
    PULUMI = "pulumi"


def choose_engine(name: EngineName, target: TargetName) -> PulumiCommand:
    """Make the engine's command for a target.

    Raises:
        UsageError: the embedded engine was asked for a target other than the local one.
        PrerequisitesMissing: the real `pulumi` is not installed, or too old.
    """
    if name is EngineName.EMBEDDED and target is not TargetName.LOCAL:
        raise UsageError(
            "the embedded engine talks to the local cloud only",
            hint="leave --engine out, or use --engine pulumi",
        )
    if name is EngineName.PULUMI or target is not TargetName.LOCAL:
        return _real_pulumi()
    # The engine brings grpc along; a command that never runs a stack does not pay for it.
    from rehearsal.engine.command import EmbeddedPulumi  # noqa: PLC0415

    from rehearsal.providers import PROVIDERS  # noqa: PLC0415

    return EmbeddedPulumi(PROVIDERS)


def _real_pulumi() -> PulumiCommand:
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
