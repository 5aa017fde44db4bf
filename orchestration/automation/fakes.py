"""Stacks without an engine: they hold what they are told to declare, and fail where told to.

Shipped, because whoever writes what works on many stacks tests against them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from orchestration.automation.results import (
    HeldResource,
    Json,
    OnStackEvent,
    PlannedStep,
    StackPreview,
    StackResult,
    ignore_event,
)
from orchestration.automation.stacks import StackOperations
from orchestration.errors import StackFailed


@dataclass(frozen=True, slots=True)
class Declared:
    """A resource that a stack's program declares."""

    name: str
    type: str
    inputs: Mapping[str, Json] = field(default_factory=dict)


class FakeStacks(StackOperations):
    """Operations on stacks in memory; `declare` is their program.

    An operation in `failing`, as in `up dev.images`, fails so often, after half of its work.
    `on_call` is asked before every operation.
    """

    def __init__(self, declare: Callable[[str], Sequence[Declared]]) -> None:
        self.held: dict[str, dict[str, Declared]] = {}
        self.calls: list[str] = []
        self.failing: Counter[str] = Counter()
        self.on_call: Callable[[str], None] = lambda _call: None
        self._declare = declare

    def up(
        self,
        stack: str,
        *,
        refresh: bool = True,
        continue_on_error: bool = False,
        spared: Sequence[str] = (),
        on_event: OnStackEvent = ignore_event,
    ) -> StackResult:
        """Hold what is declared, and what is spared.

        Raises:
            StackFailed: it is told to fail.
        """
        del refresh, continue_on_error, on_event
        wanted = {item.name: item for item in self._declare(stack)}
        held = self.held.setdefault(stack, {})
        with self._called("up", stack) as call:
            for name in call.half([n for n in held if n not in wanted]):
                if _urn(stack, name) not in spared:
                    del held[name]
            for name in call.half(list(wanted)):
                held[name] = wanted[name]
        return StackResult(stack=stack, outputs={}, changes={}, duration_s=0.0)

    def preview(
        self,
        stack: str,
        *,
        refresh: bool = True,
        upstream: object = None,
        plan: object = None,
        on_event: OnStackEvent = ignore_event,
    ) -> StackPreview:
        """Say what would be deleted."""
        del refresh, upstream, plan, on_event
        wanted = {item.name for item in self._declare(stack)}
        steps = tuple(
            PlannedStep("delete", _urn(stack, item.name), item.type, item.name)
            for item in self.held.get(stack, {}).values()
            if item.name not in wanted
        )
        return StackPreview(stack, steps, outputs={}, changes={}, duration_s=0.0)

    def refresh(self, stack: str, *, on_event: OnStackEvent = ignore_event) -> StackResult:
        """Find everything as it is recorded."""
        del on_event
        with self._called("refresh", stack):
            return StackResult(stack=stack, outputs={}, changes={}, duration_s=0.0)

    def destroy(
        self,
        stack: str,
        *,
        only: Sequence[str] = (),
        spares_protected: bool = False,
        on_event: OnStackEvent = ignore_event,
    ) -> StackResult:
        """Delete all, or only what is named.

        Raises:
            StackFailed: it is told to fail.
        """
        del spares_protected, on_event
        held = self.held.setdefault(stack, {})
        with self._called("destroy", stack) as call:
            for name in call.half([n for n in held if not only or _urn(stack, n) in only]):
                del held[name]
        return StackResult(stack=stack, outputs={}, changes={}, duration_s=0.0)

    def remove(self, stack: str) -> None:
        """Forget an empty stack."""
        assert not self.held[stack]
        del self.held[stack]

    def resource_counts(self, prefix: str) -> Mapping[str, int]:
        """Count what each stack holds."""
        return {name: len(self.held[name]) for name in sorted(self.held) if name.startswith(prefix)}

    def resources(self, stack: str) -> tuple[HeldResource, ...]:
        """Give what a stack holds."""
        return tuple(
            HeldResource(
                urn=_urn(stack, item.name),
                type=item.type,
                name=item.name,
                parent="",
                is_custom=True,
                inputs=item.inputs,
            )
            for item in self.held.get(stack, {}).values()
        )

    def _called(self, operation: str, stack: str) -> _Call:
        call = f"{operation} {stack}"
        self.calls.append(call)
        self.on_call(call)
        fails = self.failing[call] > 0
        self.failing[call] -= fails
        return _Call(call, stack, fails=fails)


class _Call:
    """An operation under way; one that fails does the first half of what it has to do."""

    def __init__(self, call: str, stack: str, *, fails: bool) -> None:
        self._call = call
        self._stack = stack
        self._fails = fails

    def __enter__(self) -> Self:
        return self

    def half(self, names: list[str]) -> list[str]:
        return names[: len(names) // 2] if self._fails else names

    def __exit__(self, *_: object) -> None:
        if self._fails:
            raise StackFailed(f"stack {self._stack}: cannot {self._call}", stack=self._stack)


def _urn(stack: str, name: str) -> str:
    return f"urn:{stack}::{name}"
