"""Finds what a run made and, being killed, could not record.

A real engine leaves such creations as pending operations for a person to clear. Here the provider
can say which id a resource will have, so it can be looked for.
"""

from __future__ import annotations

from dataclasses import replace

from rehearsal.engine import clock
from rehearsal.engine.errors import DeploymentError
from rehearsal.engine.planner.deployment import Deployment
from rehearsal.engine.plugins.hosting import Host
from rehearsal.engine.provider import ProviderError
from rehearsal.engine.state.states import ResourceState
from rehearsal.engine.values.property_values import plain_properties


async def find_existing(host: Host, wanted: ResourceState) -> ResourceState | None:
    """Look for a resource under the id that it would get; None when it is not there."""
    _, foreseen = await host.create(wanted, preview=True)
    known = plain_properties(foreseen).get("id")
    if not isinstance(known, str):
        return None
    probe = replace(wanted, id=known, outputs={})
    found = await host.read(probe)
    if found is None or not found[0]:
        return None
    return replace(probe, id=found[0], outputs=found[1], inputs=found[2])


async def take_over_in_doubt(deployment: Deployment) -> None:
    """Put creations that are in doubt, and have happened, on record; the others stay in doubt."""
    recorder = deployment.recorder
    for item in list(recorder.leftover):
        wanted = item.resource
        if item.kind != "creating" or wanted.is_provider or not wanted.custom:
            continue
        if recorder.old(wanted.urn) is None:
            try:
                existing = await find_existing(await deployment.hosts.of(wanted), wanted)
            except (ProviderError, DeploymentError):
                # Its provider is not on record, or cannot tell: it stays in doubt.
                continue
            if existing is None:
                continue
            existing.created = existing.modified = clock.rfc3339()
            recorder.base.append(existing)
        recorder.leftover.remove(item)
