"""What the director does for a dataflow: brings the stack `<env>.dataflow.<name>` up, as itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from architecture.names import stack_name
from orchestration.automation.results import Json
from orchestration.automation.stacks import StackOperations
from orchestration.director.digests import file_digest, program_digest
from orchestration.director.messages import AppliedGrant
from orchestration.director.service import Provisioned


class StackProvisioner:
    """Brings dataflow stacks of one environment up."""

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

    def provision(self, dataflow: str) -> Provisioned:
        """Bring the dataflow's stack up.

        Raises:
            StackFailed: it failed.
        """
        result = self._operations.up(stack_name(self._environment, "dataflow", dataflow))
        return Provisioned(
            topics=_names(result.outputs.get("topics")),
            subscriptions=_names(result.outputs.get("subscriptions")),
            grants=tuple(_grants(result.outputs.get("grants"))),
            changes=result.changes,
        )

    def digests(self) -> tuple[str, str]:
        """Give the digests of the architecture file as it is now, and of the program."""
        return file_digest(self._architecture_file), self._program


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
