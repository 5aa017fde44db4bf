"""Containers of revisions, run by the docker daemon of this machine, and surely removed.

They share this machine's network (`--network=host`): a service finds the local cloud on loopback,
and listens on a port of its own as a process does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Mapping
from typing import Final

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.local_cloud import LocalCloud
from rehearsal.cloud.run.images import ContainerImage
from rehearsal.cloud.run.logs import InstanceOutput
from rehearsal.cloud.run.processes import STOP_GRACE_S
from rehearsal.cloud.run.watchdog import Watchdog
from rehearsal.docker_engine import (
    DEFAULT_HOST,
    HOST_VARIABLE,
    DockerEngine,
    DockerError,
    registry_auth,
)

# For `docker ps --filter label=…`: which local cloud a container belongs to.
CLOUD_LABEL: Final = "conductor.local-cloud"
_SERVICE_LABEL: Final = "conductor.service"
_CONTAINERS: Final = "run.containers"
_LOGS: Final = {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "1"}}


class Containers:
    """The containers of one local cloud.

    Every name is on record before its container exists: what a killed cloud has left behind is
    removed by the watchdog at once, and by the next start if that could not.
    """

    def __init__(self, cloud: LocalCloud, watchdog: Watchdog) -> None:
        self._cloud = cloud
        self._watchdog = watchdog
        self._host = os.environ.get(HOST_VARIABLE) or DEFAULT_HOST
        self._engine: DockerEngine | None = None

    async def start(
        self,
        image: ContainerImage,
        *,
        service: str,
        port: int,
        environment: Mapping[str, str],
        output: InstanceOutput,
    ) -> ServiceContainer:
        """Start a container of an image of the local registry.

        Raises:
            DockerError: there is no daemon, or it cannot start the container.
        """
        engine = await self._connected()
        reference = await self._pull(engine, image)
        labels = {CLOUD_LABEL: str(self._cloud.data_dir), _SERVICE_LABEL: service}
        name = f"conductor-{service}-{secrets.token_hex(6)}"
        self._cloud.store.put(_CONTAINERS, name, {"host": engine.host})
        self._watchdog.watch_container(engine.socket, name)
        creating = asyncio.create_task(
            _create(engine, name, _description(image, reference, environment, labels))
        )
        try:
            pid = await asyncio.shield(creating)
        except BaseException:
            # A request given up half-way could still create what is then removed too early.
            await asyncio.gather(creating, return_exceptions=True)
            await self.remove(name)
            raise
        return ServiceContainer(self, engine, name, pid=pid, port=port, output=output)

    async def remove(self, name: str) -> None:
        """Remove a container, running or not; one that is gone already is fine."""
        await self._remove(await self._connected(), name)

    async def remove_leftovers(self) -> None:
        """Remove what an earlier life of the cloud has left behind, perhaps in another daemon."""
        for name, body in self._cloud.store.items(_CONTAINERS):
            async with DockerEngine(body["host"]) as engine:
                await self._remove(engine, name)

    async def close(self) -> None:
        """Close the connection to the daemon."""
        if self._engine is not None:
            await self._engine.__aexit__(None, None, None)
            self._engine = None

    async def _remove(self, engine: DockerEngine, name: str) -> None:
        # Where the daemon does not answer the record stays, for the next start.
        with contextlib.suppress(DockerError):
            await engine.call(
                "DELETE",
                f"/containers/{name}",
                query={"force": "1", "v": "1"},
                is_absence_fine=True,
            )
            self._cloud.store.delete(_CONTAINERS, name)
            self._watchdog.release_container(engine.socket, name)

    async def _connected(self) -> DockerEngine:
        if self._engine is None:
            self._engine = await DockerEngine(self._host).__aenter__()
        return self._engine

    async def _pull(self, engine: DockerEngine, image: ContainerImage) -> str:
        """Let the daemon have the image of the local registry; return its name there."""
        server = f"127.0.0.1:{self._cloud.port}"
        repository = f"{server}/{image.name}"
        reference = f"{repository}@{image.digest}"
        # What was pushed from this daemon, or ran in it before, is there already.
        path = f"/images/{reference}/json"
        if await engine.call("GET", path, is_absence_fine=True) is not None:
            return reference
        token = self._cloud.tokens.access_token(self._cloud.deployer)
        async for report in engine.progress(
            "/images/create",
            query={"fromImage": repository, "tag": image.digest},
            headers=registry_auth("oauth2accesstoken", token, server),
        ):
            if (problem := report.get("error")) is not None:
                raise DockerError(f"the docker daemon could not pull {repository}: {problem}")
        return reference


class ServiceContainer:
    """A running container; the counterpart of a `ServiceProcess`."""

    def __init__(
        self,
        containers: Containers,
        engine: DockerEngine,
        name: str,
        *,
        pid: int,
        port: int,
        output: InstanceOutput,
    ) -> None:
        self.pid = pid
        self.port = port
        self._containers = containers
        self._engine = engine
        self._name = name
        self._log = asyncio.create_task(self._read(output))
        self._end = asyncio.create_task(self._wait_for_end())

    def has_ended(self) -> bool:
        """Return whether the container has ended."""
        return self._end.done()

    async def wait(self) -> int:
        """Wait until the container ends, whoever ends it; remove it and return its exit code."""
        code = await asyncio.shield(self._end)
        await self._containers.remove(self._name)
        await self._log
        return code

    async def stop(self) -> None:
        """Ask the container to end; make it end when it does not; remove it."""
        with contextlib.suppress(DockerError):
            await self._engine.call(
                "POST",
                f"/containers/{self._name}/stop",
                query={"t": str(int(STOP_GRACE_S))},
                is_absence_fine=True,
            )
        await self._containers.remove(self._name)
        await self.wait()

    async def _wait_for_end(self) -> int:
        try:
            ended = await self._engine.call("POST", f"/containers/{self._name}/wait")
        except DockerError:
            # Removed by somebody, or its daemon is gone: it serves nobody any more.
            return -1
        return int(ended["StatusCode"])

    async def _read(self, output: InstanceOutput) -> None:
        with contextlib.suppress(DockerError):
            async for piece in self._engine.output(self._name):
                output.feed(piece)
        output.end()


async def _create(engine: DockerEngine, name: str, description: JsonObject) -> int:
    """Create and start a container; return the process id of its first process."""
    await engine.call("POST", "/containers/create", query={"name": name}, body=description)
    await engine.call("POST", f"/containers/{name}/start")
    state = (await engine.call("GET", f"/containers/{name}/json"))["State"]
    return int(state["Pid"])


def _description(
    image: ContainerImage,
    reference: str,
    environment: Mapping[str, str],
    labels: Mapping[str, str],
) -> JsonObject:
    body: JsonObject = {
        "Image": reference,
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "Labels": dict(labels),
        # What Cloud Run sends, whatever the image says.
        "StopSignal": "SIGTERM",
        "HostConfig": {"NetworkMode": "host", "LogConfig": _LOGS},
    }
    if image.command:
        body["Entrypoint"] = list(image.command)
    if image.arguments:
        body["Cmd"] = list(image.arguments)
    if image.workdir:
        body["WorkingDir"] = image.workdir
    return body
