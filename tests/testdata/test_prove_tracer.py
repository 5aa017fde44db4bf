"""The demo's proof."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Status = dict[str, Any]


@pytest.fixture
def status(tmp_path: Path) -> Status:
    """Say what `conductor status --json` says of a deployed system."""
    token_file = tmp_path / "cloud.json"
    token_file.write_text(json.dumps({"deployer_token": "t"}))
    return {
        "project_id": "p",
        "services": [
            {"name": "tracer-publisher", "url": "http://127.0.0.1:1", "state": "ready"},
            {"name": "tracer-subscriber", "url": "http://127.0.0.1:2", "state": "ready"},
        ],
        "cloud": {
            "running": True,
            "pubsub_emulator_host": "127.0.0.1:3",
            "identity_token_url": "http://127.0.0.1:4/token",
            "token_file": str(token_file),
        },
    }


def test_the_status_says_all_that_the_proof_needs(prove_tracer: ModuleType, status: Status) -> None:
    """Where the publisher is, and how to identify oneself to it."""
    assert prove_tracer.parse_status(status) == prove_tracer.Deployed(
        project_id="p",
        publisher_url="http://127.0.0.1:1",
        pubsub_emulator_host="127.0.0.1:3",
        identity_token_url="http://127.0.0.1:4/token",
        token="t",
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"services": []}, "tracer-publisher is not deployed"),
        ({"services": [{"name": "tracer-publisher", "url": None}]}, "not deployed"),
        ({"cloud": {"running": False}}, "local cloud does not run"),
    ],
)
def test_an_undeployed_system_is_not_proved(
    prove_tracer: ModuleType, status: Status, change: Status, says: str
) -> None:
    """The message says what is missing."""
    with pytest.raises(prove_tracer.NotProvedError, match=says):
        prove_tracer.parse_status({**status, **change})


def test_a_missing_token_is_named(prove_tracer: ModuleType, tmp_path: Path) -> None:
    """The file that should hold it is in the message."""
    with pytest.raises(prove_tracer.NotProvedError, match=r"nothing\.json holds no token"):
        prove_tracer.read_token(tmp_path / "nothing.json")


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
