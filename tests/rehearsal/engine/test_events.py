"""Engine events of everything the engine does, read by the Automation API's own classes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from engine_bench import Bench
from fake_provider import World
from pulumi import automation as auto

RECORDINGS = Path(os.environ.get("CONDUCTOR_SHARED_TESTDATA", "/nonexistent")) / "real-engine"
BEFORE = """
base = Thing("base", name="one", key=pulumi.Output.secret("s"), deleteFirst=True)
Thing("named", name=base.name.apply(lambda name: name + "-named"))
Thing("moved", zone=1)
Thing("gone", name="gone", opts=Options(protect=True))
Thing("sized", name="sized", size=1, labels={"a": [1, {"b": 2}], "c": 3})
Thing("read", opts=Options(id="fake:index:Thing/there"))
Thing("mine", name="mine")
Thing("unwell", name="unwell")
Group("group", size=1)
pulumi.log.info("told"); pulumi.log.warn("warned"); pulumi.log.debug("whispered")
print("said")
"""
AFTER = """
base = Thing("base", name="two", key=pulumi.Output.secret("s"), deleteFirst=True)
Thing("named", name=base.name.apply(lambda name: name + "-named"))
Thing("moved", zone=2)
Thing("gone", name="gone")
Thing("sized", name="sized", size=2, labels={"a": [1, {"b": 3}], "d": 3})
Thing("read", name="read")
Thing("mine", opts=Options(id="fake:index:Thing/there"))
Thing("imported", name="there", opts=Options(import_="fake:index:Thing/there"))
Thing("unwell", name="unwell", fail="update")
Group("group", size=2)
"""


@pytest.fixture
def logs(bench: Bench, world: World, tmp_path: Path) -> list[list[dict[str, Any]]]:
    """The event logs of operations of every kind, with steps of every kind."""
    world.things["fake:index:Thing/there"] = {
        "name": "there",
        "id": "fake:index:Thing/there",
        "url": "fake://there",
    }
    stack = bench.stack()
    stack.set_config("key", auto.ConfigValue("hidden", secret=True))
    stack.set_config("open", auto.ConfigValue("shown"))
    logs: list[list[dict[str, Any]]] = []

    def run(*words: str) -> None:
        log = tmp_path / f"log-{len(logs)}"
        line = [*words, "-s", "dev", "--event-log", str(log)]
        bench.engine.execute(line, bench.root, {**os.environ, **bench.environ})
        logs.append([json.loads(text) for text in log.read_text().splitlines()])

    bench.program(BEFORE)
    run("preview")
    run("up", "--yes")
    bench.program(AFTER)
    run("preview", "--diff")
    run("up", "--yes", "--continue-on-error")
    bench.program(AFTER.replace('fail="update"', "size=1"))
    run("up", "--yes")
    world.things["fake:index:Thing/sized"]["size"] = 7
    world.things.pop("fake:index:Thing/mine", None)
    world.things.pop("fake:index:Thing/gone", None)
    run("refresh", "--preview-only")
    run("refresh", "--yes")
    bench.program("raise ValueError")
    run("up", "--yes")
    run("destroy", "--yes", "--preview-only")
    run("destroy", "--yes")
    return logs


def kind_of(event: Mapping[str, Any]) -> str:
    """Name an event's kind; empty for what is no event."""
    return next((key for key in event if key.endswith("Event")), "")


def fields_of(value: Mapping[str, Any], *path: str) -> Iterator[tuple[str, ...]]:
    """Yield an event's fields, each with its JSON type, as far down as the engine itself goes."""
    for name, item in value.items():
        is_number = isinstance(item, int | float) and not isinstance(item, bool)
        yield (*path, name, "number" if is_number else type(item).__name__)
        if isinstance(item, Mapping) and name in {kind_of(value), "metadata", "old", "new"}:
            yield from fields_of(item, *path, name)


def test_every_event_is_read_by_the_automation_api(logs: list[list[dict[str, Any]]]) -> None:
    """Each one parses; they are numbered, begin with the prelude and end with the cancel event."""
    ops = set()
    for log in logs:
        events = [auto.EngineEvent.from_json(event) for event in log]
        assert [event.sequence for event in events] == list(range(len(events)))
        assert events[0].prelude_event
        assert events[0].prelude_event.config == {"demo:key": "[secret]", "demo:open": "shown"}
        assert events[-1].cancel_event
        assert sum(event.summary_event is not None for event in events) == 1
        ops |= {
            part.metadata.op.value
            for event in events
            for part in (
                event.resource_pre_event,
                event.res_outputs_event,
                event.res_op_failed_event,
            )
            if part
        }
    assert ops >= {
        "same",
        "create",
        "update",
        "delete",
        "replace",
        "create-replacement",
        "delete-replaced",
        "read",
        "read-replacement",
        "refresh",
        "discard-replaced",
        "import",
    }
    assert "hidden" not in json.dumps(logs)


def test_events_have_the_fields_of_the_recorded_ones(logs: list[list[dict[str, Any]]]) -> None:
    """No field of ours is unknown to the recordings of a real engine, or of another type there."""
    if not RECORDINGS.is_dir():
        pytest.skip("CONDUCTOR_SHARED_TESTDATA does not name the recordings")
    recorded = {
        field
        for file in RECORDINGS.glob("*/*.json")
        for event in json.loads(file.read_text()).get("events", [])
        for field in fields_of(event)
    }
    kinds = {field[0] for field in recorded}
    unknown = {
        field
        for log in logs
        for event in log
        for field in fields_of(event)
        if field[0] in kinds and field not in recorded
    }
    assert unknown == {
        # No recorded operation created before it deleted, or failed to update.
        ("resourcePreEvent", "metadata", "old", "delete", "bool"),
        ("resOutputsEvent", "metadata", "old", "delete", "bool"),
        ("resOpFailedEvent", "metadata", "diffs", "list"),
        ("resOpFailedEvent", "metadata", "detailedDiff", "dict"),
    }
