"""What a decision claims holds: every `would_flip` is applied, every reason is checked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from orchestration.coordination.decision import Decision, Outcome
from orchestration.coordination.engine import decide
from orchestration.coordination.model import CoordinationRequest, RiskLevel, WouldFlip
from orchestration.coordination.ranking import strength
from orchestration.coordination.rules import Freeze, ResourceTree, Rules

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = "2026-02-01T"
RULES = Rules(
    freezes=(
        Freeze(
            "maintenance",
            datetime(2026, 2, 1, 4, tzinfo=UTC),
            datetime(2026, 2, 1, 9, tzinfo=UTC),
        ),
    ),
    resources=ResourceTree({"inner-1": ("outer",), "inner-2": ("outer",)}),
)
RESOURCES = ["inner-1", "inner-2", "outer", "apart-1", "apart-2"]
Items = list[dict[str, Any]]


def decided(items: Items) -> Decision:
    """Decide on recommendations."""
    request = CoordinationRequest.model_validate({"customer_id": "c", "recommendations": items})
    return decide(request, decision_id="d", now=NOW, rules=RULES)


@st.composite
def schedules(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a window, a slot or neither, some of them within the freeze."""
    kind = draw(st.sampled_from(["none", "none", "window", "slot"]))
    hour, hours = draw(st.integers(0, 19)), draw(st.integers(0, 4))
    if kind == "window":
        window = {
            "window_start": f"{DAY}{hour:02}:00:00Z",
            "window_end": f"{DAY}{hour + hours:02}:00:00Z",
        }
        return {"metadata": window}
    if kind == "slot":
        slot = {"scheduled_at": f"{DAY}{hour:02}:00:00Z", "duration_s": hours * 3600}
        return {"parameters": slot}
    return {}


@st.composite
def requests(draw: st.DrawFn) -> Items:
    """Draw recommendations that are in conflict in every way that there is."""
    ids = [f"r{number}" for number in range(draw(st.integers(1, 9)))]
    return [
        {
            "id": id_,
            "agent_id": "a",
            "customer_id": "c",
            "type": "cost",
            "action": draw(st.sampled_from(["scale_up", "scale_down", "take_snapshot"])),
            "risk_level": draw(st.sampled_from(list(RiskLevel))),
            "estimated_savings": draw(st.sampled_from([0.0, 1.0, 2.0])),
            "affected_resources": draw(
                st.lists(st.sampled_from(RESOURCES), unique=True, max_size=2)
            ),
            "dependencies": draw(
                st.lists(st.sampled_from(others), unique=True, max_size=2)
                if (others := [other for other in ids if other != id_])
                else st.just([])
            ),
            "priority": draw(st.integers(0, 3)),
            "expires_at": draw(st.sampled_from([None, None, None, f"{DAY}10:00:00Z"])),
            **draw(schedules()),
        }
        for id_ in ids
    ]


def outcomes(decision: Decision) -> Mapping[str, Outcome]:
    """Give every outcome by its recommendation's id."""
    return {o.recommendation.id: o for o in (*decision.kept, *decision.dropped)}


def kept(decision: Decision) -> set[str]:
    """Name what is kept."""
    return {outcome.recommendation.id for outcome in decision.kept}


def changed(items: Items, id_: str, flip: WouldFlip) -> Items:
    """Do to a request what a claim says."""
    raised = flip.set_priority or {}
    result = [{**item, "priority": raised.get(item["id"], item["priority"])} for item in items]
    (mine,) = [item for item in result if item["id"] == id_]
    without = flip.without_dependencies or ()
    mine["dependencies"] = [needed for needed in mine["dependencies"] if needed not in without]
    if flip.without_schedule:
        mine.pop("metadata", None)
        mine.pop("parameters", None)
    if flip.rival_on is not None:
        rival = {
            "id": "rival",
            "agent_id": "a",
            "customer_id": "c",
            "type": "cost",
            "action": "take_snapshot",
            "risk_level": "critical",
            "affected_resources": [flip.rival_on],
            "priority": flip.rival_priority,
        }
        result.append(rival)
    return result


