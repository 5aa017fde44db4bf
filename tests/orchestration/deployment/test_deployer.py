"""Building and deploying in parallel, with every failure by name."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest

from orchestration.conductor.state import DirectorOutcome, ServicesOutcome, StackOutcome
from orchestration.deployment.deployer import LOG_LINES, BuildReport, DeploymentManager
from orchestration.deployment.health import HealthChecker
from orchestration.errors import BuildFailed, ServiceUnhealthy, UsageError

STACK = StackOutcome(stack="dev.images", changes={}, duration_s=0.0)


class FakeDeployer:
    """Notes every call; builds fail where `failures` says so."""

    def __init__(self, failures: dict[str, str] | None = None) -> None:
        self.failures = failures or {}
        self.calls: list[str] = []

    def build(self, services: tuple[str, ...]) -> BuildReport:
        """Build all but those that fail."""
        self.calls.append(f"build {' '.join(services)}")
        images = {name: f"{name}@sha256:1" for name in services if name not in self.failures}
        return BuildReport(images, self.failures, STACK)

    def deploy_director(self) -> DirectorOutcome:
        """Deploy the director."""
        self.calls.append("director")
        return DirectorOutcome(url="http://d", image="d@sha256:1", stack=STACK)

    def deploy(self, dataflow: str) -> ServicesOutcome:
        """Deploy a dataflow."""
        self.calls.append(f"deploy {dataflow}")
        return ServicesOutcome(dataflow=dataflow, urls={"cart": "http://c"}, stack=STACK)


def manager(deployer: FakeDeployer, health: HealthChecker | None = None) -> DeploymentManager:
    """Make a manager of three services in two dataflows."""
    return DeploymentManager(
        deployer,
        built=("cart", "mail", "stock"),
        dataflows=("orders", "supply"),
        health=health or checker({}),
        service_log=lambda service: f"{service} starts\n" + "waiting for its database\n" * 20,
    )


def checker(routes: dict[str, str], deadline_s: float = 10.0) -> HealthChecker:
    """Make a health checker without identities."""
    return HealthChecker(
        routes, lambda _audience: "token", lambda *_healthy: None, deadline_s=deadline_s
    )


def test_a_swapped_deployer_gets_every_call() -> None:
    """0.17: whatever builds and deploys is injected."""
    deployer = FakeDeployer()
    deploying = manager(deployer)
    deploying.build_all()
    deploying.deploy_director()
    deploying.deploy_services("orders")
    assert deployer.calls == ["build cart mail stock", "director", "deploy orders"]


def test_images_come_back_by_service() -> None:
    """2.4: complete and unswapped."""
    assert manager(FakeDeployer()).build_all().images == {
        "cart": "cart@sha256:1",
        "mail": "mail@sha256:1",
        "stock": "stock@sha256:1",
    }


def test_every_failed_build_is_named_with_its_reason() -> None:
    """2.5: two failures, both named; what was built is counted."""
    deployer = FakeDeployer({"mail": "line 3: bad syntax", "cart": "no Dockerfile"})
    with pytest.raises(BuildFailed) as caught:
        manager(deployer).build_all()
    assert caught.value.message == "2 of 3 images were not built: cart, mail (1 built)"
    assert "--- cart\nno Dockerfile" in caught.value.details
    assert "--- mail\nline 3: bad syntax" in caught.value.details


def test_an_image_that_nobody_mentions_is_missed() -> None:
    """G19: no empty image is ever deployed."""

    class Forgetful(FakeDeployer):
        def build(self, services: tuple[str, ...]) -> BuildReport:
            return BuildReport({"cart": "cart@sha256:1"}, {}, STACK)

    with pytest.raises(BuildFailed, match="no image came of: mail, stock"):
        manager(Forgetful()).build_all()


def test_an_unknown_dataflow_is_an_error_with_the_known_ones() -> None:
    """2.9: never an empty success."""
    with pytest.raises(UsageError, match=r"'nope'.*orders, supply"):
        manager(FakeDeployer()).deploy_services("nope")


class Service:
    """A tiny service that answers what a test tells it to."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, str]] = []
        self.seen: list[tuple[str, str | None]] = []
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                service.seen.append((self.path, self.headers.get("Authorization")))
                answers = service.answers
                status, text = answers.pop(0) if len(answers) > 1 else answers[0]
                self.send_response(status)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_words: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def service() -> Iterator[Service]:
    """A service of this test's own."""
    made = Service()
    yield made
    made.close()


def test_a_service_that_comes_up_is_healthy(service: Service) -> None:
    """0.12: asked with an identity until it says yes."""
    service.answers = [(503, "starting"), (503, "starting"), (200, "ready")]
    checker({"cart": "/health/ready"}).wait("cart", service.url)
    assert [path for path, _ in service.seen] == ["/health/ready"] * 3
    assert service.seen[0][1] == "Bearer token"


def test_a_service_that_stays_ill_is_told_with_its_last_words(service: Service) -> None:
    """A bounded wait, and what it answered."""
    service.answers = [(503, "no database")]
    with pytest.raises(ServiceUnhealthy, match=r"cart.*503 no database") as caught:
        checker({"cart": "/health/ready"}, deadline_s=0.2).wait("cart", service.url)
    assert caught.value.code == "service-unhealthy"


def test_the_end_of_an_ill_services_log_is_shown(service: Service) -> None:
    """Step 2, item 5: its last words, not its whole story."""
    service.answers = [(503, "no database")]
    deploying = manager(FakeDeployer(), checker({"cart": "/health/ready"}, deadline_s=0.2))
    with pytest.raises(ServiceUnhealthy) as caught:
        deploying.wait_until_healthy("cart", service.url)
    title, *lines = caught.value.details.splitlines()
    assert title == "--- the last lines of cart's log"
    assert lines == ["waiting for its database"] * LOG_LINES


def test_a_service_without_a_route_is_healthy_when_it_answers(service: Service) -> None:
    """Cloud Run has started it; a 404 at its root is an answer of its own."""
    service.answers = [(404, "nothing here")]
    checker({}).wait("cart", service.url)


def test_a_refused_caller_is_no_sign_of_health(service: Service) -> None:
    """403 comes from the front, not from the service."""
    service.answers = [(403, "forbidden"), (200, "ok")]
    checker({}).wait("cart", service.url)
    assert len(service.seen) == 2
