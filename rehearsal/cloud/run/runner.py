"""A revision at work: its sidecar, its process, and a new process when that one crashes.

Which revision gets the traffic is `controller`'s matter.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import ApiError, failed_precondition
from rehearsal.cloud.local_cloud import LocalCloud
from rehearsal.cloud.metadata.server import Instance, MetadataServer
from rehearsal.cloud.pubsub.grpc_server import PubsubPort, serve_grpc
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
from rehearsal.cloud.run.probes import StartupProbe
from rehearsal.cloud.run.processes import ServiceProcess, free_port, is_taken
from rehearsal.cloud.run.templates import container_of
from rehearsal.cloud.run.watchdog import Watchdog
from rehearsal.cloud.uninterrupted import uninterrupted
from rehearsal.docker_engine import DockerError

_PORT_ATTEMPTS = 3
_FIRST_BACKOFF_S = 0.1
_MAX_BACKOFF_S = 10.0
# A process that lived this long crashes for a new reason.
_STABLE_AFTER_S = 30.0


@dataclass(frozen=True, slots=True)
class Workshop:
    """What all revisions of a local cloud run with."""

    cloud: LocalCloud
    images: ImageFiles
    containers: Containers
    watchdog: Watchdog
    folder: Path

    def log_of(self, service: str, revision: str) -> Path:
        """Return the log file of a revision."""
        return self.folder / "logs" / f"{service}.{revision}.log"


class RevisionRunner:
    """Keeps one process (or container) of a revision running."""

    def __init__(self, workshop: Workshop, name: str, template: JsonObject) -> None:
        """Prepare a revision by its full name (`…/services/S/revisions/R`)."""
        _, _, _, region, _, service, _, revision = name.split("/")
        self.names = RevisionNames(service, revision)
        self.template = template
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._workshop = workshop
        self._metadata = MetadataServer(
            workshop.cloud, Instance(secrets.token_hex(32), region, template["serviceAccount"])
        )
        self._pubsub: PubsubPort | None = None
        self._process: ServiceProcess | ServiceContainer | None = None
        self._ready = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    @property
    def address(self) -> tuple[str, int] | None:
        """Return where the process serves, or None while it does not."""
        if self._process is None or not self._ready.is_set():
            return None
        return "127.0.0.1", self._process.port

    @property
    def pid(self) -> int | None:
        """Return the id of the process that serves, or None."""
        return self._process.pid if self._process is not None and self._ready.is_set() else None

    async def wait_ready(self, timeout_s: float) -> bool:
        """Wait until the process serves; return whether it does."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ready.wait(), timeout_s)
        return self._ready.is_set()

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """Count a request as long as it is being answered."""
        self._in_flight += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()

    async def drain(self, timeout_s: float) -> None:
        """End the revision once its requests are answered or the time is up."""
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), timeout_s)
        finally:
            await self.stop()

    async def start(self) -> None:
        """Start the revision and return once it serves.

        Raises:
            ApiError: its image or a secret is missing, or it does not listen in time.
        """
        try:
            await self._metadata.start()
            principal = f"serviceAccount:{self.template['serviceAccount']}"
            self._pubsub = await serve_grpc(self._workshop.cloud, principal)
            process = await self._start_process()
        except BaseException:
            await self.stop()
            raise
        self._keeper = asyncio.create_task(self._keep_running(process))

    async def stop(self) -> None:
        """End the process and its sidecar, even when cancelled meanwhile."""
        await uninterrupted(self._stop())

    async def _stop(self) -> None:
        self._ready.clear()
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        if self._process is not None:
            await self._process.stop()
            self._process = None
        if self._pubsub is not None:
            await self._pubsub.stop()
        await self._metadata.stop()

    async def _start_process(self) -> ServiceProcess | ServiceContainer:
        shop, revision = self._workshop, self.names.revision
        program = await shop.images.program(container_of(self.template), revision)
        variables = await resolved_variables(shop.cloud, self.template, revision)
        for _ in range(_PORT_ATTEMPTS):
            port = free_port()
            process = await self._spawn(program, variables, port)
            self._process = process
            if await StartupProbe.of(self.template).wait(port, process.has_ended):
                self._ready.set()
                return process
            await process.stop()
            self._process = None
            if not is_taken(port):
                break
            # A stranger took the port between our choice and the process's own attempt.
        raise _did_not_listen(revision, self._log)

    @property
    def _log(self) -> Path:
        return self._workshop.log_of(self.names.service, self.names.revision)

    async def _spawn(
        self, program: Program | ContainerImage, variables: dict[str, str], port: int
    ) -> ServiceProcess | ServiceContainer:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        try:
            if isinstance(program, ContainerImage):
                return await self._workshop.containers.start(
                    program,
                    service=self.names.service,
                    port=port,
                    environment=self._environment(container_surroundings(), variables, port),
                    log=self._log,
                )
            home = self._workshop.folder / "homes" / self.names.service
            home.mkdir(parents=True, exist_ok=True)
            return await ServiceProcess.start(
                program,
                port=port,
                environment=self._environment(process_surroundings(program, home), variables, port),
                log=self._log,
                watchdog=self._workshop.watchdog,
            )
        except (OSError, DockerError) as error:
            raise failed_precondition(
                f"{_not_listening(self.names.revision)} Starting it failed: {error}"
            ) from error

    def _environment(
        self, surroundings: dict[str, str], variables: dict[str, str], port: int
    ) -> dict[str, str]:
        assert self._pubsub is not None
        return environment_of(
            self._workshop.cloud,
            surroundings,
            variables,
            self.names,
            Identity(self._metadata.address, self._pubsub.port),
            port=port,
        )

    async def _keep_running(self, process: ServiceProcess | ServiceContainer) -> None:
        backoff_s = _FIRST_BACKOFF_S
        while True:
            began_at_s = time.monotonic()
            await process.wait()
            self._ready.clear()
            if time.monotonic() - began_at_s > _STABLE_AFTER_S:
                backoff_s = _FIRST_BACKOFF_S
            restarted = None
            while restarted is None:
                await asyncio.sleep(backoff_s)
                backoff_s = min(_MAX_BACKOFF_S, backoff_s * 2)
                with contextlib.suppress(ApiError):
                    restarted = await self._start_process()
            process = restarted


def _not_listening(revision: str) -> str:
    # The doubled "provided" is Google's.
    return (
        f"Revision '{revision}' is not ready and cannot serve traffic. The user-provided container "
        "failed to start and listen on the port defined provided by the PORT=8080 environment "
        "variable within the allocated timeout. This can happen when the container port is "
        "misconfigured or if the timeout is too short. The health check timeout can be extended. "
        "Logs for this revision might contain more information."
    )


def _did_not_listen(revision: str, log: Path) -> ApiError:
    return failed_precondition(f"{_not_listening(revision)}\n\nLogs: {log}\n{tail(log)}".rstrip())


def tail(log: Path, *, max_bytes: int = 2000) -> str:
    """Return the end of a log file."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - max_bytes))
        return file.read().decode(errors="replace")
