"""What the director does for a dataflow: works on the stack `<env>.dataflow.<name>`, as itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from architecture.names import stack_name
from orchestration.automation.results import Json
from orchestration.automation.stacks import StackOperations
from orchestration.director.digests import file_digest, program_digest
from orchestration.director.messages import AppliedGrant
from orchestration.director.service import Provisioned
from orchestration.releases.data import bring_back, take_down


class StackProvisioner:
    """Brings dataflow stacks of one environment up, and takes them down."""

    def __init__(
        self,
        operations: StackOperations,
        environment: str,
        *,
        architecture_file: Path,
        project_dir: Path,
    ) -> None:
        self._operations = operations
        self._environment = environment
        self._architecture_file = architecture_file
        # Code does not change under a running process: what was loaded is what runs.
        self._program = program_digest(project_dir)

    def provision(self, dataflow: str, *, keeps_data: bool) -> Provisioned:
        """Bring the dataflow's stack up; what holds data stays, if it is to be kept.

        Raises:
            StackFailed: it failed.
        """
        if keeps_data:
            kept, result = bring_back(self._operations, self._stack(dataflow))
        else:
            kept, result = (), self._operations.up(self._stack(dataflow))
        return replace(_provisioned(result.outputs, result.changes), kept=kept)

    def tear_down(self, dataflow: str) -> Provisioned:
        """Delete what the dataflow's stack holds, except data; a stack that is gone is no failure.

        Raises:
            StackFailed: it failed.
        """
        stack = self._stack(dataflow)
        if self._operations.outputs(stack) is None:
            return Provisioned((), (), (), {})
        kept, changes = take_down(self._operations, stack)
        return Provisioned((), (), (), changes, kept)

    def status(self, dataflow: str) -> Provisioned | None:
        """Say what the dataflow's stack recorded at its last up; None when there is no stack."""
        outputs = self._operations.outputs(self._stack(dataflow))
        return None if outputs is None else _provisioned(outputs, {})

    def digests(self) -> tuple[str, str]:
        """Give the digests of the architecture file as it is now, and of the program."""
        return file_digest(self._architecture_file), self._program

    def _stack(self, dataflow: str) -> str:
        return stack_name(self._environment, "dataflow", dataflow)


def _provisioned(outputs: Mapping[str, Json], changes: Mapping[str, int]) -> Provisioned:
    return Provisioned(
        topics=_names(outputs.get("topics")),
        subscriptions=_names(outputs.get("subscriptions")),
        grants=tuple(_grants(outputs.get("grants"))),
        changes=changes,
    )


def _names(value: Json) -> tuple[str, ...]:
    return tuple(value) if isinstance(value, dict) else ()


def _grants(value: Json) -> list[AppliedGrant]:
    found: list[Mapping[str, Json]] = [
        item for item in (value if isinstance(value, list) else []) if isinstance(item, dict)
    ]
    return [
        AppliedGrant(
            member=str(item.get("member", "")),
            role=str(item.get("role", "")),
            resource=str(item.get("resource", "")),
        )
        for item in found
    ]
