"""Startup probes: has the process of a revision begun to serve?"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.run.templates import container_of

# Nobody waits four minutes for a rehearsal; a probe of one's own may say so.
_DEFAULT_TIMEOUT_S = 60.0
_MAX_TIMEOUT_S = 240.0
_FIRST_PAUSE_S = 0.01
_MAX_PAUSE_S = 0.25
_GROWTH = 1.3


@dataclass(frozen=True, slots=True)
class StartupProbe:
    """How to find out, and how long to try."""

    timeout_s: float
    http_path: str | None = None

    @classmethod
    def of(cls, template: JsonObject) -> "StartupProbe":
        """Read the probe of a template with defaults."""
        probe: JsonObject = container_of(template).get("startupProbe") or {}
        period_s = float(probe.get("periodSeconds") or 10)
        timeout_s = period_s * int(probe.get("failureThreshold") or 3)
        if timeout_s >= _MAX_TIMEOUT_S:
            timeout_s = _DEFAULT_TIMEOUT_S
        http = probe.get("httpGet")
        return cls(timeout_s, (http.get("path") or "/") if http is not None else None)

    async def wait(self, port: int, has_ended: Callable[[], bool]) -> bool:
        """Return once the process serves (True), or it ended or the time is up (False)."""
        pause_s = _FIRST_PAUSE_S
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.timeout_s):
                while not has_ended():
                    if await self._check()(port):
                        # Somebody else may have the port while ours is about to fail.
                        return not has_ended()
                    await asyncio.sleep(pause_s)
                    pause_s = min(_MAX_PAUSE_S, pause_s * _GROWTH)
        return False

    def _check(self) -> Callable[[int], Awaitable[bool]]:
        path = self.http_path
        if path is None:
            return _accepts_connection

        async def answers(port: int) -> bool:
            return await _answers(port, path)

        return answers


async def _accepts_connection(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _answers(port: int, path: str) -> bool:
    url = f"http://127.0.0.1:{port}{path}"
    timeout = aiohttp.ClientTimeout(total=10)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url, allow_redirects=False) as response,
        ):
            return response.ok
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False
