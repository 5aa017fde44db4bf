"""Reads every resource anew and takes over what it finds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rehearsal.engine import clock
from rehearsal.engine.errors import DeploymentError
from rehearsal.engine.executor.recovery import take_over_in_doubt
from rehearsal.engine.planner.deployment import Deployment
from rehearsal.engine.provider import DiffResult, ProviderError
from rehearsal.engine.state import states
from rehearsal.engine.state.states import ResourceState
from rehearsal.engine.state.steps import Op, Step
from rehearsal.engine.values.property_values import plain_properties


async def refresh(
    deployment: Deployment, *, counted: bool, drop_pending_creates: bool = False
) -> None:
    """Bring the recorded state in line with the world; nothing outside is changed.

    Args:
        deployment: the operation; its recorder gets the new state.
        counted: the summary counts what was found (an `up --refresh` does not).
        drop_pending_creates: forget creations that a crash left in doubt.
    """
    await take_over_in_doubt(deployment)
    refresher = _Refresher(deployment, counted=counted)
    base = deployment.recorder.base
    outcome = await asyncio.gather(*(refresher.refresh(state) for state in base))
    survivors = [state for state in outcome if state is not None]
    deployment.recorder.rebuild(_mended(survivors, base), drop_creates=drop_pending_creates)
    deployment.recorder.write()


class _Refresher:
    def __init__(self, deployment: Deployment, *, counted: bool) -> None:
        self._deployment = deployment
        self._counted = counted
        self._slots = asyncio.Semaphore(deployment.parallel)

    async def refresh(self, old: ResourceState) -> ResourceState | None:
        """Read one resource; return its new state, or None when it is gone."""
        deployment = self._deployment
        if old.pending_replacement or not deployment.targets.allows(old.urn, old.required()):
            return old
        async with self._slots:
            if deployment.progress.stopping.is_set():
                return old
            new = states.copy_of(old)
            step = Step(Op.REFRESH, old=old, new=new)
            deployment.events.step_started(step)
            if not old.custom or old.is_provider:
                step.refreshed_as = Op.SAME
            else:
                try:
                    await self._read(step, old, new)
                except (ProviderError, DeploymentError) as error:
                    deployment.events.failure([str(error)], step)
                    deployment.progress.step_failed = True
                    deployment.progress.fail(stop=False)
                    return old
        if not self._counted:
            # Part of an update it is told of as what it is, not as what it found.
            step.refreshed_as = None
        elif not step.is_internal and step.refreshed_as:
            deployment.events.count(step.refreshed_as)
        deployment.events.step_finished(step)
        return step.new

    async def _read(self, step: Step, old: ResourceState, new: ResourceState) -> None:
        host = await self._deployment.hosts.of(old)
        found = await host.read(old)
        if found is None or not found[0]:
            step.refreshed_as, step.new = Op.DELETE, None
            return
        new.id, new.outputs, new.inputs = found
        changed = plain_properties(old.outputs) != plain_properties(new.outputs)
        if changed or plain_properties(old.inputs) != plain_properties(new.inputs):
            new.modified = clock.rfc3339()
        if old.external:
            step.refreshed_as = Op.UPDATE if changed else Op.SAME
            return
        # Seen from what is recorded: the change that happened, not the one that would undo it.
        diff: DiffResult = await host.diff(new, old.inputs, ())
        step.refreshed_as = Op.UPDATE if diff.changes else Op.SAME
        step.diffs = diff.diffs
        step.detailed = diff.detailed


def _mended(
    survivors: Sequence[ResourceState], base: Sequence[ResourceState]
) -> list[ResourceState]:
    """Drop references to what is gone; orphans move up to the nearest ancestor left."""
    left = {state.urn for state in survivors}
    parents = {state.urn: state.parent for state in base}
    for state in survivors:
        while state.parent and state.parent not in left:
            state.parent = parents.get(state.parent, "")
        state.dependencies = [urn for urn in state.dependencies if urn in left]
        mended = {
            key: [urn for urn in depended if urn in left]
            for key, depended in state.property_dependencies.items()
        }
        state.property_dependencies = {
            key: depended for key, depended in mended.items() if depended
        }
        if state.deleted_with not in left:
            state.deleted_with = ""
    return list(survivors)
