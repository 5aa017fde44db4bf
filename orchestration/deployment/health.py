"""Whether a deployed service answers its health route."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import httpx
import stamina

from orchestration.concurrency import refuse_when_stopping
from orchestration.errors import ServiceUnhealthy
from orchestration.tls import trusted_certificates

# A service that is up answers in milliseconds; one that starts needs seconds.
DEADLINE_S = 60.0
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 2.0
SHOWN_CHARACTERS = 300


class NotHealthyError(Exception):
    """One look at a service that did not show it healthy; the message says what it showed."""


class HealthChecker:
    """Asks services for their health with an identity token, as their callers would."""

    def __init__(
        self,
        routes: Mapping[str, str],
        identity_token: Callable[[str], str],
        on_healthy: Callable[[str, str, float], None],
        *,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._routes = routes
        self._identity_token = identity_token
        self._on_healthy = on_healthy
        self._deadline_s = deadline_s

    def wait(self, service: str, url: str) -> None:
        """Return once the service answers 2xx on its health route.

        A service without a route is healthy when it answers at all: Cloud Run has started it.

        Raises:
            ServiceUnhealthy: it did not within the deadline; says what it answered last.
        """
        started = time.monotonic()
        route = self._routes.get(service)
        try:
            for attempt in stamina.retry_context(
                on=(NotHealthyError, httpx.HTTPError),
                attempts=None,
                timeout=self._deadline_s,
                wait_initial=FIRST_PAUSE_S,
                wait_max=LONGEST_PAUSE_S,
                wait_jitter=FIRST_PAUSE_S,
            ):
                with attempt:
                    refuse_when_stopping()
                    self._look(url, route)
        except (NotHealthyError, httpx.HTTPError) as error:
            raise ServiceUnhealthy(
                f"service {service} is not healthy after {self._deadline_s:.0f} s"
                f" ({url}{route or '/'}): {error}",
                hint="read its log, mend it and run `conductor up` again",
            ) from error
        self._on_healthy(service, url, time.monotonic() - started)

    def _look(self, url: str, route: str | None) -> None:
        token = self._identity_token(url)
        answer = httpx.get(
            f"{url}{route or '/'}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
            verify=trusted_certificates(),
        )
        refused = answer.status_code in {401, 403}
        if refused or (route is not None and not answer.is_success) or answer.is_server_error:
            raise NotHealthyError(
                f"it answers {answer.status_code} {answer.text[:SHOWN_CHARACTERS].strip()}"
            )
