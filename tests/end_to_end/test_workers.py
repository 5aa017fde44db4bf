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
                [*command, "--lease", "3", "--stacks", "1", "--database-url", url],
                env=rehearsal.environ(),
                cwd=rehearsal.folder,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    def said(self, event: str) -> dict[str, str]:
        """Give what it said of each run of which it said this: by the run's environment."""
        return {
            fact.get("environment", ""): fact.get("end", "")
            for fact in self._facts()
            if fact["event"] == event
        }

    def stacks(self, event: str) -> list[str]:
        """Name the stacks of which it said this."""
        return [fact["stack"] for fact in self._facts() if fact["event"] == event]

    def stacks_in_hand(self) -> set[str]:
        """Name the stacks that it works on."""
        return set(self.stacks("stack_taken")) - set(self.stacks("stack_ended"))

    def _facts(self) -> list[dict[str, str]]:
        lines = self._output.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line[0] == "{" and line[-1] == "\n"]

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


def take_a_run(rehearsal: Rehearsal, url: str, both: list[Worker]) -> tuple[Worker, Worker]:
    """Queue a run of `red`; give the worker that took it, and the other one."""
    wait_for(lambda: all(worker.said("worker_started") for worker in both), both)
    queued = rehearsal.up(
        "--detach", "--target", "local", "--propagation", "none", "--database-url", url, env="red"
    )
    assert queued.returncode == 0, queued.stderr
    wait_for(lambda: any(worker.said("run_taken") for worker in both), both)
    driver = next(worker for worker in both if worker.said("run_taken"))
    return driver, next(worker for worker in both if worker is not driver)


def test_the_stacks_of_one_run_are_spread_and_outlive_a_worker(
    rehearsal: Rehearsal, workers: tuple[str, list[Worker]]
) -> None:
    """Step 4, item 2: both do stacks of the same run; what a dead one had, the other does."""
    url, both = workers
    driver, other = take_a_run(rehearsal, url, both)
    wait_for(lambda: driver.stacks("stack_taken") and other.stacks_in_hand(), both)
    lost = other.stacks_in_hand()
    other.process.kill()
    wait_for(lambda: driver.said("run_ended"), both)
    assert driver.said("run_ended") == {"red": "succeeded"}, driver.text()
    assert lost <= set(driver.stacks("stack_ended"))
    assert "resource_finished" in events(rehearsal, "red")
    again = rehearsal.run("preview", str(rehearsal.architecture), "--detailed-exitcode", env="red")
    assert again.returncode == 0, again.stdout + again.stderr


def test_a_worker_that_is_told_to_end_hands_its_run_back(
    rehearsal: Rehearsal, workers: tuple[str, list[Worker]]
) -> None:
    """SIGTERM loses nothing: it exits with 0, and the other goes on with the same run."""
    url, both = workers
    driver, other = take_a_run(rehearsal, url, both)
    wait_for(lambda: "serviceaccount/account:Account" in events(rehearsal, "red"), both)
    driver.process.terminate()
    assert driver.process.wait(COMMAND_TIMEOUT_S) == 0, driver.text()
    assert set(driver.said("run_handed_back")) == {"red"}
    assert driver.stacks_in_hand() == set()
    wait_for(lambda: other.said("run_ended"), both)
    assert other.said("run_ended") == {"red": "succeeded"}, other.text()
    assert "run_resumed" in events(rehearsal, "red")


def test_a_queue_needs_a_database_by_name(rehearsal: Rehearsal) -> None:
    """A file of one environment is nothing that workers could find."""
    refused = rehearsal.up("--detach")
    assert refused.returncode == 2
    assert "--database-url" in refused.stderr
