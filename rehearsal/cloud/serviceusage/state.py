"""Which APIs are enabled in the project."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from rehearsal.cloud.errors import ERROR_INFO, ApiError
from rehearsal.cloud.store import Store

_KIND: Final = "serviceusage.services"
# What a new project has; without the first three nothing could ever be enabled.
ENABLED_FROM_START: Final = frozenset(
    {
        "serviceusage.googleapis.com",
        "cloudresourcemanager.googleapis.com",
        "cloudbilling.googleapis.com",
        "bigquery.googleapis.com",
        "storage.googleapis.com",
    }
)
# Enabling the one enables the others.
_BRINGS: Final[Mapping[str, frozenset[str]]] = {
    "iam.googleapis.com": frozenset({"iamcredentials.googleapis.com"}),
}


class EnabledApis:
    """The enabled APIs of one project, by service name like `pubsub.googleapis.com`."""

    def __init__(
        self,
        store: Store,
        *,
        project_number: str,
        until_served: Callable[[str], float],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._project_number = project_number
        self._until_served = until_served
        self._clock = clock
        # When APIs just enabled take calls; those enabled before a restart do.
        self._served_at: dict[str, float] = {}

    def is_enabled(self, service: str) -> bool:
        """Tell whether an API is enabled; calls may be refused for a moment yet."""
        body = self._store.get(_KIND, service)
        return service in ENABLED_FROM_START if body is None else bool(body["enabled"])

    def enabled(self) -> list[str]:
        """All enabled APIs, by name."""
        changed = [name for name, _ in self._store.items(_KIND)]
        return sorted(name for name in {*ENABLED_FROM_START, *changed} if self.is_enabled(name))

    def enable(self, services: Iterable[str]) -> None:
        """Enable APIs and what they bring along."""
        names = {name for service in services for name in (service, *_BRINGS.get(service, ()))}
        for name in names:
            if not self.is_enabled(name):
                self._served_at[name] = self._clock() + self._until_served(name)
        self._store.put_many(_KIND, [(name, {"enabled": True}) for name in sorted(names)])

    def disable(self, service: str) -> None:
        """Disable one API."""
        self._store.put(_KIND, service, {"enabled": False})

    def require(self, service: str, title: str) -> None:
        """Refuse calls of an API that is not enabled, or was just now.

        Raises:
            ApiError: 403.
        """
        if self.is_enabled(service) and self._clock() >= self._served_at.get(service, 0.0):
            return
        overview = (
            f"https://console.developers.google.com/apis/api/{service}/overview"
            f"?project={self._project_number}"
        )
        raise ApiError(
            403,
            "PERMISSION_DENIED",
            f"{title} has not been used in project {self._project_number} before or it is disabled."
            f" Enable it by visiting {overview} then retry. If you enabled this API recently,"
            " wait a few minutes for the action to propagate to our systems and retry.",
            reason="accessNotConfigured",
            details=(
                {
                    "@type": ERROR_INFO,
                    "reason": "SERVICE_DISABLED",
                    "domain": "googleapis.com",
                    "metadata": {
                        "service": service,
                        "consumer": f"projects/{self._project_number}",
                    },
                },
            ),
        )
