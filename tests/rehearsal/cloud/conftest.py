"""A real local cloud on an ephemeral port, in a thread of the test's own process."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from answer_shapes import misshapen
from google_clients import Clients

from rehearsal.cloud.discovery.documents import Routes
from rehearsal.cloud.iam.propagation import Propagation
from rehearsal.cloud.local_cloud import LocalCloud
from rehearsal.cloud.server import Server

_ROUTES = Routes()
APIS = (
    "artifactregistry",
    "cloudscheduler",
    "firestore",
    "iam",
    "pubsub",
    "run",
    "secretmanager",
)


class Clock:
    """The time of day, which a test may put forward."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self.ahead_s


class RunningCloud:
    """A local cloud that serves, and clients of it."""

    def __init__(self, cloud: LocalCloud, clock: Clock, clients: ExitStack) -> None:
        self.cloud = cloud
        self.clock = clock
        self.base_url = f"http://127.0.0.1:{cloud.port}"
        self._clients = clients
        self.deployer = self.client(cloud.deployer)

    def client(self, principal: str | None = None, token: str | None = None) -> httpx.Client:
        """A client that calls as a principal; without one it has no token."""
        if principal is not None:
            token = self.cloud.tokens.access_token(principal)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self._clients.enter_context(
            httpx.Client(
                base_url=self.base_url,
                headers=headers,
                trust_env=False,
                event_hooks={"response": [_check_shape]},
            )
        )

    def enable(self, *apis: str) -> None:
        """Enable APIs by their short names."""
        self.cloud.apis.enable(f"{api}.googleapis.com" for api in apis)

    def account(self, account_id: str) -> str:
        """Create a service account and return its email."""
        answer = self.deployer.post(
            "/iam/v1/projects/local-proj/serviceAccounts", json={"accountId": account_id}
        )
        return str(expect(answer)["email"])

    def grant(self, policy_url: str, role: str, member: str) -> None:
        """Add a binding, as the provider does: read, modify, write."""
        policy = expect(self.deployer.request(_reads(policy_url), f"{policy_url}:getIamPolicy"))
        bindings = [*policy.get("bindings", ()), {"role": role, "members": [member]}]
        body = {"policy": {**policy, "bindings": bindings}}
        expect(self.deployer.post(f"{policy_url}:setIamPolicy", json=body))


def _check_shape(answer: httpx.Response) -> None:
    """Hold every answer that a test gets to what Google's documents promise."""
    url = answer.request.url
    found = _ROUTES.find(answer.request.method, url.raw_path.decode().partition("?")[0])
    if found is None or answer.status_code != 200 or url.params.get("alt") == "media":
        return
    answer.read()
    wrong = misshapen(found[0].id, url.path, answer.json())
    assert wrong == [], f"{found[0].id}: {answer.text}"


def expect(answer: httpx.Response, code: int = 200) -> Any:
    """Return the body of an answer that has the expected code."""
    assert answer.status_code == code, answer.text
    return answer.json() if answer.content else None


@contextmanager
def running(
    data_dir: Path, propagation: Propagation = Propagation.NONE, clock: Clock | None = None
) -> Iterator[RunningCloud]:
    """Serve a local cloud while the block runs."""
    clock = clock or Clock()
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()
    serving = threading.Event()
    started: list[LocalCloud | BaseException] = []

    async def serve() -> None:
        try:
            cloud = LocalCloud(data_dir, propagation=propagation, clock=clock)
            async with Server(cloud):
                started.append(cloud)
                serving.set()
                await ended.wait()
        except BaseException as error:
            started.append(error)
            raise
        finally:
            serving.set()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run, name="local-cloud")
    thread.start()
    try:
        serving.wait()
        cloud = started[0]
        if isinstance(cloud, BaseException):
            raise cloud
        with ExitStack() as clients:
            yield RunningCloud(cloud, clock, clients)
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(ended.set)
        thread.join()


def _reads(policy_url: str) -> str:
    return "POST" if policy_url.startswith(("/iam/", "/resourcemanager/", "/bigquery/")) else "GET"


@pytest.fixture
def local_cloud(tmp_path: Path) -> Iterator[RunningCloud]:
    """A cloud whose grants work at once, with the usual APIs enabled."""
    with running(tmp_path / "cloud") as cloud:
        cloud.enable(*APIS)
        yield cloud


@pytest.fixture
def clients(local_cloud: RunningCloud) -> Iterator[Clients]:
    """Google's own clients of that cloud, of every API that any of them speaks."""
    local_cloud.enable("bigquery", "storage")
    with ExitStack() as closing:
        yield Clients(local_cloud, closing)


@pytest.fixture(scope="module")
def shared_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    """Such a cloud for all tests of a module, which then bear each other's resources."""
    with running(tmp_path_factory.mktemp("shared") / "cloud") as cloud:
        cloud.enable(*APIS)
        yield cloud


@pytest.fixture
def start_cloud(tmp_path: Path) -> Callable[..., Any]:
    """Serve clouds of one data folder, one after another; each is a context manager."""

    def start(propagation: Propagation = Propagation.NONE, clock: Clock | None = None) -> Any:
        return running(tmp_path / "cloud", propagation, clock)

    return start


@pytest.fixture(name="wait_until")
def wait_until_fixture() -> Callable[..., None]:
    """Wait for a condition."""

    def wait(is_so: Callable[[], object], timeout_s: float = 20.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not is_so():
            assert time.monotonic() < deadline, "timed out"
            time.sleep(0.01)

    return wait


@pytest.fixture(name="expect")
def expect_fixture() -> Callable[..., Any]:
    """Assert an answer's code and return its body."""
    return expect
