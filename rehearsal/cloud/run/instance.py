"""One instance of a revision: its process or container, its metadata server, its probes.

How many instances there are, and who replaces one that has ended, is `fleet`'s matter.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.local_cloud import LocalCloud
from rehearsal.cloud.metadata import server as metadata
from rehearsal.cloud.run import failures
from rehearsal.cloud.run.capacity import Capacity
from rehearsal.cloud.run.containers import Containers, ServiceContainer
from rehearsal.cloud.run.environment import (
    Identity,
    RevisionNames,
    container_surroundings,
    environment_of,
    process_surroundings,
    resolved_variables,
)
from rehearsal.cloud.run.images import ContainerImage, ImageFiles, Program
from rehearsal.cloud.run.logs import InstanceOutput, Logs, RevisionLog
from rehearsal.cloud.run.probes import Probe, StartupProbe, repeated
from rehearsal.cloud.run.processes import ServiceProcess, free_port, is_taken
from rehearsal.cloud.run.templates import container_of
from rehearsal.cloud.run.watchdog import Watchdog
from rehearsal.cloud.uninterrupted import uninterrupted
from rehearsal.docker_engine import DockerError

_PORT_ATTEMPTS: Final = 3
# What the end of an instance's log tells in the error of a rollout.
_TOLD_LINES: Final = 20


@dataclass(frozen=True, slots=True)
class Workshop:
    """What all instances of a local cloud run with."""

    cloud: LocalCloud
    images: ImageFiles
    containers: Containers
    watchdog: Watchdog
    capacity: Capacity
    logs: Logs
    folder: Path


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What every instance of one revision is made of.

    Attributes:
        names: The service and the revision.
        region: Where the service is.
        template: The revision's template, with its defaults.
        log: The revision's log.
        pubsub_port: Where Pub/Sub knows the revision's account.
    """

    names: RevisionNames
    region: str
    template: JsonObject
    log: RevisionLog
    pubsub_port: int


