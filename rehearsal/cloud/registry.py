"""The services of the local cloud: the one place that lists them all.

A service is a folder with a module `routes` that offers `handlers(cloud)` (by method id),
`REQUIREMENTS` (the permission of each method id) and, where something of it runs beside the
requests, `background(cloud)`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol, cast

from rehearsal.cloud.calls import Background, Handler, Requirement

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

SERVICES: Final = (
    "serviceusage",
    "resourcemanager",
    "cloudbilling",
    "iam",
    "iamcredentials",
    "artifactregistry",
    "secretmanager",
    "storage",
    "bigquery",
    "firestore",
    "cloudscheduler",
    "pubsub",
    "run",
)


class ServiceRoutes(Protocol):
    """What the module `routes` of every service offers."""

    REQUIREMENTS: Mapping[str, Requirement]

    def handlers(self, cloud: LocalCloud) -> Mapping[str, Handler]:
        """The handler of each method that is modelled."""


class ServiceWithBackground(ServiceRoutes, Protocol):
    """What it offers when something runs beside the requests."""

    def background(self, cloud: LocalCloud) -> Sequence[Background]:
        """What to start with the server, in this order, and to stop in the opposite one."""


def service_routes() -> list[ServiceRoutes]:
    """The `routes` module of every service."""
    return [
        cast("ServiceRoutes", importlib.import_module(f"rehearsal.cloud.{name}.routes"))
        for name in SERVICES
    ]


def all_handlers(cloud: LocalCloud) -> dict[str, Handler]:
    """The handler of every modelled method of every service."""
    return {
        method_id: handler
        for routes in service_routes()
        for method_id, handler in routes.handlers(cloud).items()
    }


def all_requirements() -> dict[str, Requirement]:
    """The permission of every method that needs one."""
    return {
        method_id: requirement
        for routes in service_routes()
        for method_id, requirement in routes.REQUIREMENTS.items()
    }


def all_background(cloud: LocalCloud) -> list[Background]:
    """Everything that runs beside the requests, in the order of starting."""
    return [
        background
        for routes in service_routes()
        if hasattr(routes, "background")
        for background in cast("ServiceWithBackground", routes).background(cloud)
    ]
