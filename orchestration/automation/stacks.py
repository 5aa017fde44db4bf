"""Operations on the stacks of one environment, through the Automation API.

Programs are always the source program of the project's folder, never inline ones, so that what
runs here is what `pulumi up -s STACK` runs.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Self, TypeVar

from pulumi.automation import (
    CommandError,
    ConcurrentUpdateError,
    DestroyResult,
    OpType,
    PulumiCommand,
    RefreshResult,
    Stack,
    UpResult,
)

from orchestration.automation.events import EventReader
from orchestration.automation.failures import failure
from orchestration.automation.locks import owners_have_died, remove_locks
from orchestration.automation.results import (
    DriftedResource,
    OnStackEvent,
    StackDrift,
    StackPreview,
    StackResult,
    ignore_event,
)
from orchestration.automation.stack_records import StackHome, StackRecords, plain_outputs, told

T = TypeVar("T")

# Resources of one stack at once: the calls wait for the network, not for a processor.
DEFAULT_PARALLEL = 32
UPSTREAM_VARIABLE = "CONDUCTOR_UPSTREAM"


class StackOperations(StackRecords):
    """Preview, up, refresh and destroy of single stacks; safe to use from several threads."""

    def __init__(
        self,
        home: StackHome,
        command: PulumiCommand,
        credentials: Callable[[], Mapping[str, str]],
    ) -> None:
        super().__init__(home, command, credentials)
        self._guard: Callable[[], None] = lambda: None
        self._plans: Path | None = None

    def guarded(self, guard: Callable[[], None]) -> Self:
        """Give the same operations under a guard.

        It is asked before every one that changes a stack, and raises where it must not be touched.
        """
        same = copy(self)
        same._guard = guard  # noqa: SLF001 - our own
        return same

    def bound_to(self, plans: Path) -> Self:
        """Give the same operations, of which `up` keeps to the plan of a stack in a folder.

        A stack without a plan there is brought up as ever.
        """
        same = copy(self)
        same._plans = plans  # noqa: SLF001 - our own
        return same

    def create(self, stack: str) -> None:
        """Make the stack if it does not exist.

        Raises:
            StackFailed: the backend refused.
        """
        with told(stack):
            self._open(stack)

    def up(
        self,
        stack: str,
        *,
        refresh: bool = True,
        continue_on_error: bool = False,
        spared: Sequence[str] = (),
        on_event: OnStackEvent = ignore_event,
    ) -> StackResult:
        """Bring the stack up, making it first if needed; what has a URN among `spared` stays.

        Raises:
            StackFailed: the operation failed; `failures` has the messages by resource.
            StackLocked: another operation on the stack is under way.
        """
        plan = self._plan_of(stack)
        return self._operate(
            stack,
            on_event,
            lambda opened, reader: opened.up(
                parallel=DEFAULT_PARALLEL,
                plan=str(plan) if plan is not None else None,
                refresh=refresh,
                continue_on_error=continue_on_error,
                exclude=list(spared) or None,
                color="never",
                on_event=reader,
            ),
            # The program that is brought up has to be the one that was previewed: it reads other
            # stacks' outputs as that one did.
            {} if plan is None else {UPSTREAM_VARIABLE: str(self._outputs_beside(plan))},
        )

    def preview(
        self,
        stack: str,
        *,
        refresh: bool = True,
        upstream: Path | None = None,
        plan: Path | None = None,
        on_event: OnStackEvent = ignore_event,
    ) -> StackPreview:
        """Say what `up` would do; `upstream` names a file of other stacks' predicted outputs.

        With `plan` it is also saved in this file, for an `up` that is bound to it.

        Raises:
            StackFailed: the program or the preview failed.
        """
        reader = EventReader(stack, on_event)
        started = time.monotonic()
        extra = {UPSTREAM_VARIABLE: str(upstream)} if upstream is not None else {}
        try:
            result = self._open(stack, extra).preview(
                parallel=DEFAULT_PARALLEL,
                refresh=refresh,
                plan=str(plan) if plan is not None else None,
                color="never",
                on_event=reader,
            )
        except CommandError as error:
            raise failure(stack, error, reader) from error
        return StackPreview(
            stack=stack,
            steps=reader.steps,
            outputs=reader.outputs,
            changes=_counts(result.change_summary),
            duration_s=time.monotonic() - started,
        )

    def refresh(self, stack: str, *, on_event: OnStackEvent = ignore_event) -> StackResult:
        """Bring the stack's state in line with what is there.

        Raises:
            StackFailed: the operation failed; `failures` has the messages by resource.
            StackLocked: another operation on the stack is under way.
        """
        return self._operate(
            stack,
            on_event,
            lambda opened, reader: opened.refresh(
                parallel=DEFAULT_PARALLEL, color="never", on_event=reader
            ),
        )

    def drift(self, stack: str) -> StackDrift:
        """Say what an `up` would only have to repair, changing nothing.

        A refresh alone would also tell of what clouds do by themselves: etags, defaults, order.

        Raises:
            StackFailed: the comparison failed.
        """
        preview = self.preview(stack, refresh=True)
        return StackDrift(
            stack,
            tuple(
                DriftedResource(
                    urn=step.urn,
                    type=step.type,
                    name=step.name,
                    is_gone=step.operation == "create",
                    changed=tuple(change.path for change in step.changes),
                )
                for step in preview.steps
                if step.repairs_drift and not step.is_quiet
            ),
            preview.duration_s,
        )

    def destroy(
        self,
        stack: str,
        *,
        only: Sequence[str] = (),
        spares_protected: bool = False,
        on_event: OnStackEvent = ignore_event,
    ) -> StackResult:
        """Refresh the stack, then delete what it holds, or `only` these URNs; the stack stays.

        What is protected fails the operation, or with `spares_protected` stays as it is.

        Raises:
            StackFailed: the operation failed; `failures` has the messages by resource.
            StackLocked: another operation on the stack is under way.
        """
        return self._operate(
            stack,
            on_event,
            lambda opened, reader: opened.destroy(
                parallel=DEFAULT_PARALLEL,
                refresh=True,
                target=list(only) or None,
                exclude_protected=spares_protected,
                color="never",
                on_event=reader,
            ),
        )

    def remove(self, stack: str) -> None:
        """Remove an empty stack from the backend.

        Raises:
            StackFailed: it still holds resources.
        """
        self._guard()
        with told(stack):
            self._open(stack).workspace.remove_stack(stack)

    def _operate(
        self,
        stack: str,
        on_event: OnStackEvent,
        work: Callable[[Stack, EventReader], UpResult | RefreshResult | DestroyResult],
        extra: Mapping[str, str] | None = None,
    ) -> StackResult:
        """Do work on a stack and say what it did; `extra` are variables of this operation alone."""
        reader = EventReader(stack, on_event)
        started = time.monotonic()
        try:
            result = self._unlocked(stack, lambda opened: work(opened, reader), extra)
        except CommandError as error:
            raise failure(stack, error, reader) from error
        return StackResult(
            stack=stack,
            outputs=plain_outputs(result.outputs) if isinstance(result, UpResult) else {},
            changes=_counts(result.summary.resource_changes or {}),
            duration_s=time.monotonic() - started,
            steps=reader.steps,
        )

    def _plan_of(self, stack: str) -> Path | None:
        """Find the plan that a stack's `up` is bound to."""
        path = self._plans / f"{stack}.json" if self._plans is not None else None
        return path if path is not None and path.exists() else None

    def _outputs_beside(self, plan: Path) -> Path:
        """Write what the environment's stacks put out now, as previews are given predictions."""
        environment = plan.name.partition(".")[0]
        outputs = {stack: self.outputs(stack) or {} for stack in self.existing(f"{environment}.")}
        path = plan.with_suffix(".upstream")
        path.write_text(json.dumps(outputs), encoding="utf-8")
        return path

    def _unlocked(
        self, stack: str, work: Callable[[Stack], T], extra: Mapping[str, str] | None = None
    ) -> T:
        """Do work on a stack; a lock that a dead process left behind does not stand in its way."""
        self._guard()
        try:
            return work(self._open(stack, extra))
        except ConcurrentUpdateError as error:
            if not owners_have_died(str(error)):
                raise
            # Not by `cancel`: the owner may have died before it had made the stack.
            remove_locks(str(error))
            return work(self._open(stack, extra))


def _counts(changes: Mapping[OpType, int]) -> dict[str, int]:
    """Name the operations by their words: the history gives text, the events an enumeration."""
    return {str(getattr(op, "value", op)): count for op, count in changes.items()}
