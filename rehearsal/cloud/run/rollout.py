"""Brings one service to what was asked of it: a revision that proves ready, then the traffic.

A failed rollout leaves the old revisions serving, and a failed first one leaves the service
without any. When rollouts happen is `controller`'s matter.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Final

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.faults.injector import operation_fault
from rehearsal.cloud.run import conditions, failures, templates
from rehearsal.cloud.run.fleet import Fleet
from rehearsal.cloud.run.scaling import Scaling, is_manual, scaling_of
from rehearsal.cloud.run.services import Services
from rehearsal.cloud.run.site import Site
from rehearsal.cloud.run.traffic import Routes, follows_latest, routes_of

SCALE_TO_ZERO_SETTING: Final = "CONDUCTOR_CLOUD_SCALE_TO_ZERO"


class Rollout:
    """Works on one service; the caller holds its site's lock."""

    def __init__(self, services: Services, site: Site, name: str) -> None:
        self._services = services
        self._site = site
        self._name = name

    async def run(self) -> tuple[JsonObject, Sequence[Fleet]]:
        """Make the service what its record says.

        Returns the service as it now is, and the revisions without traffic, to be ended.

        Raises:
            ApiError: the new revision does not start, or one that shall have traffic does not.
        """
        service = self._services.get(self._name)
        try:
            if not self._is_current(service):
                await self._replace_revision(service)
            idle = await self._shift_traffic(service["traffic"])
        except ApiError as error:
            failed = conditions.service_failed(
                error.message,
                failures.cause_of(error),
                is_routed=not follows_latest(service["traffic"]),
            )
            self._settle(service, failed)
            raise
        self._services.record(self._name, {"observedGeneration": service["generation"]})
        return self._settle(service, conditions.service_ready()), idle

    def _settle(self, service: JsonObject, status: JsonObject) -> JsonObject:
        """Record how it ended, unless the service has been asked for something else meanwhile."""
        now = self._services.get(self._name)
        is_superseded = now["generation"] != service["generation"]
        return now if is_superseded else self._services.record(self._name, status)

    async def resume(self) -> None:
        """Have what served before the local cloud was restarted serve again."""
        service = self._services.get(self._name)
        routes = routes_of(
            service.get("trafficStatuses") or service["traffic"], service["latestReadyRevision"]
        )
        for revision in routes.revisions:
            await self._set_to_work(revision, routes, is_checked=False)
        await self._site.open_tags(self._services.tag_ports(self._name))
        self._site.shift(routes)
        self._resize()

    def _is_current(self, service: JsonObject) -> bool:
        """Return whether the latest revision serves and is what the template describes."""
        latest = service.get("latestCreatedRevision")
        if not latest or latest != service.get("latestReadyRevision"):
            return False
        named = service["template"].get("revision") or latest.rpartition("/")[2]
        is_other = not latest.endswith(f"/{named}")
        if is_other or self._services.is_new_revision_forced(self._name):
            return False
        template = self._services.template(latest)
        return template is not None and templates.is_same(template, service["template"])

    async def _replace_revision(self, service: JsonObject) -> None:
        revision = self._services.new_revision(service)["name"]
        self._services.record(self._name, {"latestCreatedRevision": revision})
        is_checked = _is_checked(service)
        began_at_s = time.monotonic()
        try:
            fault = operation_fault().error
            if fault is not None:
                raise failures.injected(revision.rsplit("/", 1)[-1], fault)
            routes = routes_of(service["traffic"], revision)
            await self._set_to_work(revision, routes, is_checked=is_checked)
        except ApiError as error:
            why, cause = failures.why(error), failures.cause_of(error)
            self._services.settle_revision(revision, conditions.revision_failed(why, cause))
            raise
        took_s = time.monotonic() - began_at_s
        ready = conditions.revision_ready(took_s, is_checked=is_checked)
        self._services.settle_revision(revision, ready)
        self._services.record(self._name, {"latestReadyRevision": revision})

    async def _shift_traffic(self, traffic: Sequence[JsonObject]) -> Sequence[Fleet]:
        """Set to work what shall be reached; once all of it serves, shift."""
        routes = routes_of(traffic, self._services.get(self._name)["latestReadyRevision"])
        for revision in routes.revisions:
            await self._set_to_work(
                revision, routes, is_checked=_is_checked(self._services.get(self._name))
            )
        known = self._services.tag_ports(self._name)
        await self._site.open_tags({tag: known.get(tag, 0) for tag in routes.tags})
        ports = self._site.tag_ports
        self._services.keep_tag_ports(self._name, ports)
        idle = self._site.shift(routes)
        self._resize()
        for revision in self._services.names_of_revisions(self._name):
            is_serving = revision in routes.revisions
            self._services.set_condition(revision, conditions.active(is_serving=is_serving))
        statuses = [
            target
            | ({"uri": f"http://127.0.0.1:{ports[target['tag']]}"} if "tag" in target else {})
            for target in traffic
        ]
        self._services.record(self._name, {"trafficStatuses": statuses})
        return idle

    async def _set_to_work(self, revision: str, routes: Routes, *, is_checked: bool) -> None:
        template = self._services.template(revision)
        assert template is not None
        scaling = self._scaling(revision, routes.shares.get(revision, 0))
        await self._site.run(
            revision, template, scaling, self._telling(revision), is_checked=is_checked
        )

    def _resize(self) -> None:
        self._site.resize(self._scaling)
        for revision in self._services.names_of_revisions(self._name):
            if self._site.has(revision):
                self._services.set_promised(revision, self._site.promised(revision))

    def _scaling(self, revision: str, percent: int) -> Scaling:
        template = self._services.template(revision)
        assert template is not None
        is_kept_warm = percent > 0 and not os.environ.get(SCALE_TO_ZERO_SETTING)
        service = self._services.get(self._name)
        return scaling_of(service, template, percent, is_kept_warm=is_kept_warm)

    def _telling(self, revision: str) -> Callable[[JsonObject], None]:
        return lambda condition: self._services.set_condition(revision, condition)


def _is_checked(service: JsonObject) -> bool:
    """Return whether an instance must prove healthy before a revision gets traffic."""
    scaling: JsonObject = service.get("scaling") or {}
    is_off = is_manual(scaling) and not scaling.get("manualInstanceCount")
    return not is_off and not service["template"].get("healthCheckDisabled")
