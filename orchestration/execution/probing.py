"""Probes of deployed services: how many fail, and how long they take."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx

from orchestration.execution.actions.action import Measurement

PROBE_TIMEOUT_S = 10.0
# A service without instances first has to start one.
WARM_UP_TIMEOUT_S = 60.0
PERCENTILE = 0.95


@dataclass(frozen=True, slots=True)
class Route:
    """Where a service is asked; without a health route of its own, any answer but a 5xx will do."""

    url: str
    path: str | None


def measure(
    routes: Sequence[Route], identity_token: Callable[[str], str], probes: int
) -> Measurement:
    """Send `probes` to each service in turn, after one that is not counted.

    Raises:
        CloudUnreachable: there is no identity to ask with.
    """
    took_ms: list[float] = []
    failed = 0
    with httpx.Client(follow_redirects=False) as client:
        for route in routes:
            headers = {"Authorization": f"Bearer {identity_token(route.url)}"}
            _probe(client, route, headers, WARM_UP_TIMEOUT_S)
            for _ in range(probes):
                started = time.monotonic()
                if not _probe(client, route, headers, PROBE_TIMEOUT_S):
                    failed += 1
                took_ms.append((time.monotonic() - started) * 1000)
    took_ms.sort()
    slow = took_ms[math.ceil(PERCENTILE * len(took_ms)) - 1] if took_ms else 0.0
    return Measurement(probes=len(took_ms), failed=failed, p95_ms=slow)


def _probe(client: httpx.Client, route: Route, headers: dict[str, str], timeout_s: float) -> bool:
    try:
        answer = client.get(f"{route.url}{route.path or '/'}", headers=headers, timeout=timeout_s)
    except httpx.HTTPError:
        return False
    if route.path is None:
        return not answer.is_server_error and answer.status_code not in {401, 403}
    return answer.is_success
