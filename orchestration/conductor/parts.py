"""What the conductor delegates to. It knows these shapes and nothing behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from architecture.model import Layer
from orchestration.conductor.state import (
    AccountsOutcome,
    DataflowOutcome,
    DirectorOutcome,
    GrantOutcome,
    ImagesOutcome,
    PlanOutcome,
    ServicesOutcome,
)


class Planner(Protocol):
    """Phase 0: everything that needs no cloud."""

    def plan(self) -> PlanOutcome:
        """Load, check, hydrate, generate and run pre-flight tests.

        Raises:
            ArchitectureInvalid: the file has errors.
            PreflightFailed: a service's own tests failed.
        """
        ...


class Prerequisites(Protocol):
    """Phase 1: what must be there before anything is changed."""

    def check(self, plan: PlanOutcome) -> None:
        """Make the target usable and check what the run needs, all findings in one error.

        Raises:
            PrerequisitesMissing: with every finding.
        """
        ...


class Access(Protocol):
    """Phases 2 and 6, and whenever grants are about to be used."""

    def set_up(self) -> AccountsOutcome:
        """Make service accounts and project-level grants."""
        ...

    def wait(self, layer: Layer, dataflow: str | None = None) -> tuple[GrantOutcome, ...]:
        """Wait until every grant of a layer works.

        Raises:
            GrantsNotEffective: naming those that do not.
        """
        ...


class Artifacts(Protocol):
    """Phase 3: build contexts with the generated files in them."""

    def prepare(self) -> int:
        """Make every context and say how many there are."""
        ...


class Deployment(Protocol):
    """Phases 4 and 7: images and services."""

    def build_all(self) -> ImagesOutcome:
        """Build every image in parallel.

        Raises:
            BuildFailed: naming every image that failed; the others are built.
        """
        ...

    def deploy_director(self) -> DirectorOutcome:
        """Build and deploy the director."""
        ...

    def deploy_services(self, dataflow: str) -> ServicesOutcome:
        """Deploy one dataflow's services in parallel."""
        ...

    def wait_until_healthy(self, service: str, url: str) -> None:
        """Wait until a service answers its health route.

        Raises:
            ServiceUnhealthy: it did not in time.
        """
        ...


class RemoteDirector(Protocol):
    """Phase 5: the director, reached over Pub/Sub."""

    def set_up(self, dataflows: tuple[str, ...]) -> tuple[DataflowOutcome, ...]:
        """Send one command per dataflow, side by side, and wait for every completion.

        Raises:
            DirectorSilent: a completion did not come in time.
            DirectorRefused: the director answered with an error.
        """
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that a run needs, injected."""

    planner: Planner
    prerequisites: Prerequisites
    access: Access
    artifacts: Artifacts
    deployment: Deployment
    director: RemoteDirector
