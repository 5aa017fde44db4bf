"""What is recorded above an architecture: laid over it, taken away again, and explained."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from architecture.explaining import Source, explain
from architecture.hydration import hydrate
from architecture.loading import loads
from architecture.model import Architecture, Deployment
from architecture.recorded import (
    RecordedOverride,
    RecordedOverrides,
    applied,
    parse_recorded,
    with_recorded,
)

SHOP = """\
name: shop
project_id: some-project
region: europe-west1
service_manager_spec:
  name: director
  service_account: director-sa
  deployment: {source_path: src}
  command_topic: {name: commands, lookup: {key: c}}
  completion_topic: {name: completions, lookup: {key: d}}
dataflows:
  orders:
    services:
      intake:
        service_account: intake-sa
        deployment: {min_instances: 1, max_instances: 3, environment_vars: {BATCH: "10"}}
        metadata: {settings: {batch_size: BATCH, caching: USE_CACHE}}
      billing:
        service_account: billing-sa
        deployment: {max_instances: 5}
"""
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
KEYS: dict[str, st.SearchStrategy[bool | int | str]] = {
    "min_instances": st.integers(0, 9),
    "max_instances": st.integers(1, 99),
    "region": st.sampled_from(["us-central1", "europe-west4"]),
    "cpu_always_on": st.booleans(),
    "settings.batch_size": st.sampled_from(["16", "64"]),
    "settings.unknown": st.just("x"),
}


def shop() -> Architecture:
    """Give the shop, hydrated."""
    return hydrate(loads(SHOP, Path("services.yaml")).architecture, base_dir=Path("/shop"))


def deployment_of(arch: Architecture, service: str) -> Deployment:
    """Give how a service of the shop is deployed."""
    deployment = arch.dataflows["orders"].services[service].deployment
    assert deployment is not None
    return deployment


def entry(
    key: str, value: bool | int | str, step: str = "s1", service: str = "intake"
) -> RecordedOverride:
    """Make a recorded value."""
    return RecordedOverride(
        service=service,
        key=key,
        value=value,
        plan_id=f"plan-of-{step}",
        step_id=step,
        action="scale_up",
        recorded_at=NOON,
    )


@st.composite
def entries(draw: st.DrawFn) -> RecordedOverride:
    """Draw a recorded value of one of two services, by one of three steps."""
    key = draw(st.sampled_from(sorted(KEYS)))
    service = draw(st.sampled_from(["intake", "billing", "gone"]))
    return entry(key, draw(KEYS[key]), draw(st.sampled_from(["s1", "s2", "s3"])), service)


def test_recorded_values_count_and_nothing_else_changes() -> None:
    """What is recorded stands above the file's values, settings by their variables."""
    recorded = RecordedOverrides().with_step(
        [entry("max_instances", 8), entry("settings.batch_size", "64")]
    )

    after = with_recorded(shop(), recorded)

    before = deployment_of(shop(), "intake")
    assert deployment_of(after, "intake") == before.model_copy(
        update={
            "max_instances": 8,
            "environment_vars": {**before.environment_vars, "BATCH": "64"},
        }
    )
    assert deployment_of(after, "billing") == deployment_of(shop(), "billing")


def test_what_has_no_place_is_left_out() -> None:
    """A service or a setting that the architecture has not (any more) is no error."""
    recorded = RecordedOverrides().with_step(
        [entry("settings.gpu", "1"), entry("max_instances", 8, service="gone")]
    )

    assert with_recorded(shop(), recorded) == shop()
    assert list(applied(shop(), recorded)) == []


@given(st.lists(entries(), max_size=8), st.lists(entries(), min_size=1, max_size=4))
def test_taking_a_step_away_is_as_if_it_had_never_been(
    earlier: list[RecordedOverride], of_step: list[RecordedOverride]
) -> None:
    """Recording a step twice is recording it once; taking it away twice leaves what was before."""
    before = RecordedOverrides()
    for one in earlier:
        before = before.with_step([one])
    mine = [one.model_copy(update={"step_id": "mine"}) for one in of_step]

    once = before.with_step(mine)
    undone = once.without_step("mine")

    assert once.with_step(mine).effective() == once.effective()
    assert undone.entries == before.entries
    assert undone.without_step("mine") is undone
    assert undone.version > once.version > before.version
    assert with_recorded(shop(), undone) == with_recorded(shop(), before)


@given(st.lists(entries(), max_size=10))
def test_a_removed_service_is_as_its_architecture_says(added: list[RecordedOverride]) -> None:
    """Removing by hand takes away every layer of a service, and of no other one."""
    recorded = RecordedOverrides().with_step(added)

    without = recorded.without("intake")

    after = with_recorded(shop(), without)
    assert deployment_of(after, "intake") == deployment_of(shop(), "intake")
    assert deployment_of(after, "billing") == deployment_of(
        with_recorded(shop(), recorded), "billing"
    )


def test_the_older_value_counts_again_when_the_newer_one_goes() -> None:
    """Undoing the lower of two layers leaves the upper one in place, and the other way round."""
    low, high = entry("max_instances", 8, "s1"), entry("max_instances", 9, "s2")
    both = RecordedOverrides().with_step([low]).with_step([high])

    assert both.beneath(high) == low
    assert both.beneath(low) is None
    assert both.without_step("s1").effective()[high.place] == high
    assert both.without_step("s2").effective()[low.place] == low


def test_a_record_that_cannot_be_meant_is_refused() -> None:
    """A damaged or edited file is named, and not half read."""
    with pytest.raises(ValueError, match="nothing can be recorded under 'image'"):
        entry("image", "x")
    with pytest.raises(ValueError, match="must be of type int"):
        entry("max_instances", "8")
    with pytest.raises(ValueError, match="Field required"):
        parse_recorded(b'{"version": 1, "entries": [{}]}')


def test_what_is_stored_is_read_again() -> None:
    """The file's form loses nothing."""
    recorded = RecordedOverrides().with_step([entry("cpu_always_on", value=False)])

    assert parse_recorded(recorded.model_dump_json().encode()) == recorded


def test_explain_names_the_plan_behind_a_recorded_value() -> None:
    """`--explain` shows plan, step, action, time, and what the value stands for."""
    recorded = RecordedOverrides().with_step(
        [entry("max_instances", 8), entry("settings.caching", "true")]
    )

    found = {
        item.key: item
        for item in explain(
            SHOP,
            loads(SHOP, Path("services.yaml")).architecture,
            shop(),
            "dev",
            recorded=recorded,
        )
    }

    place = "dataflows.orders.services.intake.deployment"
    shown = found[f"{place}.max_instances"]
    assert (shown.value, shown.source, shown.line) == (8, Source.RECORDED, 0)
    assert shown.reason == (
        "plan plan-of-s1, step s1 (scale_up), 2026-11-21T12:00:00+00:00, instead of 3"
    )
    assert found[f"{place}.environment_vars.USE_CACHE"].value == "true"
    assert found[f"{place}.min_instances"].source is Source.FILE
