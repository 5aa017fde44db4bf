"""Brings services to what was asked of them: rollouts, traffic, restarts, the end.

One rollout a service at a time; services beside each other. A failed rollout leaves the old
revision serving, and a failed first one leaves the service without any.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.faults.injector import raise_operation_error
from rehearsal.cloud.local_cloud import LocalCloud
from rehearsal.cloud.run import conditions, templates
from rehearsal.cloud.run.containers import Containers
from rehearsal.cloud.run.images import ImageFiles
from rehearsal.cloud.run.proxy import Routing, ServiceProxy
from rehearsal.cloud.run.runner import Workshop
from rehearsal.cloud.run.services import Services
from rehearsal.cloud.run.site import Site
from rehearsal.cloud.run.traffic import shares_of
from rehearsal.cloud.run.watchdog import Watchdog

SERVICE_TYPE = "type.googleapis.com/google.cloud.run.v2.Service"

# Cloud Run lets an old instance finish its requests, within this bound.
_DRAIN_S = 10.0
_REASONS = {
    "NOT_FOUND": "CONTAINER_MISSING",
    "FAILED_PRECONDITION": "HEALTH_CHECK_CONTAINER_ERROR",
    "INTERNAL": "SECRETS_ACCESS_CHECK_FAILED",
}


class RunController:
    """Every Cloud Run service of one local cloud."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.services = Services(cloud)
        self._cloud = cloud
        folder = cloud.data_dir / "run"
        self._watchdog = Watchdog()
        images = ImageFiles(cloud.images, folder / "images")
        self._containers = Containers(cloud, self._watchdog)
        self._workshop = Workshop(cloud, images, self._containers, self._watchdog, folder)
        self._sites: dict[str, Site] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Open every service's URL; their processes start beside the requests.

        Raises:
            PortTaken: another process has a service's port.
        """
        await self._containers.remove_leftovers()
        for service in self.services.all():
            await self._open(service["name"], int(service["uri"].rsplit(":", 1)[1]))
        for service in self.services.all():
            if service.get("reconciling"):
                self._in_background(self._resume(service["name"]))
            elif service.get("latestReadyRevision"):
                self._in_background(self._restart(service["name"]))

    async def stop(self) -> None:
        """End every process and close every URL."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(self._close(name) for name in list(self._sites)))
        await self._containers.close()
        await self._watchdog.stop()

    async def create(self, service: JsonObject) -> JsonObject:
        """Keep a new service, give it its URL and begin its first rollout.

        Returns the operation.
        """
        name = service["name"]
        port = await self._open(name, 0)
        uri = f"http://127.0.0.1:{port}"
        return self.roll_out(service | {"uri": uri, "urls": [uri]})

    def roll_out(self, service: JsonObject) -> JsonObject:
        """Keep a service as it shall be and begin to bring it there; return the operation."""
        kept = self.services.save(service | conditions.service_pending())
        return self._cloud.operations.start(
            _location(service["name"]),
            self._roll_out(service["name"]),
            metadata={"@type": SERVICE_TYPE} | kept,
        )

    def delete(self, name: str) -> JsonObject:
        """End a service and forget it; return the operation."""
        service = self.services.get(name)

        async def work() -> JsonObject:
            async with self._sites[name].lock:
                await self._close(name)
            self.services.delete(name)
            self._cloud.iam.forget(name)
            return {"@type": SERVICE_TYPE} | service | {"deleteTime": conditions.now()}

        metadata = {"@type": SERVICE_TYPE} | service
        return self._cloud.operations.start(_location(name), work(), metadata=metadata)

    def running(self) -> list[JsonObject]:
        """Return what runs now, for whoever asks what is left on this machine."""
        return [
            {
                "name": name,
                "uri": f"http://127.0.0.1:{site.proxy.port}",
                "revision": site.main.names.revision if site.main else None,
                "pid": site.main.pid if site.main else None,
            }
            for name, site in sorted(self._sites.items())
        ]

    def log_of(self, service_id: str) -> Path | None:
        """Return the log of a service's latest revision, by the service's short name."""
        for service in self.services.all():
            latest = service.get("latestCreatedRevision")
            if latest and service["name"].rsplit("/", 1)[-1] == service_id:
                return self._workshop.log_of(service_id, latest.rsplit("/", 1)[-1])
        return None

    async def _roll_out(self, name: str) -> JsonObject:
        # Stopping interrupts it; `start` resumes it in the next life.
        self._keep(asyncio.current_task())
        async with self._sites[name].lock:
            service = self.services.get(name)
            generation = {"observedGeneration": service["generation"]}
            try:
                if not self._is_current(service):
                    await self._replace_revision(name, service)
                await self._shift_traffic(name, service["traffic"])
            except ApiError as error:
                reason = _REASONS.get(error.status, "")
                failed = conditions.service_failed(error.message, reason)
                self.services.record(name, generation | failed)
                raise
            ready = self.services.record(name, generation | conditions.service_ready())
            return {"@type": SERVICE_TYPE} | ready

    def _is_current(self, service: JsonObject) -> bool:
        """Return whether the latest revision serves and is what the template describes."""
        latest = service.get("latestCreatedRevision")
        if not latest or latest != service.get("latestReadyRevision"):
            return False
        template = self.services.template(latest)
        return template is not None and templates.is_same(template, service["template"])

    async def _replace_revision(self, name: str, service: JsonObject) -> None:
        revision = self.services.new_revision(service)["name"]
        self.services.record(name, {"latestCreatedRevision": revision})
        try:
            raise_operation_error()
            await self._start_revision(name, revision)
        except ApiError as error:
            reason = _REASONS.get(error.status, "")
            failed = conditions.revision_failed(error.message, reason)
            self.services.settle_revision(revision, failed)
            raise
        self.services.settle_revision(revision, conditions.revision_ready())
        self.services.record(name, {"latestReadyRevision": revision})

    async def _start_revision(self, name: str, revision: str) -> None:
        template = self.services.template(revision)
        assert template is not None
        await self._sites[name].run(self._workshop, revision, template)

    async def _shift_traffic(self, name: str, traffic: Sequence[JsonObject]) -> None:
        """Start what shall have traffic; once all of it serves, shift, and end the others."""
        shares = shares_of(traffic, self.services.get(name)["latestReadyRevision"])
        for revision in shares:
            await self._start_revision(name, revision)
        for idle in self._sites[name].shift(shares):
            self._in_background(idle.drain(_DRAIN_S))
        self.services.record(name, {"trafficStatuses": list(traffic)})

    async def _restart(self, name: str) -> None:
        """Start what served before the local cloud was restarted."""
        service = self.services.get(name)
        async with self._sites[name].lock:
            try:
                await self._shift_traffic(
                    name, service.get("trafficStatuses") or service["traffic"]
                )
            except ApiError as error:
                reason = _REASONS.get(error.status, "")
                self.services.record(name, conditions.service_failed(error.message, reason))

    async def _resume(self, name: str) -> None:
        """Finish a rollout that a restart of the local cloud interrupted."""
        try:
            await self._roll_out(name)
        except ApiError:
            # The service tells; nobody waits for the operation any more.
            if self.services.get(name).get("latestReadyRevision"):
                await self._restart(name)

    async def _open(self, name: str, port: int) -> int:
        proxy = ServiceProxy(self._cloud, name, lambda: self._routing(name))
        await proxy.start(port)
        self._sites[name] = Site(proxy)
        return proxy.port

    async def _close(self, name: str) -> None:
        await self._sites.pop(name).close()

    def _routing(self, name: str) -> Routing:
        service = self.services.get(name)
        return Routing(
            runner=self._sites[name].choose(),
            audiences=(*service["urls"], *(service.get("customAudiences") or ())),
            timeout_s=float(service["template"]["timeout"].removesuffix("s")),
            is_open=bool(service.get("invokerIamDisabled")),
        )

    def _in_background(self, work: Coroutine[object, object, object]) -> None:
        self._keep(asyncio.create_task(work))

    def _keep(self, task: asyncio.Task[Any] | None) -> None:
        """Remember a task until it is done, for `stop` to end it."""
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _location(name: str) -> str:
    return name.rsplit("/services/", 1)[0]
