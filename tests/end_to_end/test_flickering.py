"""A whole run on a cloud whose grants work for a moment before they work for good."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime
from pathlib import Path

import pytest
from end_to_end.project import Rehearsal

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]

# What the project's owner may do without any grant; `testIamPermissions` says so at once.
OWNED = "roles/iam.serviceAccountUser"


def works_for_good_at(folder: Path) -> dict[tuple[str, str, str], tuple[float, int]]:
    """Read from the cloud when each grant last changed, and in how many steps.

    The key is the last part of the resource's name, the role and the member.
    """
    with sqlite3.connect(folder / ".conductor/local/cloud/state.sqlite") as database:
        rows = database.execute("SELECT name, body FROM bodies WHERE kind = 'iam.policies'")
        return {
            (name.rpartition("/")[2], role, member): (changes[-1][0], len(changes))
            for name, body in rows
            for role, member, changes in json.loads(body)["changes"]
        }


def test_no_phase_begins_before_its_grants_work_for_good(rehearsal: Rehearsal) -> None:
    """0.6, case 22: each go of a real run comes after the last change of its grant."""
    done = rehearsal.up("--propagation", "flickering")
    assert done.returncode == 0, done.stdout + done.stderr
    moments = works_for_good_at(rehearsal.folder)
    (events,) = (rehearsal.folder / ".conductor/local/runs").glob("*/events.jsonl")
    went = [
        event
        for event in map(json.loads, events.read_text().splitlines())
        if event["event"] == "grant_effective" and event["role"] != OWNED
    ]
    assert len(went) >= 10
    flickered = 0
    for event in went:
        resource = event["resource"].rpartition(" ")[2]
        works_at, changes = moments[resource, event["role"], event["member"]]
        assert datetime.fromisoformat(event["at"]).timestamp() >= works_at, event
        flickered += changes > 1
    assert flickered >= 2
    learned = json.loads((rehearsal.folder / ".conductor/local/propagation.json").read_text())
    assert {event["role"] for event in went if event["delay_s"] > 0.5} <= {*learned["delays_s"]}
