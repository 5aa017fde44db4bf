"""Two real worker processes on one PostgreSQL: runs spread, and outlive their worker."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from end_to_end.project import COMMAND_TIMEOUT_S, Rehearsal
from private_postgres import running_postgres

pytestmark = pytest.mark.timeout(400)
ENVIRONMENTS = ("red", "blue")


class Worker:
    """One `conductor worker`, and what it says."""

    def __init__(self, rehearsal: Rehearsal, url: str, output: Path) -> None:
        command = [sys.executable, "-m", "orchestration.cli.main", "worker", "--json"]
        self._output = output
        with output.open("w") as file:
            self.process = subprocess.Popen(
                [*command, "--lease", "3", "--database-url", url],
                env=rehearsal.environ(),
                cwd=rehearsal.folder,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    def said(self, event: str) -> dict[str, str]:
        """Give what it said of each run of which it said this: by the run's environment."""
        lines = [line for line in self._output.read_text().splitlines() if line.startswith("{")]
        facts = [json.loads(line) for line in lines]
        return {
            fact.get("environment", ""): fact.get("end", "")
            for fact in facts
            if fact["event"] == event
        }

    def text(self) -> str:
        """Give all that it said."""
        return self._output.read_text()


@pytest.fixture
def workers(rehearsal: Rehearsal, tmp_path: Path) -> Iterator[tuple[str, list[Worker]]]:
    """A database, and two workers that wait for runs in it."""
    with running_postgres() as server, ExitStack() as ended:
        url = server.make_database()
        started = []
        for number in range(2):
            worker = Worker(rehearsal, url, tmp_path / f"worker-{number}.log")
            ended.callback(worker.process.wait, 60)
            ended.callback(worker.process.kill)
            started.append(worker)
        yield url, started


def wait_for(what: Callable[[], object], workers: list[Worker]) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + COMMAND_TIMEOUT_S
    while not what():
        is_hopeless = time.monotonic() > deadline or all(w.process.poll() for w in workers)
        assert not is_hopeless, "\n".join(worker.text() for worker in workers)
        time.sleep(0.05)


def events(rehearsal: Rehearsal, environment: str) -> str:
    """Read the events of an environment's runs; there is one run in each."""
    runs = rehearsal.folder / ".conductor" / environment / "runs"
    return "".join(path.read_text() for path in runs.glob("*/events.jsonl"))


def test_a_killed_workers_run_is_finished_by_the_other(
    rehearsal: Rehearsal, workers: tuple[str, list[Worker]]
) -> None:
    """Step 4, item 2: two environments on two workers; a run taken over makes nothing twice."""
    url, both = workers
    wait_for(lambda: all(worker.said("worker_started") for worker in both), both)
    for environment in ENVIRONMENTS:
        queued = rehearsal.up(
            "--detach", "--target", "local", "--propagation", "none", "--database-url", url,
            env=environment,
        )  # fmt: skip
        assert queued.returncode == 0, queued.stderr
        assert "queued run" in queued.stdout
    wait_for(lambda: all(worker.said("run_taken") for worker in both), both)
    (lost,) = both[0].said("run_taken")
    wait_for(lambda: "serviceaccount/account:Account" in events(rehearsal, lost), both)
    both[0].process.kill()
    wait_for(lambda: set(both[1].said("run_ended")) == set(ENVIRONMENTS), both)
    assert set(both[1].said("run_ended").values()) == {"succeeded"}
    assert "run_resumed" in events(rehearsal, lost)
    for environment in ENVIRONMENTS:
        assert len(list((rehearsal.folder / ".conductor" / environment / "runs").iterdir())) == 1
        again = rehearsal.run(
            "preview", str(rehearsal.architecture), "--detailed-exitcode", env=environment
        )
        assert again.returncode == 0, again.stdout + again.stderr
    calls = (rehearsal.folder / ".conductor" / lost / "cloud" / "calls.jsonl").read_text()
    assert [line for line in calls.splitlines() if json.loads(line)["code"] >= 500] == []


def test_a_queue_needs_a_database_by_name(rehearsal: Rehearsal) -> None:
    """A file of one environment is nothing that workers could find."""
    refused = rehearsal.up("--detach")
    assert refused.returncode == 2
    assert "--database-url" in refused.stderr