class Instance:
    """One instance, from its start to its end."""

    def __init__(self, workshop: Workshop, blueprint: Blueprint) -> None:
        self._shop = workshop
        self._blueprint = blueprint
        template = blueprint.template
        instance_id = secrets.token_hex(32)
        self.id = instance_id[:8]
        self.in_flight = 0
        self.idle_since_s = time.monotonic()
        self.is_leaving = False
        self.is_willing = True
        who = metadata.Instance(instance_id, blueprint.region, template["serviceAccount"])
        self._metadata = metadata.MetadataServer(workshop.cloud, who)
        self._process: ServiceProcess | ServiceContainer | None = None
        self._stopping = asyncio.Lock()
        self._probing: list[asyncio.Task[None]] = []

    @property
    def pid(self) -> int | None:
        """Return the id of its process, or None while there is none."""
        return self._process.pid if self._process is not None else None

    @property
    def port(self) -> int:
        """Return where it listens."""
        assert self._process is not None
        return self._process.port

    def has_room(self, concurrency: int) -> bool:
        """Return whether it takes one more request."""
        assert self._process is not None
        is_there = self.is_willing and not self.is_leaving and not self._process.has_ended()
        return is_there and self.in_flight < concurrency

    async def start(self) -> None:
        """Start it and return once it serves.

        Raises:
            ApiError: its image or a secret is missing, or it does not listen in time.
        """
        try:
            await self._metadata.start()
            await self._start_process()
        except BaseException:
            await self.stop()
            raise
        container = container_of(self._blueprint.template)
        if body := container.get("livenessProbe"):
            self._probing.append(asyncio.create_task(self._keep_alive(Probe.of(body))))
        if body := container.get("readinessProbe"):
            self._probing.append(asyncio.create_task(self._keep_willing(Probe.of(body))))

    async def ended(self) -> str:
        """Wait until it ends, whoever ends it; return how, in the words of Cloud Run's log."""
        assert self._process is not None
        code = await self._process.wait()
        return (
            f"Container called exit({code})."
            if code >= 0
            else f"Container terminated on signal {signal.Signals(-code).value}."
        )

    async def stop(self) -> None:
        """End the process and what belongs to it, even when cancelled meanwhile."""
        await uninterrupted(self._stop())

    async def _stop(self) -> None:
        # One that is sent away is also seen to end: both stop it.
        async with self._stopping:
            for probing in self._probing:
                probing.cancel()
            await asyncio.gather(*self._probing, return_exceptions=True)
            if self._process is not None:
                await self._process.stop()
            await self._metadata.stop()

    async def _start_process(self) -> None:
        template, revision = self._blueprint.template, self._blueprint.names.revision
        container = container_of(template)
        program = await self._shop.images.program(container, revision)
        variables = await resolved_variables(self._shop.cloud, template, revision)
        startup = StartupProbe.of(template)
        for _ in range(_PORT_ATTEMPTS):
            port = free_port()
            process = await self._spawn(program, variables, port)
            self._process = process
            if await startup.wait(port, process.has_ended):
                return
            has_ended = process.has_ended()
            await process.stop()
            self._process = None
            if has_ended:
                self._say(f"Container called exit({await process.wait()}).")
            if not is_taken(port):
                break
            # A stranger took the port between our choice and the process's own attempt.
        raise self._did_not_start(startup.probe, has_ended=has_ended)

    def _did_not_start(self, probe: Probe, *, has_ended: bool) -> ApiError:
        container = container_of(self._blueprint.template)
        if not has_ended:
            default = "Default " if probe.is_default else ""
            self._say(
                f"{default}STARTUP {probe.kind} probe failed {probe.failures} "
                f"time{'s' if probe.failures > 1 else ''} consecutively for "
                f"{probe.described(container)}. The instance was not started."
            )
        log = self._blueprint.log
        last = [line.text for line in log.lines(self.id)][-_TOLD_LINES:]
        details = "\n".join(["", "", f"Logs: {log.path}", *last])
        revision = self._blueprint.names.revision
        if has_ended or probe.is_default:
            return failures.not_listening(revision, container, details)
        return failures.probe_failed(revision, details)

    async def _spawn(
        self, program: Program | ContainerImage, variables: dict[str, str], port: int
    ) -> ServiceProcess | ServiceContainer:
        names = self._blueprint.names
        output = InstanceOutput(self._blueprint.log, self.id)
        try:
            if isinstance(program, ContainerImage):
                return await self._shop.containers.start(
                    program,
                    service=names.service,
                    port=port,
                    environment=self._environment(container_surroundings(), variables, port),
                    output=output,
                )
            home = self._shop.folder / "homes" / names.service
            home.mkdir(parents=True, exist_ok=True)
            return await ServiceProcess.start(
                program,
                port=port,
                environment=self._environment(process_surroundings(program, home), variables, port),
                output=output,
                watchdog=self._shop.watchdog,
            )
        except (OSError, DockerError) as error:
            container = container_of(self._blueprint.template)
            details = f" Starting it failed: {error}"
            raise failures.not_listening(names.revision, container, details) from error

    def _environment(
        self, surroundings: dict[str, str], variables: dict[str, str], port: int
    ) -> dict[str, str]:
        return environment_of(
            self._shop.cloud,
            surroundings,
            variables,
            self._blueprint.names,
            Identity(self._metadata.address, self._blueprint.pubsub_port),
            port=port,
        )

    async def _keep_alive(self, probe: Probe) -> None:
        """End the instance when its liveness probe fails too often."""
        failed = 0
        async with contextlib.aclosing(repeated(probe, self.port)) as answers:
            async for problem in answers:
                failed = failed + 1 if problem else 0
                if failed >= probe.failures:
                    break
        container = container_of(self._blueprint.template)
        self._say(
            f"LIVENESS {probe.kind} probe failed {failed} times consecutively for "
            f"{probe.described(container)}. The instance has been shut down."
        )
        assert self._process is not None
        await self._process.stop()

    async def _keep_willing(self, probe: Probe) -> None:
        """Send the instance no requests while its readiness probe fails."""
        failed = 0
        async with contextlib.aclosing(repeated(probe, self.port)) as answers:
            async for problem in answers:
                failed = failed + 1 if problem else 0
                self.is_willing = failed < probe.failures

    def _say(self, text: str) -> None:
        self._blueprint.log.write(self.id, text)
