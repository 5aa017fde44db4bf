"""The built-in actions, on an environment in memory: what each needs, does, and undoes."""

from __future__ import annotations

from typing import Any

import pytest
from plan_shop import PARAMETERS, shop

from orchestration.coordination.rules import BUILT_IN_ACTIONS, SPOT_NOTE
from orchestration.execution.actions.action import Measurement, StepOrder
from orchestration.execution.actions.table import ACTIONS
from orchestration.execution.errors import StepFailed
from orchestration.execution.fakes import FakeLive


def order(action: str, *services: str, **parameters: Any) -> StepOrder:
    """Order an action on services of the shop."""
    return StepOrder(
        plan_id="plan-1",
        step_id=f"step-{action}",
        action=action,
        parameters={**PARAMETERS[action], **parameters},
        services=services or ("intake",),
    )


def objections(action: str, service: str, **parameters: Any) -> list[str]:
    """Ask why an action cannot be done with these parameters alone."""
    known = FakeLive(shop()).services()
    return list(ACTIONS[action].objections(parameters, {service: known[service]}))


def test_every_built_in_name_has_an_action() -> None:
    """What the rules promise, and nothing else, can be done."""
    assert ACTIONS.keys() == BUILT_IN_ACTIONS.keys()


@pytest.mark.parametrize("action", ACTIONS)
def test_doing_and_undoing_twice_is_doing_and_undoing_once(action: str) -> None:
    """Step 6, item 6: nothing more happens the second time, and an undo leaves what was before."""
    live = FakeLive(shop())
    before = live.deployed
    asked = order(action)

    done = ACTIONS[action].do(asked, live)
    deployed, recorded = live.deployed, live.recorded.effective().keys()
    again = ACTIONS[action].do(asked, live)
    changed = live.deployed
    for _ in range(2):
        ACTIONS[action].undo(asked, live)

    assert again == done
    assert changed == deployed
    assert live.recorded.effective() == {}
    assert live.deployed == before
    assert live.snapshots == set()
    if action not in {"take_snapshot", "validate_quality"}:
        assert recorded
        assert deployed != before
        assert done.rollback_data


def test_undoing_what_was_never_done_changes_nothing() -> None:
    """A step that failed before it began is undone like any other."""
    for action in ACTIONS:
        live = FakeLive(shop())
        before = live.deployed
        ACTIONS[action].undo(order(action), live)
        assert live.deployed == before


def test_scaling_tells_the_counts_before_and_after() -> None:
    """4.31: previous and new count, and what an undo goes back to; every service is scaled."""
    live = FakeLive(shop())
    done = ACTIONS["scale_down"].do(order("scale_down", "intake", "billing"), live)

    assert done.result["previous_count"] == 5
    assert done.result["new_count"] == 1
    assert done.rollback_data["restore_counts"] == {"intake": 5, "billing": 5}
    intake, billing = live.deployed["intake"], live.deployed["billing"]
    # There cannot always be two where there can be one.
    assert (intake.max_instances, intake.min_instances) == (1, 1)
    assert (billing.max_instances, billing.min_instances) == (1, 0)


def test_spot_is_billing_by_request_and_the_step_says_so() -> None:
    """Cloud Run has no spot instances: no minimum, and processors only during requests."""
    live = FakeLive(shop())
    was = live.deployed["intake"]
    done = ACTIONS["migrate_to_spot"].do(order("migrate_to_spot"), live)
    spot = live.deployed["intake"]
    ACTIONS["migrate_to_on_demand"].do(order("migrate_to_on_demand", "intake"), live)
    back = live.deployed["intake"]

    assert done.result["note"] == SPOT_NOTE
    assert (was.is_always_on, was.min_instances) == (True, 2)
    assert (spot.is_always_on, spot.min_instances) == (False, 0)
    assert (back.is_always_on, back.min_instances) == (True, 1)


def test_settings_are_set_by_the_variables_that_the_service_names() -> None:
    """`metadata.settings` maps a setting to a variable; what it had before returns with an undo."""
    live = FakeLive(shop())
    done = ACTIONS["increase_batch_size"].do(order("increase_batch_size"), live)
    ACTIONS["enable_caching"].do(order("enable_caching"), live)

    variables = live.deployed["intake"].deployment.environment_vars
    assert (variables["BATCH"], variables["USE_CACHE"]) == ("64", "true")
    assert done.result["previous"] == {"intake": "10"}


