"""What the director does to a dataflow's stack when it takes it down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import pytest

from orchestration.automation.results import HeldResource, Json, OnStackEvent, StackResult
from orchestration.automation.stacks import StackOperations
from orchestration.director.provisioning import StackProvisioner

STACK = "dev.dataflow.orders"
TOPIC = HeldResource("urn::topic", "gcp:pubsub/topic:Topic", "news", "", is_custom=True, inputs={})
BUCKET = HeldResource(
    "urn::bucket", "gcp:storage/bucket:Bucket", "archive", "", is_custom=True, inputs={}
)


class Operations:
    """Operations on one stack that is kept in memory."""

    def __init__(self, *held: HeldResource) -> None:
        self.stacks: dict[str, list[HeldResource]] = {STACK: list(held)} if held else {}

    def outputs(self, stack: str) -> Mapping[str, Json] | None:
        """Tell a stack that is there from one that is not."""
        return {} if stack in self.stacks else None

    def refresh(self, stack: str, *, on_event: OnStackEvent) -> None:
        """Find everything as it is recorded; a stack that is gone is an error."""
        assert stack in self.stacks
        del on_event

    def resources(self, stack: str) -> tuple[HeldResource, ...]:
        """Give what the stack holds."""
        return tuple(self.stacks[stack])

    def destroy(
        self, stack: str, *, on_event: OnStackEvent, only: Sequence[str] = ()
    ) -> StackResult:
        """Delete all, or only what is named."""
        del on_event
        held = self.stacks[stack]
        self.stacks[stack] = [item for item in held if only and item.urn not in only]
        changes = {"delete": len(held) - len(self.stacks[stack])}
        return StackResult(stack=stack, outputs={}, changes=changes, duration_s=0.0)

    def remove(self, stack: str) -> None:
        """Forget an empty stack."""
        assert self.stacks.pop(stack) == []


def provisioner(operations: Operations, tmp_path: Path) -> StackProvisioner:
    """Make a director's provisioner on a stack in memory."""
    return StackProvisioner(
        cast("StackOperations", operations),
        "dev",
        architecture_file=tmp_path / "architecture.yaml",
        project_dir=tmp_path,
    )


def test_a_dataflow_without_data_goes_with_its_stack(tmp_path: Path) -> None:
    """1.5: nothing is left, and taking it down again is no failure."""
    operations = Operations(TOPIC)
    director = provisioner(operations, tmp_path)
    assert director.tear_down("orders").changes == {"delete": 1}
    assert operations.stacks == {}
    assert director.tear_down("orders").changes == {}


@pytest.mark.parametrize(("held", "deleted"), [((TOPIC, BUCKET), 1), ((BUCKET,), 0)])
def test_data_is_kept_in_the_stack_and_named(
    tmp_path: Path, held: tuple[HeldResource, ...], deleted: int
) -> None:
    """1.5: a bucket outlives its dataflow, and stays known to it."""
    operations = Operations(*held)
    found = provisioner(operations, tmp_path).tear_down("orders")
    assert found.kept == ("archive",)
    assert found.changes.get("delete", 0) == deleted
    assert operations.stacks == {STACK: [BUCKET]}
