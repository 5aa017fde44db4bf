"""When stored policies work, whatever the sequence of grants and revocations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from rehearsal.cloud.iam.policies import Policies
from rehearsal.cloud.iam.propagation import Delays, Propagation
from rehearsal.cloud.store import Store

TOPIC = "projects/p/topics/t"
# Longer than the slowest change: fifteen minutes at the cloud's scale.
_ALL_SETTLED_S = 31.0

GRANTS = some.frozensets(
    some.tuples(
        some.sampled_from(["roles/pubsub.publisher", "roles/pubsub.viewer", "roles/viewer"]),
        some.sampled_from([f"user:{name}@local.test" for name in "abc"]),
    )
)
# Policies one after the other, each so many seconds after the one before.
HISTORIES = some.lists(some.tuples(GRANTS, some.floats(0, 20)), min_size=1, max_size=6)
LAGGING = some.sampled_from([mode for mode in Propagation if mode is not Propagation.NONE])


class _Clock:
    now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


@contextmanager
def policies(mode: Propagation, seed: int, clock: _Clock) -> Iterator[Policies]:
    """Policies that are kept in memory."""
    store = Store(Path(":memory:"))
    try:
        yield Policies(store, Delays(mode, seed), clock)
    finally:
        store.close()


def policy_of(grants: frozenset[tuple[str, str]]) -> dict[str, object]:
    """Return a policy of these grants, a binding each."""
    return {"bindings": [{"role": role, "members": [member]} for role, member in grants]}


def working(kept: Policies) -> frozenset[tuple[str, str]]:
    """Return the grants that work now."""
    return frozenset(kept.effective_grants(TOPIC))


@given(history=HISTORIES, mode=LAGGING, seed=some.integers(0, 3))
def test_in_the_end_the_last_policy_works(
    history: list[tuple[frozenset[tuple[str, str]], float]], mode: Propagation, seed: int
) -> None:
    """Once the longest delay has passed, what is stored works, and nothing else does."""
    clock = _Clock()
    with policies(mode, seed, clock) as kept:
        for grants, after_s in history:
            clock.now_s += after_s
            kept.set(TOPIC, policy_of(grants))
        last = history[-1][0]
        ever = frozenset(grant for grants, _ in history for grant in grants)
        assert working(kept) <= ever
        clock.now_s += _ALL_SETTLED_S
        assert working(kept) == last
        clock.now_s += _ALL_SETTLED_S
        assert working(kept) == last


@given(history=HISTORIES, mode=LAGGING, seed=some.integers(0, 3))
def test_the_same_seed_works_in_the_same_way(
    history: list[tuple[frozenset[tuple[str, str]], float]], mode: Propagation, seed: int
) -> None:
    """At every moment, and whatever order a policy names its grants in."""
    clock = _Clock()
    with policies(mode, seed, clock) as first, policies(mode, seed, clock) as second:
        for grants, after_s in history:
            clock.now_s += after_s
            assert working(first) == working(second)
            policy = policy_of(grants)
            first.set(TOPIC, policy)
            bindings = policy["bindings"]
            assert isinstance(bindings, list)
            second.set(TOPIC, {"bindings": bindings[::-1]})
        for _ in range(30):
            clock.now_s += 1.0
            assert working(first) == working(second)


@given(grants=GRANTS, mode=LAGGING, others=GRANTS)
def test_a_grant_takes_as_long_whatever_is_granted_beside_it(
    grants: frozenset[tuple[str, str]], mode: Propagation, others: frozenset[tuple[str, str]]
) -> None:
    """Other grants, before or at once, neither hasten nor delay it."""
    clock = _Clock()
    with policies(mode, 7, clock) as alone, policies(mode, 7, clock) as beside:
        alone.set(TOPIC, policy_of(grants))
        beside.set(TOPIC, policy_of(grants | others))
        for _ in range(40):
            clock.now_s += 0.5
            assert working(alone) == working(beside) & grants


@pytest.mark.parametrize("mode", Propagation)
def test_a_grant_that_is_taken_back_before_it_works_never_lasts(mode: Propagation) -> None:
    """Granted and revoked at once, it works for no longer than one change takes."""
    clock = _Clock()
    grants = frozenset({("roles/viewer", "user:a@local.test")})
    with policies(mode, 7, clock) as kept:
        kept.set(TOPIC, policy_of(grants))
        kept.set(TOPIC, policy_of(frozenset()))
        clock.now_s += _ALL_SETTLED_S
        assert working(kept) == frozenset()
