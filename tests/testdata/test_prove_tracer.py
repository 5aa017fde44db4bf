"""The demo's proof."""

from __future__ import annotations

from types import ModuleType

import pytest

STATUS = {
    "services": [
        {"name": "tracer-publisher", "url": "http://127.0.0.1:1"},
        {"name": "tracer-subscriber", "url": "http://127.0.0.1:2"},
    ],
    "project_id": "p",
    "pubsub_emulator_host": "127.0.0.1:3",
    "identity_token_url": "http://127.0.0.1:4/token",
    "token": "t",
}


def test_the_status_says_all_that_the_proof_needs(prove_tracer: ModuleType) -> None:
    """Where the publisher is, and how to identify oneself to it."""
    deployed = prove_tracer.parse_status(STATUS)
    assert deployed.publisher_url == "http://127.0.0.1:1"
    assert deployed.pubsub_emulator_host == "127.0.0.1:3"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"services": []}, "tracer-publisher is not deployed"),
        ({"services": [{"name": "tracer-publisher", "url": None}]}, "not deployed"),
    ],
)
def test_an_undeployed_system_is_not_proved(
    prove_tracer: ModuleType, change: dict[str, object], says: str
) -> None:
    """The message says what is missing and what to do."""
    with pytest.raises(prove_tracer.NotProvedError, match=says):
        prove_tracer.parse_status({**STATUS, **change})


def test_a_stopped_cloud_is_named(prove_tracer: ModuleType) -> None:
    """Without the local cloud there is nobody to ask for a token."""
    status = {key: value for key, value in STATUS.items() if key != "token"}
    with pytest.raises(prove_tracer.NotProvedError, match="local cloud"):
        prove_tracer.parse_status(status)


def test_an_unreachable_service_is_one_line(prove_tracer: ModuleType) -> None:
    """A connection that is refused is no traceback."""
    with pytest.raises(prove_tracer.NotProvedError, match="could not be called"):
        prove_tracer.call("http://127.0.0.1:9/", "t")


def test_the_path_is_drawn_hop_by_hop_with_times(prove_tracer: ModuleType) -> None:
    """Each hop has its service, its revision and the time since the first."""
    hops = [
        {"service": "a", "revision": "a-1", "at": "2026-01-01T00:00:00.000000+00:00"},
        {"service": "b", "revision": "b-1", "at": "2026-01-01T00:00:00.012500+00:00"},
    ]
    first, second, last = prove_tracer.describe_path(hops, 0.05).splitlines()
    assert first.split() == ["1.", "a", "a-1", "+", "0.0", "ms"]
    assert second.split() == ["2.", "b", "b-1", "+", "12.5", "ms"]
    assert last.split() == ["3.", "verify-topic", "seen", "50", "ms", "after", "posting"]
