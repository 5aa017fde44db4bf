"""Which resources must go, and come back, when one they need is deleted before its replacement."""

from __future__ import annotations

from rehearsal.engine.errors import DeploymentError
from rehearsal.engine.planner.deployment import Deployment
from rehearsal.engine.provider import UNKNOWN
from rehearsal.engine.state.states import ResourceState
from rehearsal.engine.state.steps import Op, Step


def protected_message(urn: str) -> str:
    """Say why a protected resource is not deleted, and what to do about it."""
    return (
        f'resource "{urn}" cannot be deleted\n'
        "because it is protected. To unprotect the resource, either remove the `protect` flag"
        " from the resource in your Pulumi program and run `pulumi up`, or use the command:\n"
        f"`pulumi state unprotect '{urn}'`"
    )


async def deletions_before(deployment: Deployment, old: ResourceState) -> list[Step]:
    """Plan the deletion of all that cannot live without a resource, and then of itself.

    Raises:
        DeploymentError: one of them is protected; whether it is itself has been asked before.
    """
    doomed = await _dependents(deployment, old)
    steps = []
    for state, keys in [*reversed(doomed), (old, ())]:
        if state.urn in deployment.deleted:
            continue
        if state.protect and state is not old:
            raise DeploymentError(protected_message(state.urn), state.urn)
        deployment.deleted[state.urn] = keys
        deployment.doomed.add(state.urn)
        steps.append(Step(Op.DELETE_REPLACED, old=state, makes_way=True))
    return steps


async def _dependents(
    deployment: Deployment, root: ResourceState
) -> list[tuple[ResourceState, tuple[str, ...]]]:
    """Walk the old resources forward and collect those that a replacement takes along."""
    base = deployment.recorder.base
    doomed = {root.urn}
    found: list[tuple[ResourceState, tuple[str, ...]]] = []
    for state in base[base.index(root) + 1 :]:
        if state.delete or not state.is_managed or state.urn in deployment.deleted:
            continue
        if state.provider_urn in doomed or state.deleted_with in doomed:
            doomed.add(state.urn)
            found.append((state, ()))
            continue
        touched = [
            key
            for key, depended in state.property_dependencies.items()
            if not doomed.isdisjoint(depended)
        ]
        if not touched:
            continue
        news = {**state.inputs, **{key: UNKNOWN for key in touched if key in state.inputs}}
        host = await deployment.hosts.of(state)
        diff = await host.diff(state, news, ())
        if diff.replaces:
            doomed.add(state.urn)
            found.append((state, diff.replaces))
    return found
