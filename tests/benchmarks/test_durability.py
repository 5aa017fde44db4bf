"""That the benchmark of durability runs what it says, and hears what runs write."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from benchmarks.durability import IN_PHASE, cost_table, costs
from orchestration.conductor.events import RunEvent, RunEventKind
from orchestration.conductor.phases import Phase


def test_each_way_of_running_is_measured() -> None:
    """Alone, with the journal, with journal and DBOS: all of them end, and cost time."""
    found = list(costs(runs=1))
    assert [cost.way for cost in found] == [
        "phases alone",
        "with the journal",
        "with journal and DBOS",
    ]
    assert all(cost.took_s[0] > 0 for cost in found)
    assert len(list(cost_table(found))) == 4


def test_runs_are_killed_at_what_they_write() -> None:
    """The benchmark reads `events.jsonl`; its patterns are those of events that there are."""
    written = [
        json.dumps(
            RunEvent(1, datetime.now(UTC), "run", kind, Phase(phase), {"stack": "s"}).to_json()
        )
        for phase in IN_PHASE
        for kind in RunEventKind
    ]
    for pattern in IN_PHASE.values():
        assert sum(pattern in line for line in written) == 1