@settings(deadline=None, max_examples=250, suppress_health_check=[HealthCheck.too_slow])
@given(requests())
def test_what_would_flip_an_outcome_flips_it(items: Items) -> None:
    """Item 3: every claim is applied to the request, and turns that one outcome around."""
    before = decided(items)
    for id_, outcome in outcomes(before).items():
        assert outcome.reason
        flip = outcome.would_flip
        if flip is None:
            continue
        note(f"{id_}: {flip.text}")
        after = decided(changed(items, id_, flip))
        assert (id_ in kept(after)) != (id_ in kept(before))


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(requests())
def test_every_discarded_one_could_be_kept_and_every_touching_one_lost(items: Items) -> None:
    """Item 3: only what touches nothing, nor needs what does, has nothing that would flip it."""
    decision = decided(items)
    touching = {item["id"] for item in items if item["affected_resources"]}
    for id_, outcome in outcomes(decision).items():
        if id_ not in kept(decision) or id_ in touching:
            assert outcome.would_flip is not None


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(requests(), st.randoms(use_true_random=False))
def test_a_decision_is_the_same_for_every_order(items: Items, random: Any) -> None:
    """Ruling `winner`: identifiers, reasons and plans too, for shuffled items and fields."""
    shuffled = [
        {
            **item,
            "affected_resources": random.sample(
                item["affected_resources"], len(item["affected_resources"])
            ),
            "dependencies": random.sample(item["dependencies"], len(item["dependencies"])),
        }
        for item in random.sample(items, len(items))
    ]
    one, other = decided(items), decided(shuffled)
    assert [conflict.model_dump() for conflict in one.conflicts] == [
        conflict.model_dump() for conflict in other.conflicts
    ]
    for id_, outcome in outcomes(one).items():
        twin = outcomes(other)[id_]
        assert (outcome.status, outcome.reason, outcome.would_flip) == (
            twin.status,
            twin.reason,
            twin.would_flip,
        )


@settings(deadline=None, max_examples=250, suppress_health_check=[HealthCheck.too_slow])
@given(requests())
def test_who_is_discarded_was_beaten_by_what_is_kept_or_stands_alone(items: Items) -> None:
    """O6, O7: beaten by a stronger one that is kept, lacking a need, ruled out, or in a circle."""
    decision = decided(items)
    standing = kept(decision)
    by_id = {id_: outcome.recommendation for id_, outcome in outcomes(decision).items()}
    rivals: dict[str, set[str]] = {id_: set() for id_ in by_id}
    ruled_out: set[str] = set()
    for conflict in decision.conflicts:
        ids = conflict.recommendation_ids
        is_circle = conflict.description.startswith("Circular")
        if is_circle or len(ids) == 1:
            ruled_out.update(ids)
        else:
            rivals[ids[0]].add(ids[1])
            rivals[ids[1]].add(ids[0])
    for id_, item in by_id.items():
        if id_ in standing:
            assert standing.isdisjoint(rivals[id_])
            assert standing.issuperset(item.dependencies)
            assert id_ not in ruled_out
            continue
        is_beaten = any(
            rival in standing and strength(by_id[rival]) < strength(item) for rival in rivals[id_]
        )
        lacks = not standing.issuperset(item.dependencies)
        needs_a_rival = not rivals[id_].isdisjoint(_needs(id_, by_id))
        assert is_beaten or lacks or needs_a_rival or id_ in ruled_out


def _needs(id_: str, by_id: Mapping[str, Any]) -> set[str]:
    """Name everything that must run before one."""
    found: set[str] = set()
    waiting = [id_]
    while waiting:
        for needed in by_id[waiting.pop()].dependencies:
            if needed not in found:
                found.add(needed)
                waiting.append(needed)
    return found


def test_reason_and_claim_name_what_decided() -> None:
    """Item 3: in words that a person can act on."""
    base = {"agent_id": "a", "customer_id": "c", "type": "cost", "affected_resources": ["x"]}
    decision = decided(
        [
            {**base, "id": "strong", "action": "scale_up", "risk_level": "low", "priority": 7},
            {**base, "id": "weak", "action": "scale_down", "risk_level": "low", "priority": 2},
        ]
    )
    found = outcomes(decision)
    assert found["strong"].reason == "kept: strong outranks weak (higher priority)"
    assert found["weak"].reason == "discarded: strong outranks weak (higher priority)"
    flip = found["weak"].would_flip
    assert flip is not None
    assert flip.text == "It would be kept if weak had priority 8"
    assert flip.set_priority == {"weak": 8}
