"""Over a thousand seeded delays of grants, on virtual time."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Iterable, Sequence

import pytest

from benchmarks.access import (
    ABSURD,
    FixedPoll,
    Schedule,
    Waited,
    go_of_fixed_poll,
    go_of_product,
    right_priors,
    schedules,
    wrong_priors,
)
from orchestration.access.pacing import Pace, Prior
from orchestration.errors import GrantsNotEffective

SEED = 6
COUNT = 1_200
PRIORS: dict[str, Callable[[Sequence[Schedule]], Iterable[Prior | None]]] = {
    "no priors": lambda drawn: [None] * len(drawn),
    "right priors": lambda drawn: right_priors(SEED, drawn),
    "wrong priors": lambda drawn: wrong_priors(SEED, drawn),
    "absurd priors": lambda drawn: itertools.islice(itertools.cycle(ABSURD), len(drawn)),
}


@pytest.fixture(scope="module", params=PRIORS)
def waited(request: pytest.FixtureRequest) -> list[tuple[Schedule, Waited]]:
    """Every schedule, waited for by the product with one kind of priors; none times out."""
    drawn = list(schedules(SEED, COUNT))
    known = PRIORS[request.param](drawn)
    return [(s, go_of_product(s, prior=prior)) for s, prior in zip(drawn, known, strict=True)]


def lateness(priors: str) -> tuple[float, float]:
    """Give the median of how much too late goes come, as a part of the delay, and the calls."""
    drawn = list(schedules(SEED, COUNT // 4))
    found = [go_of_product(s, prior=p) for s, p in zip(drawn, PRIORS[priors](drawn), strict=True)]
    late = [(w.go_s - s.delay_s) / s.delay_s for s, w in zip(drawn, found, strict=True)]
    return statistics.median(late), statistics.mean(w.calls for w in found)


def test_no_go_comes_before_a_grant_works_for_good(waited: list[tuple[Schedule, Waited]]) -> None:
    """0.6, case 22: neither a delay nor a false start within the window fools the wait."""
    assert len(waited) == COUNT
    assert [schedule for schedule, found in waited if found.go_s < schedule.delay_s] == []
    assert sum(1 for schedule, _ in waited if schedule.false_starts) > COUNT / 3


def test_the_delays_span_what_google_documents(waited: list[tuple[Schedule, Waited]]) -> None:
    """0.6: five seconds to seven minutes."""
    delays = [schedule.delay_s for schedule, _ in waited]
    assert min(delays) < 6
    assert max(delays) > 400
    assert all(5 <= delay_s <= 420 for delay_s in delays)


def test_the_median_overshoot_is_at_most_a_tenth(waited: list[tuple[Schedule, Waited]]) -> None:
    """0.6: and no slower than it must be, the confirmation included."""
    overshoots = [(found.go_s - s.delay_s) / s.delay_s for s, found in waited]
    assert statistics.median(overshoots) <= 0.10


def test_what_earlier_runs_have_taught_is_worth_something() -> None:
    """0.6: right priors make a go come sooner and cost fewer calls."""
    late, calls = lateness("right priors")
    late_without, calls_without = lateness("no priors")
    assert late < 0.8 * late_without
    assert calls < calls_without


def test_a_fixed_poll_is_fooled_by_false_starts() -> None:
    """The schedules can tell a wait that does not confirm from one that does."""
    assert any(
        go_of_fixed_poll(schedule, FixedPoll()).go_s < schedule.delay_s
        for schedule in schedules(SEED, COUNT)
    )


@pytest.mark.parametrize("before_s", [0.05, 0.3, 1.0])
def test_what_works_just_before_the_deadline_is_no_timeout(before_s: float) -> None:
    """0.6: the confirmation of a grant that came in time may end after the deadline."""
    pace = Pace(deadline_s=60)
    schedule = Schedule(pace.deadline_s - before_s, ())
    assert go_of_product(schedule, pace).go_s >= schedule.delay_s


def test_what_never_works_times_out_at_the_deadline() -> None:
    """0.6: and what works too late is not waited for."""
    with pytest.raises(GrantsNotEffective, match="after 60 s"):
        go_of_product(Schedule(75, ()), Pace(deadline_s=60))
