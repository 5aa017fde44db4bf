"""Taking an environment down: every stack, in the reverse of the order in which they came up.

What goes is what the stacks hold, and nothing else: resources of others and members that others
have put into policies are in no stack. Enabled APIs stay enabled, as others may use them.
A test run's dataflows that say `keep_resources_on_test` stay as they are, and what is protected
stays in its stack.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from architecture.findings import InvalidArchitecture
from architecture.loading import load
from architecture.model import Architecture
from architecture.names import stack_name
from architecture.ordering import (
    resource_levels,
    resource_needs,
    service_levels,
    service_needs,
)
from architecture.suffixes import kept_dataflows
from orchestration.automation.config import StackConfigFiles
from orchestration.automation.results import HeldResource, OnStackEvent, StackResult
from orchestration.automation.stacks import StackOperations
from orchestration.concurrency import run_all
from orchestration.conductor.events import RunEventKind, RunLog
from orchestration.environments import Environment
from orchestration.errors import (
    Blocked,
    StackFailed,
    UsageError,
)
from orchestration.wording import counted

# Layers that go down together, after those that stand on them.
LAYERS_DOWN = (("services",), ("dataflow",), ("director", "images"), ("foundation",))

# How the provider says that a bucket holds objects, and what a user can do about it.
IS_NOT_EMPTY = "`force_destroy`"
EMPTY_IT = (
    "delete its objects, or give its dataflow `lifecycle: {strategy: ephemeral}`; then run `up`"
    " and `destroy` again"
)

Waves = tuple[tuple[str, ...], ...]


class Destruction:
    """Takes the stacks of one environment down."""

    def __init__(
        self,
        environment: Environment,
        operations: StackOperations,
        log: RunLog,
        on_event: OnStackEvent,
    ) -> None:
        self._environment = environment
        self._operations = operations
        self._log = log
        self._on_event = on_event
        self._files = StackConfigFiles(environment.settings.stack_config_dir, environment.name)
        self._protected: dict[str, tuple[HeldResource, ...]] = {}

    @property
    def protected(self) -> Mapping[str, tuple[HeldResource, ...]]:
        """What was not deleted because it is protected, by the stack that still holds it."""
        return {stack: self._protected[stack] for stack in sorted(self._protected)}

    def waves(self, dataflow: str | None = None) -> Waves:
        """Give the stacks that exist, in groups that can go down side by side, in order.

        Args:
            dataflow: only what this one has; everything unless given.

        Raises:
            UsageError: there is no such dataflow.
            Blocked: another dataflow needs it.
        """
        held = self._operations.resource_counts(f"{self._environment.name}.")
        kept = self.kept()
        going = [stack for stack, count in held.items() if stack not in kept or not count]
        if dataflow is not None:
            going = [stack for stack in going if stack.split(".", 2)[2:] == [dataflow]]
            self._require_free(dataflow, held)
        return tuple(
            wave
            for layers in LAYERS_DOWN
            for wave in self._in_order([s for s in going if s.split(".")[1] in layers])
        )

    def will_keep(self, waves: Waves) -> Mapping[str, tuple[HeldResource, ...]]:
        """Say what is protected and will stay, by the stack that holds it.

        Raises:
            StackFailed: the backend refused.
        """
        stacks = [stack for wave in waves for stack in wave]
        found = {stack: _protected(self._operations.resources(stack)) for stack in stacks}
        return {stack: held for stack, held in found.items() if held}

    def _require_free(self, dataflow: str, held: Iterable[str]) -> None:
        known = sorted({stack.split(".", 2)[2] for stack in held if stack.count(".") > 1})
        if dataflow not in known:
            raise UsageError(
                f"environment {self._environment.name!r} has no dataflow {dataflow!r}"
                f" (it has: {', '.join(known) or 'none'})"
            )
        architecture = self._architecture()
        if architecture is None:
            return
        needs = (resource_needs(architecture), service_needs(architecture))
        needing = sorted(
            {
                name
                for graph in needs
                for name, needed in graph.items()
                if dataflow in needed and name != dataflow and name in known
            }
        )
        if needing:
            raise Blocked(
                f"dataflow {dataflow!r} is needed by {', '.join(needing)}",
                hint="destroy those first, or everything",
            )

    def kept(self) -> frozenset[str]:
        """Give the stacks that stay for as long as they hold anything."""
        architecture = self._architecture()
        if architecture is None:
            return frozenset()
        env = self._environment.name
        return frozenset(stack_name(env, "dataflow", name) for name in kept_dataflows(architecture))

    def run(self, waves: Waves) -> tuple[StackResult, ...]:
        """Destroy every stack, and remove those that hold nothing more.

        The first group with a failure is the last one.

        Raises:
            ConductorError: a stack was not destroyed; those after it still stand.
        """
        results: list[StackResult] = []
        for wave in waves:
            done = run_all({stack: partial(self._destroy, stack) for stack in wave})
            results.extend(done.results.values())
            done.raise_errors()
        if not self._operations.existing(f"{self._environment.name}."):
            self._environment.forget()
        return tuple(results)

    def _destroy(self, stack: str) -> StackResult:
        try:
            result = self._operations.destroy(stack, spares_protected=True, on_event=self._on_event)
        except StackFailed as error:
            if IS_NOT_EMPTY in error.message:
                error.hint = EMPTY_IT
            raise
        held = self._operations.resources(stack)
        if left := _protected(held):
            self._protected[stack] = left
        else:
            self._operations.remove(stack)
            self._files.remove(stack)
        self._log.emit(
            RunEventKind.STACK_FINISHED,
            stack=stack,
            summary=f"{counted(result.changed, 'resource')} deleted in {result.duration_s:.1f} s",
        )
        return result

    def _in_order(self, stacks: Sequence[str]) -> Waves:
        """Split one layer's stacks: what others need goes after them."""
        levels = self._levels(stacks[0].split(".")[1]) if stacks else ()
        placed = {name for level in levels for name in level}
        by_dataflow = {stack.split(".", 2)[-1]: stack for stack in stacks}
        # A dataflow that the architecture has no more is needed by nobody.
        waves = [[stack for name, stack in by_dataflow.items() if name not in placed]]
        waves += [
            [by_dataflow[name] for name in level if name in by_dataflow]
            for level in reversed(levels)
        ]
        return tuple(tuple(sorted(wave)) for wave in waves if wave)

    def _levels(self, layer: str) -> Waves:
        order = {"services": service_levels, "dataflow": resource_levels}.get(layer)
        architecture = self._architecture()
        # Without the file there is no order to keep; whatever holds on to another says so.
        return order(architecture) if order is not None and architecture is not None else ()

    def _architecture(self) -> Architecture | None:
        try:
            return load(self._environment.architecture_file).architecture
        except InvalidArchitecture:
            return None


def _protected(resources: Iterable[HeldResource]) -> tuple[HeldResource, ...]:
    return tuple(item for item in resources if item.is_custom and item.is_protected)
