"""Probes: has an instance begun to serve, is it still alive, does it want requests?

An instance's own port stands for the container's port in every probe: instances share this
machine's network, where the container's port could be one of many.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Final

import aiohttp

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.run.templates import container_of, port_of

# Nobody waits four minutes for a rehearsal; less than that is taken at its word.
_MOST_STARTUP_S: Final = 60.0
_MAX_TIMEOUT_S: Final = 240.0
_FIRST_PAUSE_S: Final = 0.01
_MAX_PAUSE_S: Final = 0.25
_GROWTH: Final = 1.3
_FIRST_FAILING_STATUS: Final = 400
_HEALTH_METHOD: Final = "/grpc.health.v1.Health/Check"
# A HealthCheckResponse whose status (field 1) is SERVING (1).
_SERVING: Final = b"\x08\x01"


@dataclass(frozen=True, slots=True)
class Probe:
    """What to ask, how often, and when to give up.

    Attributes:
        kind: `TCP`, `HTTP` or `gRPC`.
        delay_s: How long to wait before the first time.
        period_s: The time from one to the next.
        timeout_s: How long an answer may take.
        failures: How many failures in a row are one too many.
        path: What to get, for HTTP.
        headers: What to send with it.
        service: Whose health to ask for, for gRPC.
        is_default: Whether Cloud Run has set it, and nobody else.
    """

    kind: str
    delay_s: float
    period_s: float
    timeout_s: float
    failures: int
    path: str = ""
    headers: tuple[tuple[str, str], ...] = field(default=())
    service: str = ""
    is_default: bool = False

    @classmethod
    def of(cls, body: JsonObject) -> Probe:
        """Read a probe of a template with its defaults."""
        http: JsonObject = body.get("httpGet") or {}
        kind = "HTTP" if "httpGet" in body else "gRPC" if "grpc" in body else "TCP"
        return cls(
            kind=kind,
            delay_s=float(body.get("initialDelaySeconds") or 0),
            period_s=float(body.get("periodSeconds") or 10),
            timeout_s=float(body.get("timeoutSeconds") or 1),
            failures=int(body.get("failureThreshold") or 3),
            path=(http.get("path") or "/") if kind == "HTTP" else "",
            headers=tuple(
                (header["name"], header.get("value") or "")
                for header in http.get("httpHeaders") or ()
            ),
            service=(body.get("grpc") or {}).get("service") or "",
            is_default=kind == "TCP" and body.get("periodSeconds") == _MAX_TIMEOUT_S,
        )

    async def problem(self, port: int) -> str:
        """Ask once; return what is wrong, nothing where all is well."""
        ask = {"TCP": self._connect, "HTTP": self._get, "gRPC": self._check}[self.kind]
        try:
            async with asyncio.timeout(self.timeout_s):
                return await ask(port)
        except TimeoutError:
            return f"no answer within {self.timeout_s:g} s"

    async def _connect(self, port: int) -> str:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError as error:
            return f"connection failed: {error.strerror}"
        writer.close()
        return ""

    async def _get(self, port: int) -> str:
        url = f"http://127.0.0.1:{port}{self.path}"
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(url, headers=self.headers, allow_redirects=False) as response,
            ):
                failed = response.status >= _FIRST_FAILING_STATUS
                return f"HTTP status {response.status}" if failed else ""
        except (aiohttp.ClientError, OSError) as error:
            return f"connection failed: {error}"

    async def _check(self, port: int) -> str:
        import grpc.aio  # noqa: PLC0415 - heavy, and few services are probed so

        name = self.service.encode()
        request = b"\x0a" + bytes([len(name)]) + name if name else b""
        options = [("grpc.enable_http_proxy", 0)]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
            try:
                answer: bytes = await channel.unary_unary(_HEALTH_METHOD)(request)
            except grpc.aio.AioRpcError as error:
                return f"gRPC status {error.code().name}"
        return "" if answer == _SERVING else "gRPC health status is not SERVING"

    def described(self, container: JsonObject) -> str:
        """Return which container and port it asks, as Cloud Run's log has it."""
        path = f' path "{self.path}"' if self.path else ""
        return f'container "{container.get("name") or ""}" on port {port_of(container)}{path}'


@dataclass(frozen=True, slots=True)
class StartupProbe:
    """How to find out whether an instance has begun to serve, and how long to try.

    It asks more often than its period says: here an instance is ready the moment that it is.
    """

    probe: Probe
    patience_s: float

    @classmethod
    def of(cls, template: JsonObject) -> StartupProbe:
        """Read the startup probe of a template with defaults."""
        probe = Probe.of(container_of(template)["startupProbe"])
        patience_s = probe.delay_s + probe.period_s * probe.failures
        return cls(probe, _MOST_STARTUP_S if patience_s >= _MAX_TIMEOUT_S else patience_s)

    async def wait(self, port: int, has_ended: Callable[[], bool]) -> bool:
        """Return once the instance serves (True), or it ended or the time is up (False)."""
        pause_s = _FIRST_PAUSE_S
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.patience_s):
                while not has_ended():
                    if not await self.probe.problem(port):
                        # Somebody else may have the port while ours is about to fail.
                        return not has_ended()
                    await asyncio.sleep(pause_s)
                    pause_s = min(_MAX_PAUSE_S, pause_s * _GROWTH)
        return False


async def repeated(probe: Probe, port: int) -> AsyncGenerator[str, None]:
    """Ask again and again; yield each time what is wrong, nothing where all is well."""
    await asyncio.sleep(probe.delay_s)
    while True:
        yield await probe.problem(port)
        await asyncio.sleep(probe.period_s)
