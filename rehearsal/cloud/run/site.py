"""One service at work: its URL, the revisions that run behind it, and their shares of traffic."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.run.proxy import ServiceProxy
from rehearsal.cloud.run.runner import RevisionRunner, Workshop
from rehearsal.cloud.run.traffic import TrafficSplit


class Site:
    """A service's URL and its running revisions; `lock` lets one change it at a time."""

    def __init__(self, proxy: ServiceProxy) -> None:
        self.proxy = proxy
        self.lock = asyncio.Lock()
        self._running: dict[str, RevisionRunner] = {}
        self._starting: RevisionRunner | None = None
        self._split = TrafficSplit({})

    @property
    def main(self) -> RevisionRunner | None:
        """Return the revision with most of the traffic; None while nothing serves."""
        revision = self._split.largest()
        return self._running.get(revision) if revision is not None else None

    def choose(self) -> RevisionRunner | None:
        """Return who answers the next request: by share, or whoever is just starting."""
        revision = self._split.next()
        return self._running[revision] if revision is not None else self._starting

    async def run(self, workshop: Workshop, revision: str, template: JsonObject) -> None:
        """Start a revision, unless it runs; it gets no traffic yet.

        Raises:
            ApiError: it does not start.
        """
        if revision in self._running:
            return
        self._starting = RevisionRunner(workshop, revision, template)
        try:
            await self._starting.start()
            self._running[revision] = self._starting
        finally:
            self._starting = None

    def shift(self, shares: Mapping[str, int]) -> Sequence[RevisionRunner]:
        """Give running revisions their shares; return those without any, to be ended."""
        self._split = TrafficSplit(shares)
        idle = [revision for revision in self._running if revision not in shares]
        return [self._running.pop(revision) for revision in idle]

    async def close(self) -> None:
        """Close the URL and end every revision."""
        await self.proxy.stop()
        runners = [*self._running.values(), *([self._starting] if self._starting else [])]
        self._split = TrafficSplit({})
        self._running.clear()
        await asyncio.gather(*(runner.stop() for runner in runners))
