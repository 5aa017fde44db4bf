"""Every Cloud Run service of a local cloud: when each is opened, rolled out, restarted and ended.

One rollout a service at a time; services beside each other. What a rollout does is `rollout`'s
matter.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import ApiError, aborted
from rehearsal.cloud.local_cloud import LocalCloud
from rehearsal.cloud.run import conditions
from rehearsal.cloud.run.capacity import Capacity
from rehearsal.cloud.run.containers import Containers
from rehearsal.cloud.run.images import ImageFiles
from rehearsal.cloud.run.instance import Workshop
from rehearsal.cloud.run.logs import Logs
from rehearsal.cloud.run.rollout import Rollout
from rehearsal.cloud.run.services import Services
from rehearsal.cloud.run.site import Settings, Site
from rehearsal.cloud.run.watchdog import Watchdog

SERVICE_TYPE = "type.googleapis.com/google.cloud.run.v2.Service"
REVISION_TYPE = "type.googleapis.com/google.cloud.run.v2.Revision"

# Cloud Run lets an old instance finish its requests, within this bound.
_DRAIN_S = 10.0


class RunController:
    """Every Cloud Run service of one local cloud."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.services = Services(cloud)
        self.logs = Logs(cloud.data_dir / "run" / "logs")
        self._cloud = cloud
        folder = cloud.data_dir / "run"
        self._watchdog = Watchdog()
        images = ImageFiles(cloud.images, folder / "images")
        self._containers = Containers(cloud, self._watchdog)
        self._workshop = Workshop(
            cloud,
            images,
            self._containers,
            self._watchdog,
            Capacity.of_machine(),
            self.logs,
            folder,
        )
        self._sites: dict[str, Site] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Open every service's URL; their instances start beside the requests.

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
        """End every instance and close every URL."""
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

    def roll_out(self, service: JsonObject, *, is_forced: bool = False) -> JsonObject:
        """Keep a service as it shall be and begin to bring it there; return the operation.

        Args:
            service: The service as it shall be.
            is_forced: Whether it gets a new revision although its template is the same.
        """
        kept = self.services.save(service | conditions.service_pending())
        if is_forced:
            self.services.force_new_revision(service["name"])
        return self._cloud.operations.start(
            _location(service["name"]),
            self._roll_out(service["name"]),
            metadata={"@type": SERVICE_TYPE} | kept,
        )

    def delete(self, name: str) -> JsonObject:
        """End a service and forget it; return the operation."""
        service = self.services.get(name)

        async def work() -> JsonObject:
            site = self._sites.get(name)
            if site is None:
                raise _deleted(name)
            async with site.lock:
                if self._sites.get(name) is not site:
                    raise _deleted(name)
                await self._close(name)
                self.services.delete(name)
            self._cloud.iam.forget(name)
            return {"@type": SERVICE_TYPE} | service | {"deleteTime": conditions.now()}

        metadata = {"@type": SERVICE_TYPE} | service
        return self._cloud.operations.start(_location(name), work(), metadata=metadata)

    def delete_revision(self, revision: JsonObject) -> JsonObject:
        """Forget a revision that nothing leads to; return the operation."""
        self.services.delete_revision(revision["name"])
        deleted = {"@type": REVISION_TYPE} | revision | {"deleteTime": conditions.now()}
        return self._cloud.operations.finished(
            _location(revision["name"]), deleted, metadata={"@type": REVISION_TYPE} | revision
        )

    def running(self) -> list[JsonObject]:
        """Return what runs now, for whoever asks what is left on this machine."""
        return [_described(name, site) for name, site in sorted(self._sites.items())]

    async def _roll_out(self, name: str) -> JsonObject:
        # Stopping interrupts it; `start` resumes it in the next life.
        self._keep(asyncio.current_task())
        site = self._sites.get(name)
        if site is None:
            raise _deleted(name)
        async with site.lock:
            if self._sites.get(name) is not site:
                raise _deleted(name)
            service, idle = await Rollout(self.services, site, name).run()
        for fleet in idle:
            self._in_background(fleet.drain(_DRAIN_S))
        return {"@type": SERVICE_TYPE} | service

    async def _restart(self, name: str) -> None:
        """Start what served before the local cloud was restarted."""
        site = self._sites[name]
        async with site.lock:
            await Rollout(self.services, site, name).resume()

    async def _resume(self, name: str) -> None:
        """Finish a rollout that a restart of the local cloud interrupted."""
        if self.services.get(name).get("latestReadyRevision"):
            await self._restart(name)
        try:
            await self._roll_out(name)
        except ApiError:
            # The service tells; nobody waits for the operation any more.
            return

    async def _open(self, name: str, port: int) -> int:
        site = Site(self._cloud, self._workshop, name, lambda: self._settings(name))
        await site.open(port)
        self._sites[name] = site
        return site.port

    async def _close(self, name: str) -> None:
        await self._sites.pop(name).close()

    def _settings(self, name: str) -> Settings:
        service = self.services.get(name)
        return Settings(
            audiences=(*service["urls"], *(service.get("customAudiences") or ())),
            is_open=bool(service.get("invokerIamDisabled")),
            is_reachable=service["ingress"] != "INGRESS_TRAFFIC_NONE"
            and not service.get("defaultUriDisabled"),
        )

    def _in_background(self, work: Coroutine[object, object, object]) -> None:
        self._keep(asyncio.create_task(work))

    def _keep(self, task: asyncio.Task[Any] | None) -> None:
        """Remember a task until it is done, for `stop` to end it."""
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _described(name: str, site: Site) -> JsonObject:
    main = site.main
    instances = [
        {
            "revision": fleet.names.revision,
            "instance": instance.id,
            "pid": instance.pid,
            "requests": instance.in_flight,
        }
        for fleet in site.fleets
        for instance in fleet.instances
    ]
    return {
        "name": name,
        "uri": f"http://127.0.0.1:{site.port}",
        "revision": main.names.revision if main else None,
        "pid": main.instances[0].pid if main and main.instances else None,
        "instances": instances,
    }


def _deleted(name: str) -> ApiError:
    return aborted(f"Service '{name.rsplit('/', 1)[-1]}' was deleted meanwhile.")


def _location(name: str) -> str:
    return name.rsplit("/services/", 1)[0]
