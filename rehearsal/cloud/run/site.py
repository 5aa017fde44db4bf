"""One service at work: its URLs, the revisions behind them, and their shares of traffic."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.local_cloud import LocalCloud
from rehearsal.cloud.run.fleet import Fleet
from rehearsal.cloud.run.instance import Workshop
from rehearsal.cloud.run.proxy import Routing, ServiceProxy
from rehearsal.cloud.run.scaling import Scaling
from rehearsal.cloud.run.traffic import Routes, TrafficSplit


@dataclass(frozen=True, slots=True)
class Settings:
    """What of a service decides how its requests are answered, as it stands now."""

    audiences: tuple[str, ...]
    is_open: bool
    is_reachable: bool


class Site:
    """A service's URLs and its running revisions; `lock` lets one change it at a time."""

    def __init__(
        self, cloud: LocalCloud, workshop: Workshop, name: str, settings: Callable[[], Settings]
    ) -> None:
        self.lock = asyncio.Lock()
        self._cloud = cloud
        self._shop = workshop
        self._name = name
        self._settings = settings
        self._fleets: dict[str, Fleet] = {}
        self._starting: Fleet | None = None
        self._split = TrafficSplit({})
        self._tags: Mapping[str, str] = {}
        self._proxy = ServiceProxy(cloud, name, lambda: self._routing(self._choose()))
        self._tag_proxies: dict[str, ServiceProxy] = {}

    @property
    def port(self) -> int:
        """Return the port of the service's own URL."""
        return self._proxy.port

    @property
    def tag_ports(self) -> dict[str, int]:
        """Return the port of each tag's URL."""
        return {tag: proxy.port for tag, proxy in self._tag_proxies.items()}

    @property
    def main(self) -> Fleet | None:
        """Return the revision with most of the traffic; None while nothing serves."""
        revision = self._split.largest()
        return self._fleets.get(revision) if revision is not None else None

    @property
    def fleets(self) -> Sequence[Fleet]:
        """Return every revision at work."""
        return list(self._fleets.values())

    def has(self, revision: str) -> bool:
        """Return whether a revision is at work."""
        return revision in self._fleets

    def promised(self, revision: str) -> int:
        """Return how many instances a revision at work shall have at least."""
        return self._fleets[revision].scaling.promised

    async def open(self, port: int) -> None:
        """Open the service's URL (port 0: choose one).

        Raises:
            PortTaken: another process has it.
        """
        await self._proxy.start(port)

    async def open_tags(self, ports: Mapping[str, int]) -> None:
        """Open the URLs of tags, at their ports (0: choose one), and close those of others.

        Raises:
            PortTaken: another process has one.
        """
        for tag in self._tag_proxies.keys() - ports.keys():
            await self._tag_proxies.pop(tag).stop()
        for tag in ports.keys() - self._tag_proxies.keys():
            proxy = ServiceProxy(self._cloud, self._name, self._tag_routing(tag))
            await proxy.start(ports[tag])
            self._tag_proxies[tag] = proxy

    async def run(
        self,
        revision: str,
        template: JsonObject,
        scaling: Scaling,
        tell: Callable[[JsonObject], None],
        *,
        is_checked: bool,
    ) -> None:
        """Set a revision to work, unless it is; it gets no traffic yet.

        Args:
            revision: Its full name.
            template: Its template, with its defaults.
            scaling: How many instances it shall have.
            tell: Takes conditions of the revision as they change.
            is_checked: Whether an instance must serve before this returns.

        Raises:
            ApiError: it does not start.
        """
        if revision in self._fleets:
            return
        fleet = Fleet(self._shop, revision, template, scaling, tell)
        if not is_checked:
            fleet.begin()
        else:
            self._starting = fleet
            try:
                await fleet.start()
            finally:
                self._starting = None
        self._fleets[revision] = fleet

    def shift(self, routes: Routes) -> Sequence[Fleet]:
        """Send requests where they shall go; return the revisions without any, to be ended."""
        self._split = TrafficSplit(routes.shares)
        self._tags = routes.tags
        idle = [revision for revision in self._fleets if revision not in routes.revisions]
        return [self._fleets.pop(revision) for revision in idle]

    def resize(self, scaling: Callable[[str, int], Scaling]) -> None:
        """Give each revision, by name and percentage, as many instances as it shall have."""
        for revision, fleet in self._fleets.items():
            fleet.resize(scaling(revision, self._split.share_of(revision)))

    async def close(self) -> None:
        """Close the URLs and end every revision."""
        for proxy in (self._proxy, *self._tag_proxies.values()):
            await proxy.stop()
        fleets = [*self._fleets.values(), *([self._starting] if self._starting else [])]
        self._split = TrafficSplit({})
        self._fleets.clear()
        await asyncio.gather(*(fleet.stop() for fleet in fleets))

    def _choose(self) -> Fleet | None:
        """Return who answers the next request: by share, or whoever is just starting."""
        revision = self._split.next()
        return self._fleets[revision] if revision is not None else self._starting

    def _tag_routing(self, tag: str) -> Callable[[], Routing]:
        return lambda: self._routing(self._fleets.get(self._tags.get(tag, "")))

    def _routing(self, fleet: Fleet | None) -> Routing:
        settings = self._settings()
        return Routing(fleet, settings.audiences, settings.is_open, settings.is_reachable)
