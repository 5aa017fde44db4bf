"""What it costs that a run survives its process, and how soon a killed run is back where it was.

    python benchmarks/durability.py [--runs 30] [--kills 2,4,5,7]

First a run's eight phases over parts that do nothing: alone, with the journal, and with the
journal and DBOS as `up` has it, on SQLite in a temporary folder; the process starts but once.
Then the sample system: its `up` is killed with -9 in the middle of a phase and run again, until
the phase has begun again in which it was; and beside that the time to there without any kill.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.deployment import SAMPLE, Project
from orchestration.conductor.conductor import Conductor
from orchestration.conductor.events import RunLog
from orchestration.conductor.fakes import FakeParts
from orchestration.conductor.script import KeepEverything, RunScript
from orchestration.durable.database import open_database
from orchestration.durable.journal_store import JournalStore
from orchestration.durable.lease import held_lease
from orchestration.durable.workflows import RunEnd, go_through, launched
from orchestration.environments import Environment
from orchestration.settings import Settings

# In the middle of each phase that takes a while: the first thing that is made or sent in it.
IN_PHASE: Final[Mapping[int, str]] = {
    2: '"resource_finished", "phase": 2',
    4: '"resource_finished", "phase": 4',
    5: '"command_sent", "phase": 5',
    7: '"resource_started", "phase": 7',
}
LONGEST_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What one way of running costs: seconds and processor seconds of each run."""

    way: str
    took_s: tuple[float, ...]
    processor_s: tuple[float, ...]


def costs(runs: int) -> Iterator[Cost]:
    """Run the phases over parts that do nothing, in each way."""
    with tempfile.TemporaryDirectory(prefix="conductor-benchmark-") as name, ExitStack() as open_:
        environment = Environment("local", Settings(Path(name)))
        environment.folder.mkdir(parents=True)
        engine = open_database(f"sqlite:///{environment.database_file}")
        open_.callback(engine.dispose)
        lease = open_.enter_context(held_lease(engine, environment, "benchmark"))
        journal = JournalStore(engine, environment.name, lease)
        workflows = open_.enter_context(launched(engine, environment.name))

        def script(run_id: str) -> RunScript:
            return RunScript(run_id, _conductor(run_id), journal, KeepEverything())

        def journalled(run_id: str) -> None:
            end = go_through(script(run_id), lambda _name, do, *given: do(*given))
            assert end is RunEnd.SUCCEEDED

        def durable(run_id: str) -> None:
            assert workflows.start(run_id, script(run_id)) is RunEnd.SUCCEEDED

        yield _cost("phases alone", lambda run_id: _conductor(run_id).run(), runs)
        yield _cost("with the journal", journalled, runs)
        yield _cost("with journal and DBOS", durable, runs)


def _conductor(run_id: str) -> Conductor:
    return Conductor(FakeParts().parts(), RunLog(run_id, []), lambda _state: None)


def _cost(way: str, run: Callable[[str], object], runs: int) -> Cost:
    took, processor = [], []
    run(f"{way} first")  # What is made at the first use is no part of a run.
    for number in range(runs):
        began_s, began_processor_s = time.perf_counter(), time.process_time()
        run(f"{way} {number}")
        took.append(time.perf_counter() - began_s)
        processor.append(time.process_time() - began_processor_s)
    return Cost(way, tuple(took), tuple(processor))


@dataclass(frozen=True, slots=True)
class Resumption:
    """A killed run: seconds from the start of its command to the phase in which it was killed."""

    phase: int
    first_s: float
    resumed_s: float


class KilledRun:
    """The sample's `up` in a project folder of its own, watched by what it writes down."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs = folder / ".conductor" / "local" / "runs"
        self._project = Project(folder)

    def resumed(self, phase: int) -> Resumption:
        """Kill a first run in the phase, and take it up again until it has ended."""
        try:
            first_s = self._up(phase, is_killed=True)
            resumed_s = self._up(phase, is_killed=False)
        finally:
            self._project.conductor("cloud", "stop")
        return Resumption(phase, first_s, resumed_s)

    def _up(self, phase: int, *, is_killed: bool) -> float:
        """Run `up`; give the seconds until it says that the phase has begun."""
        words = ("up", SAMPLE, "--propagation", "none", "--env", "local")
        begun = f'"phase_started", "phase": {phase}'
        known = self._said(begun)
        began_s = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestration.cli.main", *words],
            cwd=self._folder,
            env={**os.environ, "CONDUCTOR_PROJECT_DIR": str(self._folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._wait_for(begun, process, known)
            took_s = time.perf_counter() - began_s
            if is_killed:
                self._wait_for(IN_PHASE[phase], process, 0)
                process.send_signal(signal.SIGKILL)
                process.wait()
            elif process.wait(LONGEST_S) != 0:
                sys.exit(f"the resumed run failed; see {self._folder}")
        finally:
            process.kill()
        return took_s

    def _said(self, what: str) -> int:
        return sum(file.read_text().count(what) for file in self._runs.glob("*/events.jsonl"))

    def _wait_for(self, what: str, process: subprocess.Popen[bytes], known: int) -> None:
        while self._said(what) <= known:
            if process.poll() is not None:
                sys.exit(f"`up` ended ({process.returncode}) before it wrote {what}")
            time.sleep(0.02)


def resumptions(phases: Sequence[int]) -> Iterator[Resumption]:
    """Kill and resume a run in each of the phases."""
    for phase in phases:
        with tempfile.TemporaryDirectory(prefix="conductor-benchmark-") as name:
            yield KilledRun(Path(name)).resumed(phase)


def cost_table(found: Sequence[Cost]) -> Iterator[str]:
    """Yield the lines of the first table: milliseconds a run."""
    yield f"{'':<24}{'min ms':>9}{'median ms':>11}{'processor ms':>14}"
    for cost in found:
        yield (
            f"{cost.way:<24}{1000 * min(cost.took_s):>9.1f}"
            f"{1000 * statistics.median(cost.took_s):>11.1f}"
            f"{1000 * statistics.median(cost.processor_s):>14.1f}"
        )


def resumption_table(found: Sequence[Resumption]) -> Iterator[str]:
    """Yield the lines of the second table: seconds until the phase begins."""
    yield f"{'killed in phase':<24}{'at first s':>11}{'resumed s':>11}"
    for item in found:
        yield f"{item.phase:<24}{item.first_s:>11.1f}{item.resumed_s:>11.1f}"


def main() -> None:
    """Measure both and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=30, help="how often each way; 30 unless told")
    parser.add_argument(
        "--kills",
        type=lambda text: [int(word) for word in text.split(",") if word],
        default=list(IN_PHASE),
        help=f"phases to kill in, of {','.join(map(str, IN_PHASE))}; all unless told",
    )
    options = parser.parse_args()
    sys.stdout.write("\n".join(cost_table(list(costs(options.runs)))) + "\n\n")
    sys.stdout.write("\n".join(resumption_table(list(resumptions(options.kills)))) + "\n")


if __name__ == "__main__":
    main()
