"""Where a rollback goes, by which steps, and what it never deletes."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from architecture.model import Architecture
from orchestration.automation.config import StackConfigFiles
from orchestration.automation.results import HeldResource
from orchestration.conductor.rolling_back import configure_again
from orchestration.environments import Environment
from orchestration.errors import UsageError
from orchestration.releases.data import bears_data, without_data
from orchestration.releases.ordering import StackOrder
from orchestration.releases.rollback import DESTROY, RESTORE, UndoStep, plan_rollback
from orchestration.releases.store import KEPT_RELEASES, Release, ReleaseStore
from orchestration.settings import Settings

BY_LAYER = StackOrder(None)
STACKS = (
    "dev.foundation",
    "dev.images",
    "dev.director",
    "dev.dataflow.a",
    "dev.dataflow.b",
    "dev.services.a",
    "dev.services.b",
)
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def release(number: int, **stacks: int) -> Release:
    """Make a release."""
    return Release(
        release_id=f"2026110{number}-000000-aaaaaa",
        made_at=NOW,
        architecture_sha256="a",
        program_sha256="p",
        images={},
        stacks={name.replace("_", "."): count for name, count in stacks.items()},
    )


def test_without_a_release_everything_goes_the_last_first() -> None:
    """Step 4, item 6: the old release or nothing, never a mix."""
    held = dict.fromkeys(STACKS, 3)
    plan = plan_rollback(["dev.services.a"], held, None, now=BY_LAYER, then=BY_LAYER)
    assert [step.stack for step in plan] == [
        "dev.services.b",
        "dev.services.a",
        "dev.dataflow.b",
        "dev.dataflow.a",
        "dev.director",
        "dev.images",
        "dev.foundation",
    ]
    assert {step.verb for step in plan} == {DESTROY}


@given(
    held=st.dictionaries(st.sampled_from(STACKS), st.integers(0, 5)),
    before=st.dictionaries(st.sampled_from(STACKS), st.integers(0, 5)),
    data=st.data(),
)
def test_what_the_release_had_comes_back_and_what_it_had_not_goes(
    held: dict[str, int], before: dict[str, int], data: st.DataObject
) -> None:
    """Design 5: created stacks are destroyed in reverse, then changed ones restored in order."""
    touched = data.draw(st.lists(st.sampled_from(STACKS), unique=True))
    old = Release.model_validate({**release(1).model_dump(), "stacks": before})
    plan = plan_rollback(touched, held, old, now=BY_LAYER, then=BY_LAYER)
    destroyed = [step.stack for step in plan if step.verb == DESTROY]
    restored = [step.stack for step in plan if step.verb == RESTORE]
    assert plan == tuple(
        [UndoStep(DESTROY, s) for s in destroyed] + [UndoStep(RESTORE, s) for s in restored]
    )
    assert set(destroyed) == {s for s in touched if held.get(s) and not before.get(s)}
    assert set(restored) == {s for s in touched if before.get(s)}
    assert destroyed == sorted(destroyed, key=BY_LAYER, reverse=True)
    assert restored == sorted(restored, key=BY_LAYER)


def chain(*dataflows: str) -> Architecture:
    """Make an architecture in which each dataflow subscribes to the topic of the one before."""
    flows: dict[str, Any] = {
        name: {
            "resources": {
                "topics": [{"name": f"{name}-topic"}],
                "subscriptions": [{"name": f"{name}-in", "topic": f"{before}-topic"}],
            }
        }
        for before, name in pairwise(dataflows)
    }
    flows[dataflows[0]] = {"resources": {"topics": [{"name": f"{dataflows[0]}-topic"}]}}
    director = {
        "name": "director",
        "service_account": "director-sa",
        "command_topic": {"name": "commands"},
        "completion_topic": {"name": "completions"},
    }
    return Architecture.model_validate(
        {"name": "shop", "region": "r1", "service_manager_spec": director, "dataflows": flows}
    )


def test_dataflows_come_back_after_those_that_they_need_and_go_before() -> None:
    """Design 5: a subscription cannot return before the topic of another dataflow."""
    held = dict.fromkeys(("dev.dataflow.a", "dev.dataflow.b", "dev.dataflow.c"), 2)
    order = StackOrder(chain("c", "a", "b"))
    old = release(1).model_copy(update={"stacks": held})
    back = plan_rollback(tuple(held), held, old, now=order, then=order)
    assert [step.stack[-1] for step in back] == ["c", "a", "b"]
    down = plan_rollback(tuple(held), held, None, now=order, then=order)
    assert [step.stack[-1] for step in down] == ["b", "a", "c"]


def test_what_was_left_over_before_the_release_is_left_alone() -> None:
    """A dataflow that was dropped from the file is no part of the release that came after."""
    held = {"dev.dataflow.a": 3, "dev.dataflow.old": 3}
    old = release(1).model_copy(update={"stacks": held})
    order = StackOrder(chain("a"))
    plan = plan_rollback(tuple(held), held, old, now=order, then=order)
    assert plan == (UndoStep(RESTORE, "dev.dataflow.a"),)
    taken_up = StackOrder(chain("a", "old"))
    again = plan_rollback(tuple(held), held, old, now=taken_up, then=order)
    assert UndoStep(DESTROY, "dev.dataflow.old") in again


def resource(name: str, kind: str, parent: str = "", **inputs: str) -> HeldResource:
    """Make a resource of a stack's state."""
    return HeldResource(
        urn=f"urn::{name}",
        type=kind,
        name=name,
        parent=parent,
        is_custom=True,
        is_protected=False,
        inputs=inputs,
    )


