"""Which phases run, and what must be on record for those that do not."""

from __future__ import annotations

from itertools import chain, combinations

import pytest

from orchestration.conductor.conductor import Conductor
from orchestration.conductor.events import RunLog
from orchestration.conductor.fakes import FakeParts
from orchestration.conductor.phases import Phase
from orchestration.conductor.selection import PhaseOutcome, select_phases, state_for
from orchestration.conductor.state import RunState
from orchestration.errors import Blocked, UsageError

ALL_SETS = [
    frozenset(chosen)
    for chosen in chain.from_iterable(
        combinations(Phase, size) for size in range(1, len(Phase) + 1)
    )
]


def full_state() -> RunState:
    """Give the state after a whole run."""
    return Conductor(FakeParts().parts(), RunLog("run-0", []), lambda _state: None).run()


def recorded(upto: int, sha256: str = "a") -> dict[Phase, PhaseOutcome]:
    """Give the records of an environment in which the first phases have succeeded."""
    state = full_state()
    return {phase: PhaseOutcome("run-0", sha256, state) for phase in Phase if phase < upto}


@pytest.mark.parametrize("upto", range(len(Phase) + 1))
def test_every_set_of_phases_runs_or_is_refused_with_what_is_missing(upto: int) -> None:
    """0.14: over all 255 sets, however far the environment has come."""
    records = recorded(upto)
    for selected in ALL_SETS:
        skipped = [phase for phase in Phase if phase < max(selected) and phase not in selected]
        missing = [phase for phase in skipped if phase >= upto]
        if missing:
            with pytest.raises(Blocked) as caught:
                state_for(selected, records, "a")
            for phase in missing:
                assert f"phase {int(phase)} ({phase.title}) has no success" in caught.value.message
            continue
        conductor = Conductor(
            FakeParts().parts(),
            RunLog("run-1", []),
            lambda _state: None,
            state_for(selected, records, "a"),
        )
        for phase in sorted(selected):
            conductor.run_phase(phase)


def test_a_record_of_another_architecture_does_not_count() -> None:
    """G20: a service that was added since has no account yet."""
    with pytest.raises(Blocked, match=r"phase 2 \(IAM\) last succeeded with another") as caught:
        state_for(frozenset({Phase.SERVICES}), recorded(8, sha256="old"), "new")
    assert caught.value.exit_code == 3


def test_words_and_numbers_name_phases() -> None:
    """What people type."""
    assert select_phases([], []) == frozenset(Phase)
    assert select_phases(["2,images-and-director"], []) == frozenset(Phase) - {
        Phase.IAM,
        Phase.IMAGES_AND_DIRECTOR,
    }
    assert select_phases([], ["7", "plan"]) == {Phase.SERVICES, Phase.PLAN}


@pytest.mark.parametrize(
    ("skip", "only", "said"),
    [
        (["8"], [], "'8' names no phase"),
        ([], ["magic"], "'magic' names no phase"),
        (["1"], ["2"], "exclude each other"),
        (["0,1,2,3,4,5,6,7"], [], "leaves no phase"),
    ],
)
def test_a_wrong_selection_is_a_wrong_call(skip: list[str], only: list[str], said: str) -> None:
    """Exit 2, and which words there are."""
    with pytest.raises(UsageError, match=said):
        select_phases(skip, only)
