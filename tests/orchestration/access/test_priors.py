"""What runs learn of propagation, and what the next wait makes of it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from architecture.grants import Grant, GrantResource, ResourceKind
from orchestration.access.pacing import Pace, Prior
from orchestration.access.priors import MOST_DELAYS, PriorStore
from orchestration.access.waiting import EffectiveGrant, TestedBy

PUBLISHER = "roles/pubsub.publisher"
PACE = Pace()
ANY = st.floats(allow_nan=True, allow_infinity=True)


def measured(
    delay_s: float,
    role: str = PUBLISHER,
    tested_by: TestedBy = TestedBy.IMPERSONATION,
    *,
    was_awaited: bool = True,
) -> EffectiveGrant:
    """Make what a wait found of a grant."""
    resource = GrantResource(ResourceKind.TOPIC, "orders")
    grant = Grant("serviceAccount:a@p.test", role, resource, "dataflow", "shop", "")
    return EffectiveGrant(grant, delay_s, tested_by, 9, was_awaited, prior=None)


def test_what_one_run_measures_the_next_one_knows(tmp_path: Path) -> None:
    """0.6: per role, on disk, added to what earlier runs have measured."""
    file = tmp_path / "propagation.json"
    PriorStore(file).learn([measured(10), measured(3, "roles/run.invoker")])
    PriorStore(file).learn([measured(20), measured(30)])
    priors = PriorStore(file).priors()
    assert priors["roles/run.invoker"] == Prior(3, 3)
    assert priors[PUBLISHER].p50_s == 20
    assert 29.7 < priors[PUBLISHER].p99_s <= 30


def test_what_says_nothing_of_propagation_is_not_learned(tmp_path: Path) -> None:
    """A grant that worked already, or was only read back, has shown no delay."""
    store = PriorStore(tmp_path / "propagation.json")
    store.learn([measured(0, was_awaited=False), measured(7, tested_by=TestedBy.POLICY)])
    assert store.priors() == {}
    assert list(tmp_path.iterdir()) == []


def test_old_delays_are_forgotten(tmp_path: Path) -> None:
    """A cloud that has become slower is known as such once enough runs have met it."""
    store = PriorStore(tmp_path / "propagation.json")
    store.learn(measured(1) for _ in range(MOST_DELAYS))
    store.learn(measured(100) for _ in range(MOST_DELAYS))
    assert store.priors() == {PUBLISHER: Prior(100, 100)}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"version": 2}',
        '{"delays_s": {"roles/run.invoker": [-1]}}',
        '{"delays_s": {"roles/run.invoker": [1e300]}}',
        '{"delays_s": {"roles/run.invoker": [NaN]}}',
        '{"delays_s": {"roles/run.invoker": []}}',
        "\x00\xff",
    ],
)
def test_a_damaged_store_costs_the_prior_and_no_more(tmp_path: Path, text: str) -> None:
    """0.6: nothing to expect, no error, and the next run's delays mend it."""
    file = tmp_path / "propagation.json"
    file.write_text(text, encoding="latin-1")
    store = PriorStore(file)
    assert store.priors() == {}
    store.learn([measured(4)])
    assert store.priors() == {PUBLISHER: Prior(4, 4)}


def test_a_store_that_cannot_be_written_ends_no_run(tmp_path: Path) -> None:
    """0.6: what stands where the file should be stays, and there are no priors."""
    in_the_way = tmp_path / "propagation.json"
    in_the_way.mkdir()
    store = PriorStore(in_the_way)
    store.learn([measured(4)])
    assert store.priors() == {}


@given(waited_s=st.floats(0, PACE.deadline_s), p50_s=ANY, p99_s=ANY)
def test_no_prior_makes_tries_much_rarer_or_too_many(
    waited_s: float, p50_s: float, p99_s: float
) -> None:
    """0.6: whatever a prior says, a pause is at most a second longer than without, and no burst."""
    pause_s = PACE.interval_s(waited_s, Prior(p50_s, p99_s))
    assert math.isfinite(pause_s)
    assert PACE.first_s <= pause_s <= PACE.interval_s(waited_s) + PACE.early_s


def test_tries_are_sparse_before_success_is_expected_and_dense_then() -> None:
    """0.6: from half of the median on to the 99th percentile, then as if nothing were known."""
    prior = Prior(60, 90)
    assert PACE.interval_s(5, prior) > PACE.interval_s(5)
    assert PACE.interval_s(29.9, prior) == PACE.first_s
    assert PACE.interval_s(40, prior) == PACE.interval_s(40) / 2
    assert PACE.interval_s(91, prior) == PACE.interval_s(91)
