"""Which phases a run does, and what must be on record for those that it leaves out.

Pure: records come in as values. A phase that is left out must have succeeded in this environment
before, with the same architecture, so that what it handed on still holds (requirement 0.14):
`records.recorded_phases` knows which successes do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestration.conductor.phases import Phase
from orchestration.conductor.state import RunState
from orchestration.errors import Blocked, UsageError


@dataclass(frozen=True, slots=True)
class PhaseOutcome:
    """A phase that has succeeded: with which architecture, and what was known after it."""

    run_id: str
    architecture_sha256: str
    state: RunState


def select_phases(skip: Sequence[str], only: Sequence[str]) -> frozenset[Phase]:
    """Read `--skip` and `--only`: numbers or names of phases.

    Raises:
        UsageError: both are given, a word names no phase, or no phase is left.
    """
    if skip and only:
        raise UsageError("--skip and --only exclude each other", hint="give one of them")
    if only:
        return frozenset(_phases(only, "--only"))
    left = frozenset(Phase) - frozenset(_phases(skip, "--skip"))
    if not left:
        raise UsageError("--skip leaves no phase to run", hint="skip fewer phases")
    return left


def _phases(words: Sequence[str], option: str) -> Iterable[Phase]:
    for word in (part.strip() for given in words for part in given.split(",")):
        try:
            yield BY_WORD[word.lower()]
        except KeyError:
            known = ", ".join(f"{int(phase)} or {phase.word}" for phase in Phase)
            raise UsageError(f"{option} {word!r} names no phase", hint=f"use {known}") from None


BY_WORD = {
    **{str(int(phase)): phase for phase in Phase},
    **{phase.word: phase for phase in Phase},
}


def state_for(
    selected: frozenset[Phase],
    recorded: Mapping[Phase, PhaseOutcome],
    architecture_sha256: str,
) -> RunState:
    """Gather what the phases that are left out have handed on.

    Every phase before the last one that runs counts; those after it are simply not reached.

    Raises:
        Blocked: one of them has not succeeded yet, or did so with another architecture; all are
            named.
    """
    needed = [phase for phase in Phase if phase < max(selected) and phase not in selected]
    missing = []
    for phase in needed:
        outcome = recorded.get(phase)
        if outcome is None:
            missing.append(f"phase {int(phase)} ({phase.title}) has no success that still stands")
        elif outcome.architecture_sha256 != architecture_sha256:
            missing.append(
                f"phase {int(phase)} ({phase.title}) last succeeded with another architecture"
                f" (run {outcome.run_id})"
            )
    if missing:
        raise Blocked(
            f"these phases cannot be left out: {'; '.join(missing)}",
            hint="run them too, or all phases",
        )
    state = RunState()
    for phase in needed:
        _take(state, phase, recorded[phase].state)
    return state


def _take(state: RunState, phase: Phase, known: RunState) -> None:
    """Copy what one phase hands on; see `conductor.Conductor` for who reads it."""
    match phase:
        case Phase.PLAN:
            state.plan = known.plan
        case Phase.IAM:
            state.accounts = known.accounts
        case Phase.IMAGES_AND_DIRECTOR:
            state.images, state.director = known.images, known.director
        case Phase.FOUNDATIONAL:
            state.dataflows = known.dataflows
        case Phase.SERVICES:
            state.services = known.services
        case Phase.PREREQUISITES | Phase.ARTIFACTS | Phase.RESOURCE_IAM:
            pass
