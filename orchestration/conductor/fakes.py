"""Parts without any cloud: they record what the conductor asks, and fail where they are told to.

Shipped, because whoever writes a part or a phase tests against them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

from architecture.model import Layer
from orchestration.conductor.parts import Parts
from orchestration.conductor.state import (
    AccountsOutcome,
    DataflowOutcome,
    DirectorOutcome,
    GrantOutcome,
    ImagesOutcome,
    PlanOutcome,
    ServicesOutcome,
    StackOutcome,
)

PLAN = PlanOutcome(
    architecture_name="shop",
    project_id="p1",
    director="director",
    services=("cart", "mail", "stock"),
    dataflows=("orders", "supply"),
    resource_levels=(("orders", "supply"),),
    levels=(("supply",), ("orders",)),
)
SERVICES = {"orders": ("cart", "mail"), "supply": ("stock",)}


def stack(name: str) -> StackOutcome:
    """Make the outcome of a stack that did one thing."""
    return StackOutcome(stack=name, changes={"create": 1}, duration_s=0.1)


class FakeParts:
    """One object for all parts: `calls` is the order in which they were asked."""

    def __init__(
        self, plan: PlanOutcome = PLAN, services: Mapping[str, Sequence[str]] = SERVICES
    ) -> None:
        self.planned = plan
        self.services = services
        self.calls: list[str] = []
        self.failing: dict[str, Exception] = {}
        self.on_call: Callable[[str], None] = lambda _call: None
        self._lock = threading.Lock()

    def parts(self) -> Parts:
        """Give this object in every role."""
        return Parts(
            planner=self,
            prerequisites=self,
            access=FakeAccess(self),
            artifacts=self,
            deployment=self,
            director=FakeDirector(self),
        )

    def called(self, call: str) -> None:
        """Note a call, and fail it if it is among `failing`."""
        with self._lock:
            self.calls.append(call)
        self.on_call(call)
        if call in self.failing:
            raise self.failing[call]

    def plan(self) -> PlanOutcome:
        """Phase 0."""
        self.called("plan")
        return self.planned

    def check(self, plan: PlanOutcome) -> None:
        """Phase 1."""
        assert plan == self.planned
        self.called("check")

    def prepare(self) -> int:
        """Phase 3."""
        self.called("prepare")
        return len(self.planned.services) + 1

    def build_all(self) -> ImagesOutcome:
        """Phase 4."""
        self.called("build_all")
        images = {name: f"registry/{name}@sha256:1" for name in self.planned.services}
        return ImagesOutcome(images=images, stack=stack("images"))

    def deploy_director(self) -> DirectorOutcome:
        """Phase 4."""
        self.called("deploy_director")
        return DirectorOutcome(
            url="http://director", image="registry/director@sha256:1", stack=stack("director")
        )

    def deploy_services(self, dataflow: str) -> ServicesOutcome:
        """Phase 7."""
        self.called(f"deploy {dataflow}")
        urls = {name: f"http://{name}" for name in self.services[dataflow]}
        return ServicesOutcome(dataflow=dataflow, urls=urls, stack=stack(f"services.{dataflow}"))

    def wait_until_healthy(self, service: str, url: str) -> None:
        """Phases 4 and 7."""
        self.called(f"healthy {service} {url}")


class FakeAccess:
    """Accounts and grants."""

    def __init__(self, fakes: FakeParts) -> None:
        self._fakes = fakes

    def set_up(self) -> AccountsOutcome:
        """Phase 2."""
        self._fakes.called("set_up_iam")
        return AccountsOutcome(accounts={"cart-sa": "cart-sa@p1"}, stack=stack("foundation"))

    def wait(self, layer: Layer, dataflow: str | None = None) -> tuple[GrantOutcome, ...]:
        """Wait for a layer's grants."""
        self._fakes.called(f"wait {layer} {dataflow or ''}".strip())
        return (
            GrantOutcome(
                member="serviceAccount:cart-sa@p1",
                role="roles/x",
                resource=f"{layer}/{dataflow}",
                delay_s=1.5,
                tested="impersonation",
            ),
        )


class FakeDirector:
    """The director, reached without messages."""

    def __init__(self, fakes: FakeParts) -> None:
        self._fakes = fakes

    def set_up(self, dataflows: tuple[str, ...]) -> tuple[DataflowOutcome, ...]:
        """Phase 5."""
        self._fakes.called(f"director {' '.join(dataflows)}")
        return tuple(
            DataflowOutcome(
                dataflow=name,
                topics=(f"{name}-topic",),
                subscriptions=(),
                stack=stack(f"dataflow.{name}"),
            )
            for name in dataflows
        )
