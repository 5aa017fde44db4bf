"""Waiting for grants, on virtual time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from architecture.grants import Grant, GrantResource, ResourceKind
from orchestration.access.pacing import Pace
from orchestration.access.waiting import (
    Clock,
    EffectiveGrant,
    GrantGroup,
    TestedBy,
    Tried,
    wait_until_effective,
)
from orchestration.errors import GrantsNotEffective

PACE = Pace()
# Tries that confirm a grant: the first, and one each interval until the window is over.
MOST_CONFIRMING = round(PACE.confirm_s / PACE.first_s) + 2


def grant(role: str = "roles/pubsub.publisher", topic: str = "orders") -> Grant:
    """Make a grant on a topic."""
    return Grant(
        "serviceAccount:cart@p1.iam.gserviceaccount.com",
        role,
        GrantResource(ResourceKind.TOPIC, topic),
        "dataflow",
        "shop",
        "for a test",
    )


class VirtualTime:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.pauses.append(seconds)
        self.now_s += seconds

    def clock(self) -> Clock:
        """Give it as the clock to wait by."""
        return Clock(now=lambda: self.now_s, sleep=self.sleep)


class Cloud:
    """A probe of grants that work in given spans of virtual time."""

    def __init__(
        self, time: VirtualTime, works: Mapping[Grant, Sequence[tuple[float, float]]]
    ) -> None:
        self._time = time
        self._works = works
        self.calls: list[GrantGroup] = []

    def try_group(self, group: GrantGroup) -> Mapping[Grant, Tried]:
        """Look at the clock."""
        self.calls.append(group)
        now = self._time.now_s
        return {
            item: Tried(
                works=any(start <= now < end for start, end in self._works.get(item, ())),
                tested_by=TestedBy.IMPERSONATION,
                why="403 not yet",
            )
            for item in group.grants
        }


def wait(
    works: Mapping[Grant, Sequence[tuple[float, float]]], pace: Pace = PACE
) -> tuple[tuple[EffectiveGrant, ...], Cloud, VirtualTime]:
    """Wait for all grants of a schedule."""
    time = VirtualTime()
    cloud = Cloud(time, works)
    return wait_until_effective(list(works), cloud, pace, clock=time.clock()), cloud, time


def test_nothing_to_wait_for_asks_nobody() -> None:
    """0.6: no grants, no calls."""
    found, cloud, _ = wait({})
    assert found == ()
    assert cloud.calls == []


def test_a_grant_that_works_is_confirmed_and_done() -> None:
    """0.6: successes in a row for the confirmation window, and hardly any waiting."""
    (found,), cloud, time = wait({grant(): [(0, 1e9)]})
    assert found.delay_s == 0
    assert PACE.confirmations <= len(cloud.calls) <= MOST_CONFIRMING
    assert not found.was_awaited
    assert PACE.confirm_s <= time.now_s <= PACE.confirm_s + PACE.first_s


@given(delay_s=st.floats(min_value=1, max_value=420))
def test_a_grant_is_noticed_soon_and_never_too_early(delay_s: float) -> None:
    """0.6: not before it works, and at most about a tenth of the delay too late."""
    (found,), _, time = wait({grant(): [(delay_s, 1e9)]})
    assert found.delay_s >= round(delay_s, 3) - 0.001
    assert found.delay_s <= delay_s * 1.1 + PACE.first_s
    assert time.now_s >= delay_s


def test_a_false_start_does_not_count() -> None:
    """0.6: one success between failures is not a grant that works."""
    (found,), _, _ = wait({grant(): [(0.0, 0.1), (5.0, 1e9)]})
    assert found.delay_s >= 5.0


def test_a_late_answer_does_not_stretch_the_window() -> None:
    """0.6: what counts is when the cloud looked, not when its answer was read."""
    time = VirtualTime()
    false_start_s = PACE.confirm_s * 0.9

    class Slow(Cloud):
        """Looks at the clock, then takes two seconds to tell from the third call on."""

        def try_group(self, group: GrantGroup) -> Mapping[Grant, Tried]:
            tried = super().try_group(group)
            time.now_s += 2 if len(self.calls) > 2 else 0
            return tried

    cloud = Slow(time, {grant(): [(0, false_start_s), (30, 1e9)]})
    (found,) = wait_until_effective([grant()], cloud, PACE, clock=time.clock())
    assert found.delay_s >= 30


def test_a_timeout_names_member_role_and_resource() -> None:
    """0.6: what is missing, why, and what to look at."""
    pace = Pace(deadline_s=30)
    with pytest.raises(GrantsNotEffective) as caught:
        wait({grant(): [], grant("roles/pubsub.viewer"): [(0, 1e9)]}, pace)
    member = "serviceAccount:cart@p1.iam.gserviceaccount.com"
    missing = f"roles/pubsub.publisher on topic orders for {member} (403 not yet)"
    assert caught.value.missing == (missing,)
    assert "after 30 s" in caught.value.message
    assert caught.value.hint


def test_a_long_list_of_missing_grants_is_cut_with_its_count() -> None:
    """A message stays one line that a person reads; the error carries all of them."""
    works = {grant(topic=f"t{number}"): [] for number in range(9)}
    with pytest.raises(GrantsNotEffective) as caught:
        wait(works, Pace(deadline_s=1))
    assert "and 4 more" in caught.value.message
    assert len(caught.value.missing) == 9


def test_grants_of_one_member_on_one_resource_share_their_calls() -> None:
    """A quota of calls is not spent twice on the same question."""
    works = {grant(): [(0, 1e9)], grant("roles/pubsub.viewer"): [(0, 1e9)]}
    found, cloud, _ = wait(works)
    assert len(cloud.calls) <= MOST_CONFIRMING
    assert [item.grant for item in found] == list(works)


def test_a_grant_that_is_done_is_not_asked_for_again() -> None:
    """The slow one of a group is waited for alone."""
    slow = grant("roles/pubsub.viewer")
    _, cloud, _ = wait({grant(): [(0, 1e9)], slow: [(20, 1e9)]})
    assert cloud.calls[-1].grants == (slow,)


def test_pauses_grow_to_a_limit() -> None:
    """Nothing polls on a fixed interval."""
    _, _, time = wait({grant(): [(300, 1e9)]})
    confirming = [pause for pause in time.pauses[1:] if pause == PACE.first_s]
    growing = time.pauses[: -len(confirming)]
    assert confirming
    assert growing == sorted(growing)
    assert growing[0] == PACE.first_s
    assert max(growing) == PACE.longest_s
