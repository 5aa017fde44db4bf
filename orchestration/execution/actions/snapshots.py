"""Snapshots: how stacks are before something is changed, for people who have to go back by hand."""

from __future__ import annotations

from collections.abc import Iterator

from orchestration.execution.actions.action import Done, Facts, Live, StepOrder
from orchestration.execution.services import Services


class Snapshot:
    """Keeps the exports of the services' stacks, the release's record and what is recorded."""

    def objections(self, parameters: Facts, services: Services) -> Iterator[str]:
        """Need nothing."""
        del parameters, services
        yield from ()

    def do(self, order: StepOrder, live: Live) -> Done:
        """Keep it; `snapshot_id` names its folder."""
        kept = live.keep_snapshot(order)
        return Done(kept, {"snapshot_id": kept["snapshot_id"]})

    def undo(self, order: StepOrder, live: Live) -> None:
        """Delete it; a plan that is rolled back does not ask for this, its snapshots stay."""
        live.drop_snapshot(order)
