"""The sample publisher."""

from __future__ import annotations

import http.client
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import httpx
import pytest


class FakeTopic:
    """Stands where Pub/Sub would."""

    topic_path = "projects/p/topics/traces"

    def __init__(self) -> None:
        self.published: list[str] = []
        self.failure: Exception | None = None

    def publish(self, trace_id: str) -> str:
        """Keep the trace, or fail as told."""
        self.check()
        self.published.append(trace_id)
        return f"message-{len(self.published)}"

    def check(self) -> None:
        """Fail as told."""
        if self.failure is not None:
            raise self.failure


@pytest.fixture
def topic() -> FakeTopic:
    """Make a topic that works until told otherwise."""
    return FakeTopic()


@pytest.fixture
def client(publisher: ModuleType, topic: FakeTopic) -> Iterator[httpx.Client]:
    """Serve the publisher's routes over the fake topic."""
    with publisher.PublisherServer(("127.0.0.1", 0), topic) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        with httpx.Client(base_url=f"http://127.0.0.1:{server.server_port}") as client:
            yield client
        server.shutdown()
        thread.join()


def test_a_trace_is_published_and_answered_with_its_message(
    client: httpx.Client, topic: FakeTopic
) -> None:
    """The answer has the id that Pub/Sub gave the message."""
    response = client.post("/publish", json={"trace_id": "t-1"})
    assert response.status_code == 200
    assert response.json() == {"message_id": "message-1", "trace_id": "t-1"}
    assert topic.published == ["t-1"]


@pytest.mark.parametrize(
    "body", [b"", b"no json", b"[]", b'"t"', b"{}", b'{"trace_id": 1}', b'{"trace_id": ""}']
)
def test_a_bad_request_is_answered_with_what_is_wrong(
    client: httpx.Client, topic: FakeTopic, body: bytes
) -> None:
    """The error is JSON, nothing is published, and the connection lives on."""
    response = client.post("/publish", content=body)
    assert response.status_code == 400
    assert "JSON" in response.json()["error"] or "trace_id" in response.json()["error"]
    assert topic.published == []
    assert client.get("/health/live").status_code == 200


def test_a_body_that_is_too_large_is_refused_unread(client: httpx.Client) -> None:
    """Nobody can fill the service's memory."""
    connection = http.client.HTTPConnection(client.base_url.host, client.base_url.port or 0)
    connection.putrequest("POST", "/publish")
    connection.putheader("Content-Length", "99999999")
    connection.endheaders()
    response = connection.getresponse()
    assert response.status == 400
    connection.close()


def test_a_failed_publish_is_not_reported_as_done(client: httpx.Client, topic: FakeTopic) -> None:
    """The caller learns that the message is not on its way."""
    topic.failure = RuntimeError("denied")
    response = client.post("/publish", json={"trace_id": "t"})
    assert response.status_code == 502
    assert "denied" in response.json()["error"]


def test_ready_only_while_the_topic_can_be_reached(client: httpx.Client, topic: FakeTopic) -> None:
    """Ready says what it can reach, and otherwise why not; live says only that it runs."""
    assert client.get("/health/ready").json() == {"status": "ready", "topic": topic.topic_path}
    topic.failure = RuntimeError("no such topic")
    response = client.get("/health/ready")
    assert (response.status_code, response.json()["reason"]) == (503, "no such topic")
    assert client.get("/health/live").status_code == 200


def test_unknown_routes_are_answered(client: httpx.Client) -> None:
    """A wrong path is a 404, not silence."""
    assert client.get("/").status_code == 404
    assert client.post("/", json={}).status_code == 404


def test_the_topic_is_found_by_its_lookup_key_whatever_its_name(
    publisher: ModuleType, resources_file: Callable[[str], Path]
) -> None:
    """A test run may rename the topic and the service; the key stays."""
    assert publisher.produced_topic(resources_file("tracer-publisher"), "tracer-topic-id") == (
        "traces"
    )
    with pytest.raises(publisher.ConfigurationError, match="other-key"):
        publisher.produced_topic(resources_file("tracer-publisher"), "other-key")
    with pytest.raises(publisher.ConfigurationError, match="cannot be read"):
        publisher.produced_topic(Path("absent.yaml"), "tracer-topic-id")


def test_it_runs_by_hand_and_ends_on_sigterm(run_service: Callable) -> None:
    """It serves health without a cloud, says why it is not ready, and exits 0 (1.6)."""
    with run_service(
        "tracer-publisher", PROJECT_ID="p", PUBSUB_EMULATOR_HOST="127.0.0.1:9"
    ) as service:
        url = service.url()
        assert httpx.get(f"{url}/health/live").status_code == 200
        assert httpx.get(f"{url}/health/ready", timeout=20).status_code == 503
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(timeout=5) == 0


def test_without_a_project_it_says_so_and_ends(run_service: Callable) -> None:
    """A configuration that cannot work ends at once, with the reason."""
    with run_service("tracer-publisher") as service:
        service.wait_for("set PROJECT_ID (or GOOGLE_CLOUD_PROJECT)")
        assert service.process.wait(timeout=5) == 1
