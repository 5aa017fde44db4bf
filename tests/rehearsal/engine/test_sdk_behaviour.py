"""What the unmodified Automation API makes of programs that misbehave and of updates that meet."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from engine_bench import Bench, wait_until
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


@contextmanager
def update_under_way(bench: Bench, world: World, gate: Path) -> Iterator[auto.Stack]:
    """Hold an update in the middle of a creation; see that it succeeds in the end."""
    bench.program(f'Thing("slow", name="slow", wait="{gate}")')
    stack = bench.stack()
    first: list[auto.UpResult] = []
    thread = threading.Thread(target=lambda: first.append(stack.up()))
    thread.start()
    try:
        wait_until(lambda: world.done("create") == ["slow"])
        yield stack
    finally:
        gate.touch()
        thread.join()
    assert first[0].summary.result == "succeeded"


def test_second_update_is_refused_while_the_first_goes_on(
    bench: Bench, world: World, tmp_path: Path
) -> None:
    """The Automation API raises its own error for it, and the first update does not notice."""
    with update_under_way(bench, world, tmp_path / "gate") as stack:
        for operation in (stack.up, stack.refresh, stack.destroy):
            with pytest.raises(auto.ConcurrentUpdateError, match="currently locked by 1 lock"):
                operation()
    assert set(bench.resources()) == {"demo-dev", "slow"}


RACER = """
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from rehearsal.engine.backend.locks import held
from rehearsal.engine.errors import CommandFailedError
folder, done = Path(sys.argv[2]), Path(sys.argv[3])
sys.stdin.readline()
try:
    with held(folder):
        print("won", flush=True)
        sys.stdin.readline()
except CommandFailedError as error:
    print("lost" if "currently locked by" in str(error) else error, flush=True)
"""


def test_of_several_processes_one_gets_the_lock(tmp_path: Path) -> None:
    """However close they come: never two hold it, and hardly ever none."""
    words = [sys.executable, "-c", RACER, str(Path(__file__).parents[3]), str(tmp_path), "x"]
    winners = []
    for _ in range(4):
        racers = [
            subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(3)
        ]
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        outcomes = [racer.stdout.readline() for racer in racers if racer.stdout]
        for racer in racers:
            racer.communicate()
        assert set(outcomes) <= {"won\n", "lost\n"}
        winners.append(outcomes.count("won\n"))
    assert winners == [1, 1, 1, 1]
    assert list(tmp_path.iterdir()) == []


def test_threads_that_update_one_stack_at_once(bench: Bench, world: World) -> None:
    """One comes up; whoever comes while it does has the Automation API's error for it."""
    bench.program('Thing("t", name="t")')
    stack = bench.stack()
    start = threading.Barrier(5)
    outcomes: list[str] = []

    def up() -> None:
        start.wait()
        try:
            stack.up()
            outcomes.append("up")
        except auto.ConcurrentUpdateError:
            outcomes.append("busy")

    threads = [threading.Thread(target=up) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 5
    assert "up" in outcomes
    assert world.done("create") == ["t"]


def test_cancel_breaks_the_lock_and_leaves_the_update_alone(
    bench: Bench, world: World, tmp_path: Path
) -> None:
    """As the real engine's: no process is told, and the next update may begin."""
    with update_under_way(bench, world, tmp_path / "gate") as stack:
        stack.cancel()
        assert stack.refresh().summary.result == "succeeded"
