"""The sample subscriber."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

TRACE = {"trace_id": "t", "path": [{"service": "tracer-publisher"}]}


@dataclass
class FakeMessage:
    """A message as the Pub/Sub client hands it over; it keeps what happened in order."""

    data: bytes
    events: list[str]
    message_id: str = "1"

    def ack(self) -> None:
        """Record the acknowledgement."""
        self.events.append("ack")

    def nack(self) -> None:
        """Record the refusal."""
        self.events.append("nack")


@dataclass
class FakePublisher:
    """A Pub/Sub publisher that keeps what it is given, or fails as told."""

    events: list[str]
    failure: Exception | None = None
    published: list[dict[str, Any]] = field(default_factory=list)

    def publish(self, topic: str, data: bytes, **attributes: str) -> Future[str]:
        """Publish, or fail."""
        done: Future[str] = Future()
        if self.failure is not None:
            done.set_exception(self.failure)
            return done
        self.events.append(f"publish to {topic}")
        self.published.append({"data": json.loads(data), "attributes": attributes})
        done.set_result("id")
        return done


@pytest.fixture
def relay(subscriber: ModuleType) -> Any:
    """Make a relay that pulls nothing by itself."""
    links = subscriber.Links(subscription="traces-sub", verify_topic="verified")
    return subscriber.TraceRelay(links, "p", subscriber.Identity("me", "me-00001"))


def test_a_message_is_acknowledged_only_after_it_was_passed_on(relay: Any) -> None:
    """Its hop is added last, with service, revision and time."""
    events: list[str] = []
    publisher = FakePublisher(events)
    relay._relay(publisher, FakeMessage(json.dumps(TRACE).encode(), events))
    assert events == ["publish to projects/p/topics/verified", "ack"]
    (published,) = publisher.published
    assert published["attributes"] == {"trace_id": "t"}
    first, second = published["data"]["path"]
    assert first == TRACE["path"][0]
    assert (second["service"], second["revision"]) == ("me", "me-00001")
    assert "at" in second


def test_a_message_that_could_not_be_passed_on_is_delivered_again(relay: Any) -> None:
    """A failed publish loses nothing."""
    events: list[str] = []
    publisher = FakePublisher(events, failure=RuntimeError("denied"))
    relay._relay(publisher, FakeMessage(json.dumps(TRACE).encode(), events))
    assert events == ["nack"]


@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", b"{}", b'{"trace_id": 1, "path": []}'])
def test_what_is_no_trace_is_dropped_not_delivered_for_ever(relay: Any, data: bytes) -> None:
    """Delivering it again would not help; the log says what it was."""
    events: list[str] = []
    relay._relay(FakePublisher(events), FakeMessage(data, events))
    assert events == ["ack"]


def test_links_are_found_by_their_keys_whatever_the_names(
    subscriber: ModuleType, resources_file: Callable[[str], Path], tmp_path: Path
) -> None:
    """A missing link is an error that names the key."""
    links = subscriber.load_links(resources_file("tracer-subscriber"))
    assert links == subscriber.Links("traces-sub", "verified")
    empty = tmp_path / "empty.yaml"
    empty.write_text("")
    with pytest.raises(subscriber.ConfigurationError, match="tracer-subscription-id"):
        subscriber.load_links(empty)


def test_it_runs_by_hand_and_ends_on_sigterm(run_service: Callable) -> None:
    """Without Pub/Sub it is live, not ready, keeps trying, and still exits at once (1.6)."""
    with run_service(
        "tracer-subscriber", PROJECT_ID="p", PUBSUB_EMULATOR_HOST="127.0.0.1:9"
    ) as service:
        url = service.url()
        service.wait_for("not pulling")
        service.wait_for("not pulling")
        assert httpx.get(f"{url}/health/live").status_code == 200
        response = httpx.get(f"{url}/health/ready")
        assert response.status_code == 503
        assert response.json()["reason"]
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(timeout=5) == 0
