"""Thousands of seeded schedules of a misbehaving Pub/Sub and a crashing director."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
import structlog

from orchestration.director.messages import CompletionStatus
from tests.orchestration.director.simulation import (
    CRASH_POINTS,
    TIMEOUT_S,
    Outcome,
    Simulation,
    Weather,
)

SCHEDULES = 2_500


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Keep the log of thousands of mishaps out of the test's output."""
    with structlog.testing.capture_logs():
        yield


def answered_rightly(outcome: Outcome) -> bool:
    """Say whether every answer is that of its own command, and is what the ledger holds."""
    for command_id, answer in outcome.answers.items():
        command = outcome.commands[command_id]
        if answer is None:
            continue
        if (answer.command_id, answer.run_id, answer.dataflow) != (
            command_id,
            command.run_id,
            command.dataflow,
        ):
            return False
        if answer.status is CompletionStatus.OK and answer != outcome.ledger[command_id]:
            return False
    return True


def test_every_command_has_its_effect_once_and_its_own_answer() -> None:
    """0.8, G1 to G4, cases 12 to 18: whatever is lost, repeated, late, rubbish or crashed."""
    crashes: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    for seed in range(SCHEDULES):
        outcome = Simulation(seed, Weather()).run()
        crashes += outcome.crashes
        assert outcome.needless_effects == [], seed
        assert outcome.answers.keys() == outcome.commands.keys(), seed
        assert answered_rightly(outcome), seed
        for command_id, answer in outcome.answers.items():
            assert answer is not None, (seed, command_id)
            statuses[answer.error.code if answer.error else "ok"] += 1
            effects = outcome.effects[command_id]
            assert effects <= 1 + outcome.excuses[command_id], (seed, command_id)
            assert effects >= (answer.status is CompletionStatus.OK), (seed, command_id)
    assert set(crashes) == set(CRASH_POINTS)
    # An overtaken conductor is told so; there is no other failure.
    assert set(statuses) == {"ok", "older-generation"}


def test_without_crashes_every_effect_is_had_at_most_once() -> None:
    """0.8: messages alone, however they come, never repeat an effect."""
    for seed in range(500):
        outcome = Simulation(seed, Weather(crash=0.0, duplicate=0.9)).run()
        assert set(outcome.effects.values()) <= {1}, seed


def test_a_director_that_is_gone_ends_in_a_timeout_on_time() -> None:
    """0.8, case 19: no answer is a clear end, neither early nor late."""
    ended = 0
    for seed in range(500):
        outcome = Simulation(seed, Weather(director_ends_s=15.0)).run()
        assert answered_rightly(outcome), seed
        assert outcome.answers.keys() == outcome.commands.keys(), seed
        for waited_s in outcome.timed_out_at_s.values():
            assert waited_s == pytest.approx(TIMEOUT_S), seed
            ended += 1
    assert ended
