"""Operations on stacks that are left to other hands; whatever only looks is done here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from pulumi.automation import PulumiCommand

from orchestration.automation.orders import StackOrder, StackVerb
from orchestration.automation.results import OnStackEvent, StackResult, ignore_event
from orchestration.automation.stack_records import StackHome
from orchestration.automation.stacks import StackOperations


class Hands(Protocol):
    """Who carries orders out."""

    def carry_out(self, order: StackOrder, on_event: OnStackEvent) -> StackResult:
        """Have an order carried out, telling of its progress; waits for its end.

        Raises:
            StackFailed: the operation failed.
            Interrupted: the user pressed Ctrl-C.
        """
        ...


class SpreadOperations(StackOperations):
    """Operations whose `up`, `refresh` and `destroy` are done by other hands."""

    def __init__(
        self,
        home: StackHome,
        command: PulumiCommand,
        credentials: Callable[[], Mapping[str, str]],
        hands: Hands,
    ) -> None:
        super().__init__(home, command, credentials)
        self._hands = hands

    def up(
        self,
        stack: str,
        *,
        refresh: bool = True,
        continue_on_error: bool = False,
        spared: Sequence[str] = (),
        on_event: OnStackEvent = ignore_event,
    ) -> StackResult:
        """Have the stack brought up; one that is bound to a plan is brought up here."""
        if self._plan_of(stack) is not None:
            return super().up(
                stack,
                refresh=refresh,
                continue_on_error=continue_on_error,
                spared=spared,
                on_event=on_event,
            )
        return self._ordered(
            StackOrder(
                verb=StackVerb.UP,
                stack=stack,
                refresh=refresh,
                continue_on_error=continue_on_error,
                spared=tuple(spared),
            ),
            on_event,
        )

    def refresh(self, stack: str, *, on_event: OnStackEvent = ignore_event) -> StackResult:
        """Have the stack's state brought in line with what is there."""
        return self._ordered(StackOrder(verb=StackVerb.REFRESH, stack=stack), on_event)

    def destroy(
        self,
        stack: str,
        *,
        only: Sequence[str] = (),
        spares_protected: bool = False,
        on_event: OnStackEvent = ignore_event,
    ) -> StackResult:
        """Have what the stack holds deleted."""
        return self._ordered(
            StackOrder(
                verb=StackVerb.DESTROY,
                stack=stack,
                only=tuple(only),
                spares_protected=spares_protected,
            ),
            on_event,
        )

    def _ordered(self, order: StackOrder, on_event: OnStackEvent) -> StackResult:
        self._guard()
        return self._hands.carry_out(order, on_event)
