"""A preview over all stacks, in the order in which a run would bring them up.

Each stack's predicted outputs are handed to the next ones, so that a system that was never
deployed, or a change upstream, previews as it will be.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from orchestration.automation.results import (
    Json,
    OnStackEvent,
    PlannedStep,
    StackPreview,
    ignore_event,
)
from orchestration.automation.stacks import StackOperations

ACCOUNT_TYPE = "gcp:serviceaccount/account:Account"


class SystemPreview:
    """Previews the stacks of one environment."""

    def __init__(
        self, operations: StackOperations, *, refresh: bool, plans: Path | None = None
    ) -> None:
        """Preview with these operations; the engine's plans are saved in `plans`, if given."""
        self._operations = operations
        self._refresh = refresh
        self._plans = plans

    def run(
        self, stacks: Sequence[str], on_event: OnStackEvent = ignore_event
    ) -> Iterator[StackPreview]:
        """Yield the preview of each stack as it is done.

        Raises:
            StackFailed: a stack's preview failed; those after it were not previewed.
        """
        predicted: dict[str, Mapping[str, Json]] = {}
        deleted: set[str] = set()
        with tempfile.TemporaryDirectory(prefix="conductor-preview-") as folder:
            upstream = Path(folder) / "upstream.json"
            for stack in stacks:
                upstream.write_text(json.dumps(predicted), encoding="utf-8")
                preview = self._operations.preview(
                    stack,
                    refresh=self._refresh,
                    upstream=upstream,
                    plan=self._plans / f"{stack}.json" if self._plans is not None else None,
                    on_event=on_event,
                )
                predicted[stack] = preview.outputs
                yield without_grants_of(deleted, preview) if self._refresh else preview
                deleted |= {step.member for step in preview.steps if _deletes_account(step)}


def without_grants_of(deleted: set[str], preview: StackPreview) -> StackPreview:
    """Leave out deletions of grants that go with the accounts that earlier stacks delete.

    Google ends the grants of an account with the account: when the run comes to this stack, its
    refresh finds them gone, and there is nothing left to delete.
    """
    gone = [s for s in preview.steps if s.operation == "delete" and s.member in deleted]
    if not gone:
        return preview
    changes = Counter(preview.changes)
    changes["delete"] -= len(gone)
    return replace(
        preview,
        steps=tuple(step for step in preview.steps if step not in gone),
        changes=dict(+changes),
    )


def _deletes_account(step: PlannedStep) -> bool:
    return step.operation == "delete" and step.type == ACCOUNT_TYPE
