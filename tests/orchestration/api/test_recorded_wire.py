"""What the agents of document 004 send is understood, and answered with the fields they read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest

# What the prototype answered, and the route that answers it here; its mistakes are not repeated.
SKIPPED = {
    # It has run plans since; nothing here can yet, and says so.
    "/execute",
}


# Fields of plans and tasks that have run, as the recorded ones had.
OF_A_RUN = {"started_at", "completed_at"}


@pytest.fixture
def recorded() -> list[dict[str, Any]]:
    """Every exchange that was recorded."""
    shared = os.environ.get("CONDUCTOR_SHARED_TESTDATA")
    if not shared:
        pytest.skip("CONDUCTOR_SHARED_TESTDATA names no folder with recorded exchanges")
    found: list[dict[str, Any]] = json.loads((Path(shared) / "coordination-wire.json").read_text())
    return found


def with_ids(path: str, ids: dict[str, str]) -> str:
    """Put the ids of this server in the place of the recorded ones."""
    for old, new in ids.items():
        path = path.replace(old, new)
    return path


def note_ids(before: Any, now: Any, ids: dict[str, str]) -> None:
    """Pair the ids of a recorded answer with those of the answer given now."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key, value in before.items():
            if key in {"id", "agent_id", "task_id"} and isinstance(value, str):
                if isinstance(now.get(key), str):
                    ids.setdefault(value, now[key])
            else:
                note_ids(value, now.get(key), ids)
    elif isinstance(before, list) and isinstance(now, list) and before and now:
        note_ids(before[0], now[0], ids)


def test_recorded_requests_are_answered_with_the_recorded_fields(
    client: httpx.Client, recorded: list[dict[str, Any]]
) -> None:
    """Step 5, item 1: replies may add fields, never lack one; errors carry `error`."""
    ids: dict[str, str] = {}
    for exchange in recorded:
        path = with_ids(exchange["path"], ids)
        if "/approvals/" in path or any(path.endswith(end) for end in SKIPPED):
            continue  # They are about approvals of an earlier request, which was not recorded.
        body = exchange["request"]
        if body and body.get("execute_now"):
            # Ruling C9: an action that nobody offers is refused where it is to run at once.
            body = {**body, "execute_now": False}
        answer = client.request(exchange["method"], path, json=body)
        if exchange["status"] >= 400:
            assert answer.status_code >= 400, path
            assert answer.json()["error"]
            continue
        assert answer.status_code == exchange["status"], (path, answer.text)
        said = answer.json()
        assert set(exchange["response"]) - OF_A_RUN <= set(said), path
        note_ids(exchange["response"], said, ids)
