"""An operation on a stack as a value: what is asked for, and what came of it.

Both cross from one process to another as JSON; which process does what is not this module's
business.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, JsonValue

from orchestration.automation.results import OnStackEvent, StackResult
from orchestration.automation.stacks import StackOperations
from orchestration.errors import CloudUnreachable, ConductorError, StackFailed, StackLocked


class StackVerb(StrEnum):
    """The operations that change a stack."""

    UP = "up"
    REFRESH = "refresh"
    DESTROY = "destroy"


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StackOrder(_Message):
    """What is to be done with one stack; the words are those of `StackOperations`."""

    verb: StackVerb
    stack: str
    refresh: bool = True
    continue_on_error: bool = False
    spared: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    spares_protected: bool = False

    def carry_out(self, operations: StackOperations, on_event: OnStackEvent) -> StackResult:
        """Do it here.

        Raises:
            StackFailed: the operation failed.
            StackLocked: another operation on the stack is under way.
        """
        match self.verb:
            case StackVerb.UP:
                return operations.up(
                    self.stack,
                    refresh=self.refresh,
                    continue_on_error=self.continue_on_error,
                    spared=self.spared,
                    on_event=on_event,
                )
            case StackVerb.REFRESH:
                return operations.refresh(self.stack, on_event=on_event)
            case StackVerb.DESTROY:
                return operations.destroy(
                    self.stack,
                    only=self.only,
                    spares_protected=self.spares_protected,
                    on_event=on_event,
                )


class StackDone(_Message):
    """What an operation did; its single steps were told while it went on."""

    stack: str
    outputs: Mapping[str, JsonValue]
    changes: Mapping[str, int]
    duration_s: float


class StackNotDone(_Message):
    """Why an operation failed."""

    code: str
    message: str
    details: str = ""
    hint: str = ""
    stack: str = ""
    failures: Mapping[str, str] = {}


class StackAnswer(_Message):
    """What came of an order: it was done, or it was not."""

    done: StackDone | None = None
    not_done: StackNotDone | None = None

    @classmethod
    def of_result(cls, result: StackResult) -> Self:
        """Answer that it was done."""
        return cls(
            done=StackDone(
                stack=result.stack,
                outputs=dict(result.outputs),
                changes=result.changes,
                duration_s=result.duration_s,
            )
        )

    @classmethod
    def of_error(cls, error: ConductorError) -> Self:
        """Answer that it was not."""
        not_done = StackNotDone(
            code=error.code, message=error.message, details=error.details, hint=error.hint
        )
        if isinstance(error, StackFailed):
            of_stack = {"stack": error.stack, "failures": error.failures}
            not_done = not_done.model_copy(update=of_stack)
        return cls(not_done=not_done)

    def result(self) -> StackResult:
        """Give what was done, as if it had been done here.

        Raises:
            StackFailed: the operation failed.
            StackLocked: another operation on the stack is under way.
            CloudUnreachable: the cloud did not answer.
        """
        if self.done is None:
            raise _error(self.not_done or StackNotDone(code="error", message="no answer"))
        return StackResult(
            stack=self.done.stack,
            outputs=dict(self.done.outputs),
            changes=self.done.changes,
            duration_s=self.done.duration_s,
        )


def _error(failed: StackNotDone) -> ConductorError:
    """Make the error anew; one that callers do not tell apart becomes a failed stack."""
    if failed.code == CloudUnreachable.code:
        return CloudUnreachable(failed.message, details=failed.details, hint=failed.hint)
    is_locked = failed.code == StackLocked.code
    is_known = is_locked or failed.code == StackFailed.code
    return (StackLocked if is_locked else StackFailed)(
        failed.message if is_known else f"{failed.message} [{failed.code}]",
        stack=failed.stack,
        failures=failed.failures,
        details=failed.details,
        hint=failed.hint,
    )
