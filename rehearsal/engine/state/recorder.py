"""Keeps the checkpoint true while a deployment runs.

It is written before and after every step that changes something, so that a killed process leaves
on record what it was doing. What is finished comes first, in the order of finishing; then what of
the old state has not been dealt with yet. Resources finish before their dependents are
registered, so this order always is one in which they could be made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rehearsal.engine.errors import StateNotSavedError
from rehearsal.engine.state import states
from rehearsal.engine.state.checkpoint import PendingOperation, Snapshot
from rehearsal.engine.state.states import ResourceState
from rehearsal.engine.state.steps import PENDING_KINDS, REPLACEMENTS, Op, Step
from rehearsal.engine.values.property_values import plain_properties

_WITHOUT_RESULT = frozenset({Op.REPLACE, Op.REFRESH})


class Recorder:
    """The state of a stack during one operation."""

    def __init__(self, snapshot: Snapshot, save: Callable[[Snapshot], None] | None) -> None:
        """Start from the last checkpoint; without `save` (a preview) nothing is written."""
        self._before = snapshot
        self._save = save
        self._finished: list[ResourceState] = []
        self._settled: set[int] = set()
        self._pending: dict[int, PendingOperation] = {}
        self._renamed: dict[str, str] = {}
        self.base = list(snapshot.resources)
        self.leftover = list(snapshot.pending)

    def old(self, urn: str) -> ResourceState | None:
        """Return the resource that had a URN before this run."""
        return next((item for item in self.base if item.urn == urn and not item.delete), None)

    def is_in_doubt(self, urn: str) -> bool:
        """Say whether a run that died may have made the resource."""
        return any(item.kind == "creating" and item.resource.urn == urn for item in self.leftover)

    def remaining(self) -> list[ResourceState]:
        """Return what of the old state has not been dealt with yet."""
        return [item for item in self.base if id(item) not in self._settled]

    def rename(self, old_urn: str, new_urn: str) -> None:
        """Note that a resource is known under a new URN from now on."""
        self._renamed[old_urn] = new_urn

    def begin(self, step: Step) -> None:
        """Put a step on record before anything happens.

        Raises:
            StateNotSavedError: it could not be, here as wherever the record changes.
        """
        kind = PENDING_KINDS.get(step.op)
        if kind and step.subject.is_managed:
            self._pending[id(step)] = PendingOperation(step.subject, kind)
            try:
                self.write()
            except StateNotSavedError:
                # It will not begin.
                del self._pending[id(step)]
                raise

    def finish(self, step: Step) -> None:
        """Record a step's result."""
        was_pending = self._pending.pop(id(step), None) is not None
        old, new = step.old, step.new
        if old is not None and self._settles(step):
            self._settled.add(id(old))
        if old is not None and step.makes_way:
            # Only now: what could not be deleted is there, and is not made anew beside itself.
            old.pending_replacement = True
        if old is not None and step.op in REPLACEMENTS and not step.deleted_before:
            old.delete = True
        if new is not None and step.op not in _WITHOUT_RESULT:
            self._finished.append(new)
            # What is on record now is no longer in doubt.
            self.leftover = [item for item in self.leftover if item.resource.urn != new.urn]
        if was_pending or step.op not in {Op.SAME, Op.READ, Op.REPLACE} or _matters(old, new):
            self.write()

    def fail(
        self, step: Step, partial: ResourceState | None = None, *, is_in_doubt: bool = False
    ) -> None:
        """Take a failed step off the record, keeping what it may have made.

        A creation in doubt stays pending, as that of a run that died: the next one looks for it.
        """
        pending = self._pending.pop(id(step), None)
        if is_in_doubt and pending is not None:
            self.leftover.append(pending)
        if partial is not None:
            self._finished.append(partial)
            if step.old is not None and step.op is Op.UPDATE:
                self._settled.add(id(step.old))
            if step.old is not None and step.op in REPLACEMENTS:
                step.old.delete = True
        self.write()

    def rebuild(self, base: list[ResourceState], *, drop_creates: bool) -> None:
        """Take over a refreshed state."""
        self.base = base
        self.leftover = [
            item for item in self.leftover if item.kind == "creating" and not drop_creates
        ]

    def snapshot(self) -> Snapshot:
        """Compose the checkpoint as it stands."""
        resources = [item for item in self._finished if id(item) not in self._settled]
        resources += self.remaining()
        if self._renamed:
            resources = [_renamed(item, self._renamed) for item in resources]
        return Snapshot(
            salt=self._before.salt,
            resources=resources,
            pending=[*self.leftover, *self._pending.values()],
            metadata=self._before.metadata,
            manifest=self._before.manifest,
            secrets_providers=self._before.secrets_providers,
            extra=self._before.extra,
        )

    def write(self) -> None:
        """Write the checkpoint."""
        if self._save:
            self._save(self.snapshot())

    def close(self) -> None:
        """Write nothing more, whatever still ends: the stack is about to be somebody else's."""
        self._save = None

    @staticmethod
    def _settles(step: Step) -> bool:
        """Tell whether a step leaves nothing of its old resource to be dealt with."""
        if step.op in REPLACEMENTS:
            # Otherwise it is still there and waits for its deletion at the end.
            return step.old is not None and step.old.pending_replacement
        if step.op is Op.DELETE_REPLACED:
            # Deleted ahead of its replacement, it stays on record until that exists.
            return not step.makes_way
        return step.op not in _WITHOUT_RESULT


def _matters(old: ResourceState | None, new: ResourceState | None) -> bool:
    if old is None or new is None or new.aliases:
        return True
    return (
        sorted(old.required()) != sorted(new.required())
        or plain_properties(old.inputs) != plain_properties(new.inputs)
        or plain_properties(old.outputs) != plain_properties(new.outputs)
        or any(
            getattr(old, name) != getattr(new, name)
            for name in (
                "urn",
                "id",
                "parent",
                "provider",
                "protect",
                "retain_on_delete",
                "deleted_with",
                "additional_secret_outputs",
                "custom_timeouts",
                "ignore_changes",
            )
        )
    )


def _renamed(state: ResourceState, names: Mapping[str, str]) -> ResourceState:
    if names.keys().isdisjoint({state.urn, *state.required()}) and not state.aliases:
        return state
    copy = states.copy_of(state)
    copy.urn = names.get(state.urn, state.urn) if not state.delete else state.urn
    copy.aliases = []
    copy.parent = names.get(state.parent, state.parent)
    copy.deleted_with = names.get(state.deleted_with, state.deleted_with)
    copy.dependencies = [names.get(urn, urn) for urn in state.dependencies]
    copy.property_dependencies = {
        key: [names.get(urn, urn) for urn in depended]
        for key, depended in state.property_dependencies.items()
    }
    if state.provider and state.provider_urn in names:
        copy.provider = state.provider.replace(state.provider_urn, names[state.provider_urn], 1)
    return copy
