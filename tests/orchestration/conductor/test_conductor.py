"""The conductor's order of phases, state passed between them, and failures in each."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from orchestration.conductor.conductor import Conductor
from orchestration.conductor.events import RunEvent, RunEventKind, RunLog
from orchestration.conductor.fakes import PLAN, FakeParts
from orchestration.conductor.phases import Phase
from orchestration.conductor.state import RunState
from orchestration.errors import BuildFailed, ConductorError, PhaseFailed, SeveralFailed

# The call that each phase cannot do without.
CALL_OF_PHASE = {
    Phase.PLAN: "plan",
    Phase.PREREQUISITES: "check",
    Phase.IAM: "set_up_iam",
    Phase.ARTIFACTS: "prepare",
    Phase.IMAGES_AND_DIRECTOR: "build_all",
    Phase.FOUNDATIONAL: "director orders supply",
    Phase.RESOURCE_IAM: "wait dataflow orders",
    Phase.SERVICES: "deploy supply",
}


class Run:
    """One run over fakes, with what it left."""

    def __init__(self) -> None:
        self.fakes = FakeParts()
        self.events: list[RunEvent] = []
        self.states: list[RunState] = []

    def go(self) -> RunState:
        """Run all phases."""
        log = RunLog("run-1", [self.events.append])
        return Conductor(self.fakes.parts(), log, self.states.append).run()

    def phases(self, kind: RunEventKind) -> list[Phase | None]:
        """Name the phases of all events of a kind, in order."""
        return [event.phase for event in self.events if event.kind is kind]


def test_one_call_goes_from_the_plan_to_running_services() -> None:
    """0.1, 0.13: all phases run in the documented order, and end with every URL."""
    run = Run()
    state = run.go()
    assert run.phases(RunEventKind.PHASE_STARTED) == list(Phase)
    assert run.phases(RunEventKind.PHASE_FINISHED) == list(Phase)
    assert set(state.urls) == {*PLAN.services, PLAN.director}
    assert state.accounts is not None
    assert state.images is not None
    assert len(state.stacks) == 7


def test_a_phase_ends_before_the_next_one_starts() -> None:
    """0.13, 0.21: starts and ends alternate, and every end has a duration and a summary."""
    run = Run()
    run.go()
    boundaries = [
        event
        for event in run.events
        if event.kind in {RunEventKind.PHASE_STARTED, RunEventKind.PHASE_FINISHED}
    ]
    kinds = [event.kind for event in boundaries]
    assert kinds == [RunEventKind.PHASE_STARTED, RunEventKind.PHASE_FINISHED] * len(Phase)
    for event in boundaries[1::2]:
        assert isinstance(event.fields["duration_s"], float)
        assert event.fields["summary"]


@pytest.mark.parametrize("phase", list(Phase))
def test_a_failing_phase_is_the_last_one(phase: Phase) -> None:
    """0.13: what fails in phase k keeps phase k+1 from starting, and keeps the state so far."""
    run = Run()
    run.fakes.failing[CALL_OF_PHASE[phase]] = PhaseFailed("no luck")
    with pytest.raises(PhaseFailed, match="no luck"):
        run.go()
    assert run.phases(RunEventKind.PHASE_STARTED) == [p for p in Phase if p <= phase]
    assert run.phases(RunEventKind.PHASE_FINISHED) == [p for p in Phase if p < phase]
    assert run.phases(RunEventKind.PHASE_FAILED) == [phase]
    assert run.states, "the state so far is recorded"


def test_a_defect_is_not_mistaken_for_a_failure() -> None:
    """An exception that is none of ours comes through as it is."""
    run = Run()
    run.fakes.failing["deploy orders"] = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        run.go()


def test_images_and_director_go_side_by_side() -> None:
    """2.2, design 5: the director is deployed while the images are still being built."""
    run = Run()
    meeting = threading.Barrier(2, timeout=10)

    def meet(call: str) -> None:
        if call in {"build_all", "deploy_director"}:
            meeting.wait()

    run.fakes.on_call = meet
    run.go()


def test_a_failed_build_does_not_abandon_the_director() -> None:
    """2.3, 2.5: both errors of phase 4 are told, and the director's work was done to its end."""
    run = Run()
    run.fakes.failing["build_all"] = BuildFailed("cart was not built")
    run.fakes.failing["wait director"] = PhaseFailed("no grant")
    with pytest.raises(SeveralFailed) as caught:
        run.go()
    assert "cart was not built [build-failed]" in caught.value.message
    assert "no grant [phase-failed]" in caught.value.message
    assert "deploy_director" in run.fakes.calls


def test_the_directors_grants_work_before_its_health_is_asked() -> None:
    """0.9: grants are awaited before anything uses them."""
    run = Run()
    run.go()
    calls = run.fakes.calls
    healthy = calls.index("healthy director http://director")
    assert calls.index("deploy_director") < calls.index("wait director") < healthy
    assert healthy < calls.index("director orders supply")


def test_services_go_up_by_level_and_are_asked_for_their_health() -> None:
    """0.12: a dataflow's services wait for those they depend on; all are healthy at the end."""
    run = Run()
    run.go()
    calls = run.fakes.calls
    assert calls.index("deploy supply") < calls.index("deploy orders")
    for name in PLAN.services:
        assert f"healthy {name} http://{name}" in calls


def test_every_services_error_is_told() -> None:
    """2.5: failures of several services in one level are one error with all words."""
    run = Run()
    for name in ("cart", "mail"):
        run.fakes.failing[f"healthy {name} http://{name}"] = PhaseFailed(f"{name} is ill")
    with pytest.raises(SeveralFailed) as caught:
        run.go()
    assert "cart is ill" in caught.value.message
    assert "mail is ill" in caught.value.message
    assert "healthy stock http://stock" in run.fakes.calls


def test_grants_of_every_layer_are_in_the_report() -> None:
    """0.6, 0.11: each wait's measured delays end in the state."""
    run = Run()
    state = run.go()
    assert {grant.resource for grant in state.grants} == {
        "foundation/None",
        "director/None",
        "dataflow/orders",
        "dataflow/supply",
        "services/orders",
        "services/supply",
    }


def test_the_conductor_imports_no_cloud_and_no_pulumi() -> None:
    """0.2: a pure orchestrator; checked in a fresh interpreter."""
    import subprocess  # noqa: PLC0415
    import sys  # noqa: PLC0415

    program = (
        "import sys, orchestration.conductor.conductor, orchestration.conductor.fakes;"
        "print([m for m in ('pulumi', 'google.cloud', 'grpc', 'httpx', 'rehearsal')"
        " if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_events_are_numbered_whatever_thread_they_come_from() -> None:
    """0.20: fifty threads at once lose no event and repeat no number."""
    seen: list[RunEvent] = []
    log = RunLog("run-1", [seen.append])
    work: list[Callable[[], None]] = [
        lambda: log.emit(RunEventKind.NOTED, message="x") for _ in range(50)
    ]
    threads = [threading.Thread(target=job) for job in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [event.sequence for event in seen] == list(range(50))


def test_errors_of_ours_have_codes_and_exit_codes() -> None:
    """House style: each class has a stable kebab-case code and a documented exit code."""

    def classes(root: type[ConductorError]) -> list[type[ConductorError]]:
        return [root, *(c for sub in root.__subclasses__() for c in classes(sub))]

    found = classes(ConductorError)
    codes = [kind.code for kind in found]
    assert len(set(codes)) == len(codes)
    assert all(code == code.lower() and " " not in code for code in codes)
    assert {kind.exit_code for kind in found} <= {1, 2, 3, 4, 5, 130}
