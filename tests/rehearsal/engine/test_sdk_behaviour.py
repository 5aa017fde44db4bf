"""What the unmodified Automation API makes of programs that misbehave and of updates that meet."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from engine_bench import Bench
from fake_provider import World
from pulumi import automation as auto


def test_unknown_keys_of_a_state_survive_updates(bench: Bench) -> None:
    """What another engine has written stays: on a resource that changes, on one that does not."""
    program = 'Thing("kept", name="kept"); Thing("changed", name="changed", size=SIZE)'
    bench.program(program.replace("SIZE", "1"))
    stack = bench.stack()
    stack.up()
    file = bench.checkpoint_file()
    document = json.loads(file.read_text())
    latest = document["checkpoint"]["latest"]
    latest["ofTomorrow"] = {"a": [1]}
    for resource in latest["resources"]:
        resource["ofAnotherEngine"] = {"urn": resource["urn"]}
    file.write_text(json.dumps(document))
    bench.program(program.replace("SIZE", "2"))
    stack.up()
    assert bench.latest()["ofTomorrow"] == {"a": [1]}
    for resource in bench.latest()["resources"]:
        assert resource["ofAnotherEngine"] == {"urn": resource["urn"]}


def test_program_that_prints_a_lot_loses_no_line(bench: Bench) -> None:
    """Thousands of lines and a very long one arrive whole and in order."""
    bench.program(
        """
        for number in range(3000):
            print("line", number)
        print("x" * 200_000)
        """
    )
    events: list[auto.EngineEvent] = []
    bench.stack().up(on_event=events.append)
    text = "".join(event.diagnostic_event.message for event in events if event.diagnostic_event)
    words = text.split()
    assert [int(word) for word in words if word.isdigit()] == list(range(3000))
    assert "x" * 200_000 in text


def test_second_update_is_refused_while_the_first_goes_on(
    bench: Bench, world: World, tmp_path: Path
) -> None:
    """The Automation API raises its own error for it, and the first update does not notice."""
    gate = tmp_path / "gate"
    bench.program(f'Thing("slow", name="slow", wait="{gate}")')
    stack = bench.stack()
    first: list[auto.UpResult] = []
    thread = threading.Thread(target=lambda: first.append(stack.up()))
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while world.done("create") != ["slow"]:
            assert time.monotonic() < deadline, "the first update did not begin"
            time.sleep(0.01)
        for operation in (stack.up, stack.refresh, stack.destroy):
            with pytest.raises(auto.ConcurrentUpdateError, match="currently locked by 1 lock"):
                operation()
    finally:
        gate.touch()
        thread.join()
    assert first[0].summary.result == "succeeded"
    assert set(bench.resources()) == {"demo-dev", "slow"}
