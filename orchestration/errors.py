"""Every error that the product raises on purpose.

    ConductorError
    ├── UsageError                 the call itself is wrong                     exit 2
    ├── ArchitectureInvalid        findings in the architecture file            exit 2
    ├── Blocked                    something must happen first                  exit 3
    │   ├── EnvironmentBusy        another run holds the environment
    │   ├── EnvironmentMismatch    another architecture lives there
    │   ├── PrerequisitesMissing   target, credentials, engine, secrets
    │   └── PortTaken              a port of the local cloud is somebody else's
    ├── PhaseFailed                a phase of a run failed                      exit 1
    │   ├── SeveralFailed          more than one of the ones below, side by side
    │   ├── PreflightFailed        a service's own tests failed
    │   ├── BuildFailed            one or more images were not built
    │   ├── StackFailed            an operation on a stack failed
    │   │   └── StackLocked        somebody else's operation is under way
    │   ├── GrantsNotEffective     IAM did not take effect in time
    │   ├── DirectorSilent         no completion came in time
    │   ├── DirectorRefused        the director answered with an error
    │   └── ServiceUnhealthy       a deployed service does not answer
    ├── RolledBack                 a phase failed, and the run was undone       exit 4
    ├── Stuck                      undoing failed; what is left is named        exit 5
    ├── CloudUnreachable           the target's APIs do not answer              exit 1
    └── Interrupted                Ctrl-C or SIGTERM                            exit 130

Each has a stable `code` (kebab-case) and a `hint`: what to do next; `details` holds more lines,
such as the end of a log. The edges translate once: the command line into an exit code, one line
and the hint.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class ConductorError(Exception):
    """The root. The message says what happened and where, in one line."""

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False
    default_hint: ClassVar[str] = ""

    def __init__(self, message: str, *, details: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        self.hint = hint or self.default_hint


class UsageError(ConductorError):
    """The call itself is wrong: an unknown name, an impossible combination."""

    code = "usage"
    exit_code = 2


class ArchitectureInvalid(ConductorError):  # noqa: N818 - the house's tree names states, not mishaps
    """The architecture file has errors; `findings` are their lines, each with its place."""

    code = "architecture-invalid"
    exit_code = 2

    def __init__(self, message: str, *, findings: tuple[str, ...] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.findings = findings


class Blocked(ConductorError):  # noqa: N818
    """Something must happen first; nothing was changed."""

    code = "blocked"
    exit_code = 3


class EnvironmentBusy(Blocked):
    """Another run holds the environment."""

    code = "environment-busy"
    retryable = True
    default_hint = "wait until that run has ended, or stop it with Ctrl-C where it runs"


class EnvironmentMismatch(Blocked):
    """The environment holds another architecture, or another target."""

    code = "environment-mismatch"


class PrerequisitesMissing(Blocked):
    """Prerequisites of the run are missing; `findings` names all of them."""

    code = "prerequisites-missing"

    def __init__(self, message: str, *, findings: tuple[str, ...] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.findings = findings


class PortTaken(Blocked):
    """Another process listens on a port that the local cloud has chosen for good."""

    code = "port-taken"
    retryable = True


class PhaseFailed(ConductorError):  # noqa: N818
    """A phase of a run failed; phases after it did not start."""

    code = "phase-failed"


class SeveralFailed(PhaseFailed):
    """More than one thing failed side by side; the message has the words of each."""

    code = "several-failed"


class PreflightFailed(PhaseFailed):
    """Pre-flight tests of one or more services failed, before any cloud was touched."""

    code = "preflight-failed"


class BuildFailed(PhaseFailed):
    """One or more images were not built; the others were."""

    code = "build-failed"


class StackFailed(PhaseFailed):
    """An operation on a stack failed; `failures` has the messages by resource name."""

    code = "stack-failed"

    def __init__(
        self,
        message: str,
        *,
        stack: str = "",
        failures: Mapping[str, str] | None = None,
        details: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message, details=details, hint=hint)
        self.stack = stack
        self.failures = dict(failures or {})


class StackLocked(StackFailed):
    """Somebody else's operation on the stack is under way."""

    code = "stack-locked"
    retryable = True


class GrantsNotEffective(PhaseFailed):
    """IAM did not take effect in time; `missing` names member, role and resource of each."""

    code = "grants-not-effective"
    retryable = True

    def __init__(self, message: str, *, missing: tuple[str, ...] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.missing = missing


class DirectorSilent(PhaseFailed):
    """No completion came in time."""

    code = "director-silent"
    retryable = True


class DirectorRefused(PhaseFailed):
    """The director answered a command with an error."""

    code = "director-refused"


class ServiceUnhealthy(PhaseFailed):
    """A deployed service does not answer its health route."""

    code = "service-unhealthy"
    retryable = True


class RolledBack(ConductorError):  # noqa: N818
    """A phase of a run failed, and what the run had done was undone."""

    code = "rolled-back"
    exit_code = 4


class Stuck(ConductorError):  # noqa: N818
    """Undoing failed: neither the old release stands nor the new one; what is left is named."""

    code = "stuck"
    exit_code = 5


class CloudUnreachable(ConductorError):  # noqa: N818
    """The target's APIs do not answer."""

    code = "cloud-unreachable"
    retryable = True


class Interrupted(ConductorError):  # noqa: N818
    """The user pressed Ctrl-C, or the process was told to end; what is up stays up."""

    code = "interrupted"
    exit_code = 130
