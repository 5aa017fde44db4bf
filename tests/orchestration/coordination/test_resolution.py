"""Which recommendations are kept, tested on places alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestration.coordination.resolution import Fate, resolve

PLACES = 7
Pairs = list[tuple[int, int]]
pairs = st.lists(
    st.tuples(st.integers(0, PLACES - 1), st.integers(0, PLACES - 1)).filter(lambda p: p[0] != p[1])
)


def test_a_hopeless_one_is_not_kept_when_its_last_rival_goes() -> None:
    """Ruling `timing`: what a freeze rules out stays out, whoever is discarded before it."""
    fates = resolve(2, {0: [1], 1: [0]}, {}, hopeless={0, 1})
    assert fates == [Fate.DISCARDED, Fate.DISCARDED]


@given(conflicts=pairs, needs=pairs, hopeless=st.frozensets(st.integers(0, PLACES - 1)))
def test_every_place_is_decided_and_what_is_kept_may_be(
    conflicts: Pairs, needs: Pairs, hopeless: frozenset[int]
) -> None:
    """O6, O7: none hopeless is kept, no two rivals, nothing without what it needs."""
    rivals: dict[int, list[int]] = {}
    for one, other in {(min(pair), max(pair)) for pair in conflicts}:
        rivals.setdefault(one, []).append(other)
        rivals.setdefault(other, []).append(one)
    # A dependency on a stronger one only: circles are found, and hopeless, before.
    dependencies = {
        place: tuple({min(pair) for pair in needs if max(pair) == place}) for place in range(PLACES)
    }
    fates = resolve(PLACES, rivals, dependencies, hopeless)
    kept = {place for place, fate in enumerate(fates) if fate is Fate.KEPT}
    assert Fate.OPEN not in fates
    assert kept.isdisjoint(hopeless)
    for place in kept:
        assert kept.isdisjoint(rivals.get(place, ()))
        assert kept.issuperset(dependencies[place])
    for place in set(range(PLACES)) - kept - hopeless:
        beaten = any(rival < place for rival in rivals.get(place, ()) if rival in kept)
        assert beaten or not kept.issuperset(dependencies[place])
