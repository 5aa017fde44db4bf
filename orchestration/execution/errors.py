"""What goes wrong when plans are carried out."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from orchestration.errors import Blocked, ConductorError, UsageError


class StepFailed(ConductorError):  # noqa: N818 - the house's tree names states, not mishaps
    """A step of a plan did not do what it should; `result` is what it found out."""

    code = "step-failed"

    def __init__(self, message: str, *, result: Mapping[str, JsonValue] | None = None) -> None:
        super().__init__(message)
        self.result = dict(result or {})


class ActionRefused(UsageError):  # noqa: N818
    """An action lacks a parameter, or a service does not offer what it would change."""

    code = "action-refused"


class EnvironmentUnsettled(Blocked):
    """The environment's last run left it in a state on which nothing can be built."""

    code = "environment-unsettled"
    retryable = True
