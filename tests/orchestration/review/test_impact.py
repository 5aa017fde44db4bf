"""How far a change reaches, on the sample system's own graph."""

from pathlib import Path
from typing import Any

import pytest

from architecture.graph import SystemGraph, graph_of
from architecture.hydration import hydrate
from architecture.loading import load
from orchestration.review.differences import resource_change
from orchestration.review.impact import impact_of
from orchestration.review.model import Impact

EVERY_KIND = Path(__file__).parents[3] / "testdata" / "architectures" / "every-kind.yaml"


@pytest.fixture(scope="module")
def graph() -> SystemGraph:
    """The graph of the sample with every kind of resource."""
    loaded = load(EVERY_KIND).architecture
    return graph_of(
        hydrate(loaded, base_dir=EVERY_KIND.parent, project_id="p", environment="local")
    )


def impact(graph: SystemGraph, *steps: Any) -> Impact:
    """Say how far some steps reach."""
    return impact_of([graph], steps, [resource_change("s", step) for step in steps])


def test_a_changed_topic_touches_who_writes_and_who_reads_it(graph: SystemGraph, step: Any) -> None:
    """`orders` is written by one service; what reads it is behind its subscription."""
    found = impact(
        graph, step("update", "gcp:pubsub/topic:Topic", "orders", after={"name": "orders"})
    )
    assert found.changed_services == ()
    assert found.touched_services == ("orders-api",)
    assert "order-store" in found.downstream_services
    assert found.dataflows == ("ordering",)
    assert found.data_at_risk == ()


def test_a_bucket_that_is_made_anew_puts_its_data_at_risk(graph: SystemGraph, step: Any) -> None:
    """Its reader and its writer are named too."""
    inputs = {"name": "every-kind-reports"}
    found = impact(
        graph,
        step(
            "replace",
            "gcp:storage/bucket:Bucket",
            "every-kind-reports",
            before=inputs,
            after=inputs,
            paths={"location": "update-replace"},
        ),
    )
    assert found.data_at_risk == ("bucket every-kind-reports",)
    assert "reporter" in found.touched_services


def test_what_stays_as_it_is_reaches_nobody(graph: SystemGraph, step: Any) -> None:
    """Quiet steps do not count."""
    inputs = {"name": "orders"}
    quiet = step("same", "gcp:pubsub/topic:Topic", "orders", before=inputs, after=inputs)
    assert impact(graph, quiet) == Impact()