def test_data_and_what_it_hangs_on_is_kept() -> None:
    """Design 4: buckets, tables, topics that retain messages, their components and providers."""
    held = (
        resource("stack", "pulumi:pulumi:Stack"),
        resource("default", "pulumi:providers:gcp"),
        resource("flow", "conductor:dataflow:Dataflow", parent="urn::stack"),
        resource("box", "gcp:storage/bucket:Bucket", parent="urn::flow"),
        resource("news", "gcp:pubsub/topic:Topic", parent="urn::flow"),
        resource("log", "gcp:pubsub/topic:Topic", messageRetentionDuration="86400s"),
        resource("grant", "gcp:storage/bucketIAMMember:BucketIAMMember", parent="urn::flow"),
    )
    assert [r.name for r in held if bears_data(r)] == ["box", "log"]
    assert without_data(held) == ("urn::news", "urn::grant")


def test_without_data_everything_may_go() -> None:
    """The stack itself and its provider too."""
    held = (
        resource("stack", "pulumi:pulumi:Stack"),
        resource("default", "pulumi:providers:gcp"),
        resource("news", "gcp:pubsub/topic:Topic"),
    )
    assert len(without_data(held)) == 3


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """An environment with something to release."""
    made = Environment("dev", Settings(tmp_path))
    (made.contexts_dir / "cart").mkdir(parents=True)
    return made


def put(environment: Environment, text: str) -> None:
    """Write what stacks would be made of."""
    environment.architecture_file.write_text(text)
    (environment.contexts_dir / "cart" / "main.py").write_text(text)


def test_a_release_brings_back_what_its_stacks_were_made_of(environment: Environment) -> None:
    """Files that came later are gone again, and the release before it is known."""
    store = ReleaseStore(environment)
    assert store.current() is None
    put(environment, "one")
    store.keep(release(1))
    put(environment, "two")
    (environment.contexts_dir / "mail").mkdir()
    store.keep(release(2))
    assert store.current() == release(2)
    assert store.before(release(2)) == release(1)
    assert store.before(release(1)) is None
    third = release(3).model_copy(update={"follows": release(1).release_id})
    store.keep(third)
    assert store.before(third) == release(1), "it was live after a rollback"
    store.restore(release(1))
    assert environment.architecture_file.read_text() == "one"
    assert (environment.contexts_dir / "cart" / "main.py").read_text() == "one"
    assert not (environment.contexts_dir / "mail").exists()


def test_a_release_that_was_cut_off_is_none(environment: Environment) -> None:
    """A folder counts once its record is there; storing it again completes it."""
    store = ReleaseStore(environment)
    put(environment, "one")
    (environment.releases_dir / release(1).release_id / "contexts").mkdir(parents=True)
    with pytest.raises(UsageError, match="there are: none"):
        store.find(release(1).release_id)
    store.keep(release(1))
    store.keep(release(1))
    assert store.find(release(1).release_id) == release(1)


def test_old_releases_are_let_go(environment: Environment) -> None:
    """State does not grow for ever."""
    store = ReleaseStore(environment)
    put(environment, "x")
    for number in range(KEPT_RELEASES + 3):
        made = release(1).model_copy(update={"release_id": f"r{number:03}"})
        store.keep(made)
    assert len(list(environment.releases_dir.glob("*/"))) == KEPT_RELEASES
    assert store.current() is not None


def test_a_stack_that_was_destroyed_is_configured_again(environment: Environment) -> None:
    """Step 4, item 6: `destroy --dataflow` deletes a stack's configuration with the stack."""
    files = StackConfigFiles(environment.settings.stack_config_dir, "dev")
    environment.settings.stack_config_dir.mkdir(parents=True, exist_ok=True)
    files.write("dev.foundation", {"gcp:region": "europe-west1"})
    files.write("dev.images", {"gcp:region": "europe-west1", "docker:host": "unix:///d"})
    steps = [UndoStep(RESTORE, f"dev.{layer}") for layer in ("images", "dataflow.a")]
    configure_again(environment, [*steps, UndoStep(DESTROY, "dev.dataflow.b")])
    assert files.read("dev.dataflow.a") == {"gcp:region": "europe-west1"}
    assert "docker:host" in files.read("dev.images")
    assert files.read("dev.dataflow.b") == {}