@pytest.mark.parametrize(
    ("action", "service", "parameters", "reason"),
    [
        ("scale_up", "intake", {}, "`count` must be"),
        ("scale_up", "intake", {"count": 0}, "1 to 1000"),
        ("scale_up", "intake", {"count": True}, "`count` must be"),
        ("scale_up", "intake", {"count": 3}, "3 is no scaling up"),
        ("scale_down", "intake", {"count": 9}, "9 is no scaling down"),
        ("scale_resources", "intake", {"count": 3, "min_count": 4}, "`min_count` must be"),
        ("scale_resources", "intake", {"count": 3, "min_count": "x"}, "`min_count` must be"),
        ("increase_batch_size", "intake", {}, "`value` must be"),
        ("increase_batch_size", "intake", {"value": 4}, "4 is no increase"),
        ("decrease_batch_size", "intake", {"value": 64}, "64 is no decrease"),
        ("decrease_batch_size", "billing", {"value": 4}, "does not offer the setting 'batch_size'"),
        ("enable_caching", "billing", {}, "does not offer the setting 'caching'"),
        ("migrate_workload", "intake", {}, "`region` is missing"),
        ("migrate_workload", "intake", {"region": "Mars"}, "`region` must be a region"),
        ("migrate_workload", "intake", {"billing": "free"}, "`billing` must be"),
        ("validate_quality", "intake", {"max_error_rate": 2}, "from 0 to 1"),
        ("validate_quality", "intake", {"probes": 0}, "1 to 500"),
        ("validate_quality", "intake", {"max_p95_ms": "fast"}, "a number from 0"),
    ],
)
def test_what_lacks_a_parameter_or_a_setting_is_objected_to(
    action: str, service: str, parameters: dict[str, Any], reason: str
) -> None:
    """Step 6, item 2: the objection names what is missing."""
    (objection,) = objections(action, service, **parameters)
    assert reason in objection


@pytest.mark.parametrize("action", ACTIONS)
def test_what_has_all_it_needs_is_not_objected_to(action: str) -> None:
    """The parameters that the other tests use are enough; a float that is whole is a number."""
    wanted = dict(PARAMETERS[action])
    assert objections(action, "intake", **wanted) == []
    if isinstance(wanted.get("count"), int):
        assert (
            objections(action, "intake", **{**wanted, "count": float(str(wanted["count"]))}) == []
        )


@pytest.mark.parametrize(
    ("measured", "parameters", "is_passed"),
    [
        (Measurement(20, 0, 80.0), {}, True),
        (Measurement(20, 1, 80.0), {}, False),
        (Measurement(20, 1, 80.0), {"max_error_rate": 0.1}, True),
        (Measurement(20, 0, 490.0), {}, True),
        (Measurement(20, 0, 700.0), {}, False),
        (Measurement(20, 0, 700.0), {"max_latency_factor": 9}, True),
        (Measurement(20, 0, 80.0), {"max_p95_ms": 50}, False),
    ],
)
def test_quality_is_judged_by_errors_and_by_the_latency_before(
    measured: Measurement, parameters: dict[str, Any], is_passed: bool
) -> None:
    """O18: a score from what was measured, against thresholds of the step and what was before."""
    live = FakeLive(shop(), measured=measured)
    plain = order("validate_quality", **parameters)
    asked = StepOrder(
        plain.plan_id,
        plain.step_id,
        plain.action,
        plain.parameters,
        plain.services,
        before=Measurement(20, 0, 100.0),
    )

    if is_passed:
        result = ACTIONS["validate_quality"].do(asked, live).result
    else:
        with pytest.raises(StepFailed, match="probes failed") as failed:
            ACTIONS["validate_quality"].do(asked, live)
        result = failed.value.result

    score = result["quality_score"]
    assert result["passed"] is is_passed
    assert isinstance(score, float)
    assert (score == 1.0) == (measured.failed == 0 and is_passed)
    assert result["before_p95_ms"] == 100.0
