"""A preview is right: what it predicts is what the next `up` does, operation by operation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random

import pytest
from previews.data_mutations import DATA_CHANGES, DATA_DRIFT
from previews.mutations import CHANGES, DRIFT, Mutation
from previews.system import Operations, System, operations, stack_of

from rehearsal.cloud import control

# One cloud serves a whole sequence, as one environment lives through many changes.
pytestmark = pytest.mark.timeout(180)
CASES_PER_SEED = 4


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """A system that was never deployed."""
    made = System(tmp_path)
    try:
        yield made
    finally:
        control.stop(made.environment.cloud_dir)


def predict_and_apply(system: System, what: str) -> Operations:
    """Preview, bring up, and compare."""
    predicted = operations(system.preview())
    applied = operations(system.up())
    assert predicted == applied, what
    return applied


@pytest.mark.parametrize("seed", range(4))
def test_what_is_predicted_is_what_happens(system: System, seed: int) -> None:
    """Never deployed, after changes, after drift, after both at once; a second up does nothing."""
    random = Random(seed)  # noqa: S311 - a seed that repeats is the point
    first = predict_and_apply(system, "never deployed")
    assert all(operation == "create" for steps in first.values() for operation, _ in steps)
    live_through(system, random, CHANGES, DRIFT, most=3)


@pytest.mark.parametrize("seed", [1, 5])
def test_what_is_predicted_of_data_is_what_happens(system: System, seed: int) -> None:
    """The same of buckets, tables, databases and schedules."""
    random = Random(seed)  # noqa: S311 - as above
    for name in ("add_bucket", "add_table", "add_collection", "add_schedule"):
        DATA_CHANGES[name](system, random)
    predict_and_apply(system, "never deployed")
    live_through(system, random, DATA_CHANGES, DATA_DRIFT, most=5)


def live_through(
    system: System,
    random: Random,
    changes: Mapping[str, Mutation],
    drift: Mapping[str, Mutation],
    *,
    most: int,
) -> None:
    """Predict and apply changes and drift, some at a time; at the end there is nothing to do."""
    done: list[str] = []
    for _ in range(CASES_PER_SEED):
        chosen = [
            *random.sample(sorted(changes), random.randrange(most)),
            *random.sample(sorted(drift), random.randrange(2)),
        ]
        for name in chosen:
            did = {**changes, **drift}[name](system, random)
            done.append(f"{name}: {did}")
        predict_and_apply(system, "; ".join(done))
    assert not any(operations(system.preview()).values())


def test_what_only_repairs_drift_is_marked(system: System) -> None:
    """A lost topic is marked as a repair, a topic that was asked for is not."""
    system.up()
    system.file["dataflows"]["billing"]["resources"]["topics"].append({"name": "refunded"})
    system.call("DELETE", "pubsub/v1/projects/local-proj/topics/billed")
    made = {
        step.name: step.repairs_drift
        for step in system.preview()[stack_of("dataflow", "billing")]
        if step.type == "gcp:pubsub/topic:Topic" and step.operation == "create"
    }
    assert made == {"billed": True, "refunded": False}


def test_a_changed_resource_that_drifted_too_is_no_mere_repair(system: System) -> None:
    """What was asked for has changed: the operation would be there without the drift."""
    system.up()
    topic = system.file["dataflows"]["billing"]["resources"]["topics"][0]
    body = {"topic": {"labels": {"by-hand": "yes"}}, "updateMask": "labels"}
    system.call("PATCH", f"pubsub/v1/projects/local-proj/topics/{topic['name']}", body)
    stack = stack_of("dataflow", "billing")
    (repair,) = [step for step in system.preview()[stack] if not step.is_quiet]
    assert (repair.operation, repair.repairs_drift) == ("update", True)
    topic["labels"] = {"team": "blue"}
    (change,) = [step for step in system.preview()[stack] if not step.is_quiet]
    assert (change.operation, change.repairs_drift) == ("update", False)
