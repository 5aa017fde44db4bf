"""Which phases' successes still stand after failures and rollbacks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestration.conductor.phases import Phase
from orchestration.conductor.records import (
    RELEASE_OPTION,
    PhaseRecord,
    RunInputs,
    RunRecord,
    RunRecorder,
    RunStatus,
    last_run,
    record_refusal,
    recorded_phases,
    runs,
)
from orchestration.environments import Environment
from orchestration.errors import Blocked
from orchestration.settings import Settings

BEGAN = datetime(2026, 11, 1, tzinfo=UTC)


class History:
    """The runs of an environment, written one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.number = 0

    def run(
        self,
        status: RunStatus,
        *,
        succeeded: int = 0,
        failed: Phase | None = None,
        back_to: str | None = None,
        options: dict[str, str] | None = None,
    ) -> str:
        """Record a run in which the first phases have succeeded; give its id."""
        self.number += 1
        run_id = f"run-{self.number}"
        ended = [(phase, RunStatus.SUCCEEDED) for phase in list(Phase)[:succeeded]]
        if failed is not None:
            ended.append((failed, RunStatus.FAILED))
        record = RunRecord(
            run_id=run_id,
            environment="dev",
            status=status,
            started_at=BEGAN + timedelta(hours=self.number),
            inputs=RunInputs(
                architecture="a", architecture_sha256=f"sha-{self.number}", options=options or {}
            ),
            phases=tuple(
                PhaseRecord(phase=int(phase), title=phase.title, status=how) for phase, how in ended
            ),
        )
        RunRecorder(self.folder, record).finish(status, rolled_back_to=back_to)
        return run_id

    def standing(self) -> dict[str, str]:
        """Give the run that each phase's success is of."""
        found = recorded_phases(self.folder, BEGAN)
        return {phase.word: outcome.run_id for phase, outcome in found.items()}


def test_the_newest_success_of_each_phase_counts(tmp_path: Path) -> None:
    """0.14: a run that was stopped half-way adds what it did."""
    history = History(tmp_path)
    history.run(RunStatus.SUCCEEDED, succeeded=8)
    history.run(RunStatus.INTERRUPTED, succeeded=2)
    standing = history.standing()
    assert len(standing) == 8
    assert (standing["plan"], standing["iam"]) == ("run-2", "run-1")


def test_a_phase_that_failed_since_does_not_count(tmp_path: Path) -> None:
    """0.14: what failed may have changed half of what had succeeded before."""
    history = History(tmp_path)
    history.run(RunStatus.SUCCEEDED, succeeded=8)
    history.run(RunStatus.FAILED, succeeded=2, failed=Phase.IAM)
    assert "iam" not in history.standing()
    assert history.standing()["services"] == "run-1"


def test_what_was_rolled_back_does_not_count(tmp_path: Path) -> None:
    """0.14: after a rollback to a release, that release's phases are what stands."""
    history = History(tmp_path)
    first = history.run(RunStatus.SUCCEEDED, succeeded=8)
    history.run(RunStatus.SUCCEEDED, succeeded=8)
    history.run(RunStatus.ROLLED_BACK, options={RELEASE_OPTION: first}, back_to=first)
    assert set(history.standing().values()) == {first}
    history.run(RunStatus.ROLLED_BACK, succeeded=7, failed=Phase.SERVICES, back_to=first)
    assert set(history.standing().values()) == {first}


def test_after_a_rollback_to_nothing_or_one_that_stuck_nothing_counts(tmp_path: Path) -> None:
    """0.14: earlier runs that kept what they had made have lost it too."""
    history = History(tmp_path)
    history.run(RunStatus.FAILED, succeeded=5, failed=Phase.FOUNDATIONAL)
    assert len(history.standing()) == 5
    history.run(RunStatus.ROLLED_BACK, succeeded=5, back_to="")
    assert history.standing() == {}
    history.run(RunStatus.SUCCEEDED, succeeded=8)
    assert len(history.standing()) == 8
    history.run(RunStatus.STUCK, succeeded=7, failed=Phase.SERVICES)
    assert history.standing() == {}
    history.run(RunStatus.SUCCEEDED, succeeded=8)
    history.run(RunStatus.INTERRUPTED, options={RELEASE_OPTION: "run-4"})
    assert history.standing() == {}


def test_the_last_run_is_the_one_that_began_last(tmp_path: Path) -> None:
    """An id says when a run was queued; others may have begun before its turn came."""
    environment = Environment("dev", Settings(tmp_path))
    inputs = RunInputs(architecture="a", architecture_sha256="sha", options={})
    for run_id, hour in (("20261101-b", 1), ("20261101-a", 2)):
        record = RunRecord(
            run_id=run_id,
            environment="dev",
            status=RunStatus.RUNNING,
            started_at=BEGAN + timedelta(hours=hour),
            inputs=inputs,
        )
        RunRecorder(environment.runs_dir, record).finish(RunStatus.SUCCEEDED)
    last = last_run(environment.runs_dir)
    assert last is not None
    assert last.run_id == "20261101-a"


def test_a_refused_run_is_listed_and_hides_none_that_began(tmp_path: Path) -> None:
    """Its reason is on record; the run before it is still the last one that did anything."""
    environment = Environment("dev", Settings(tmp_path))
    inputs = RunInputs(architecture="a", architecture_sha256="sha", options={})
    began = RunRecorder.new(environment.runs_dir, "dev", inputs, "run-1")
    began.finish(RunStatus.FAILED)
    record_refusal(environment, "run-2", inputs, Blocked("the file has changed", hint="again"))
    record_refusal(environment, "run-1", inputs, Blocked("never"))
    refused, other = runs(environment.runs_dir)
    assert (refused.run_id, refused.status) == ("run-2", RunStatus.REFUSED)
    assert refused.error is not None
    assert (refused.error.code, refused.error.message) == ("blocked", "the file has changed")
    assert (other.run_id, other.status) == ("run-1", RunStatus.FAILED)
    assert last_run(environment.runs_dir) == began.record
