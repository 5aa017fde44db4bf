"""The server of one local cloud: the REST port and everything that runs beside it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from rehearsal.cloud.front import Front
from rehearsal.cloud.listening import Listener, require_free
from rehearsal.cloud.local_cloud import LocalCloud
from rehearsal.cloud.pipeline import Pipeline
from rehearsal.cloud.registry import all_background


class Server:
    """Serves a local cloud while it is entered (`async with Server(cloud)`)."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start serving.

        Raises:
            PortTaken: another process has one of the ports.
        """
        cloud = self._cloud
        async with AsyncExitStack() as opening:
            opening.push_async_callback(cloud.close)
            cloud.pipeline = Pipeline(cloud)
            listener = Listener(Front(cloud).handle)
            cloud.port = await listener.open(cloud.port)
            opening.push_async_callback(listener.close)
            require_free(cloud.pubsub_port)
            for background in all_background(cloud):
                # Before it starts: what a failing start has opened is closed as well.
                opening.push_async_callback(background.stop)
                await background.start()
            self._open = opening.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop in the opposite order and close the cloud."""
        await self._open.aclose()
