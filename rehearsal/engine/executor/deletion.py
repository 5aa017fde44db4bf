"""Deletes what the program no longer asks for, dependents before what they depend on."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence

from rehearsal.engine.errors import DeploymentError
from rehearsal.engine.executor.executor import Executor
from rehearsal.engine.planner.deployment import Deployment
from rehearsal.engine.state import states
from rehearsal.engine.state.states import ResourceState
from rehearsal.engine.state.steps import Op, Step


async def delete_unwanted(
    deployment: Deployment, executor: Executor, wanted: Collection[str]
) -> None:
    """Delete every remaining resource that is not wanted any more.

    Args:
        deployment: the operation.
        executor: runs the steps.
        wanted: the URNs that were registered in this run.
    """
    candidates = [
        state
        for state in reversed(deployment.recorder.remaining())
        if state.delete or state.urn not in wanted
    ]
    candidates = _selected(deployment, candidates)
    deployment.doomed.update(state.urn for state in candidates)
    for batch in _batches(candidates, deployment.recorder.base):
        runnable = [state for state in batch if not _is_needed(deployment, state)]
        await asyncio.gather(*(executor.run([_deletion(state)]) for state in runnable))
        if deployment.progress.stopping.is_set():
            return


async def destroy(deployment: Deployment, executor: Executor) -> None:
    """Delete everything, or what the targets allow; what they spare is told of as it is."""
    await delete_unwanted(deployment, executor, ())
    await executor.drain()
    if not deployment.targets.restricts:
        return
    for spared in deployment.recorder.remaining():
        if deployment.progress.stopping.is_set() or spared.urn in deployment.doomed:
            continue
        kept = states.copy_of(spared)
        # As any step of its kind it gets the id when it is done.
        kept.id = ""
        await executor.run([Step(Op.SAME, old=spared, new=kept)])


def _deletion(state: ResourceState) -> Step:
    if state.pending_replacement:
        return Step(Op.REMOVE_PENDING_REPLACE, old=state)
    if state.delete:
        return Step(Op.DISCARD_REPLACED if state.external else Op.DELETE_REPLACED, old=state)
    return Step(Op.DISCARD if state.external else Op.DELETE, old=state)


def _selected(deployment: Deployment, candidates: list[ResourceState]) -> list[ResourceState]:
    """Keep the candidates that the targets allow to delete.

    Raises:
        DeploymentError: one would go whose dependent is to stay.
    """
    targets = deployment.targets
    if not targets.restricts:
        return candidates
    if targets.targets:
        chosen = [state for state in candidates if targets.is_named(state.urn)]
        doomed = {state.urn for state in chosen}
        for state in reversed(candidates):
            if state.urn in doomed or doomed.isdisjoint(state.required()):
                continue
            if not targets.with_dependents:
                deployment.progress.step_failed = True
                raise DeploymentError(
                    f"Resource '{state.urn}' will be destroyed but was not specified in --target"
                    " list.\nEither include resource in --target list or pass --target-dependents"
                    " to proceed."
                )
            chosen.append(state)
            doomed.add(state.urn)
        return [state for state in candidates if state.urn in doomed]
    return _not_excluded(deployment, candidates)


def _not_excluded(
    deployment: Deployment, candidates: Sequence[ResourceState]
) -> list[ResourceState]:
    """Spare the excluded resources and everything they need."""
    spared: set[str] = set()
    kept = []
    for state in candidates:
        excluded = not deployment.targets.allows(state.urn, state.required())
        if excluded or state.urn in spared:
            spared.add(state.urn)
            spared.update(state.required())
        else:
            kept.append(state)
    return kept


def _is_needed(deployment: Deployment, state: ResourceState) -> bool:
    """Tell whether something that could not be deleted still needs a resource."""
    failed = deployment.failed_urns
    if not failed:
        return False
    by_urn: Mapping[str, ResourceState] = {item.urn: item for item in deployment.recorder.base}
    needed: set[str] = set()
    _collect((by_urn[urn] for urn in failed if urn in by_urn), by_urn, needed)
    return state.urn in needed


def _collect(
    roots: Iterable[ResourceState], by_urn: Mapping[str, ResourceState], found: set[str]
) -> None:
    for root in roots:
        for required in root.required():
            if required not in found:
                found.add(required)
                if required in by_urn:
                    _collect([by_urn[required]], by_urn, found)


def _batches(
    candidates: Sequence[ResourceState], base: Sequence[ResourceState]
) -> list[list[ResourceState]]:
    """Group candidates so that each group needs nothing of a later one, most dependent first.

    A resource's depth is the length of the longest chain of candidates it stands on; `base` is in
    the order of creation, so one pass over it sees what is needed before what needs it.
    """
    doomed = {id(state) for state in candidates}
    depth_of: dict[str, int] = {}
    batches: dict[int, list[ResourceState]] = {}
    order = {id(state): at for at, state in enumerate(candidates)}
    for state in base:
        below = max((depth_of.get(required, 0) for required in state.required()), default=0)
        depth = below + 1 if id(state) in doomed else below
        depth_of[state.urn] = max(depth, depth_of.get(state.urn, 0))
        if id(state) in doomed:
            batches.setdefault(depth, []).append(state)
    return [
        sorted(batches[depth], key=lambda state: order[id(state)])
        for depth in sorted(batches, reverse=True)
    ]
