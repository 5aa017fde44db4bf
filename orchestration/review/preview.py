"""A preview over all stacks, in the order in which a run would bring them up.

Each stack's predicted outputs are handed to the next ones, so that a system that was never
deployed, or a change upstream, previews as it will be.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from orchestration.automation.results import Json, OnStackEvent, StackPreview, ignore_event
from orchestration.automation.stacks import StackOperations


class SystemPreview:
    """Previews the stacks of one environment."""

    def __init__(self, operations: StackOperations, *, refresh: bool) -> None:
        self._operations = operations
        self._refresh = refresh

    def run(
        self, stacks: Sequence[str], on_event: OnStackEvent = ignore_event
    ) -> Iterator[StackPreview]:
        """Yield the preview of each stack as it is done.

        Raises:
            StackFailed: a stack's preview failed; those after it were not previewed.
        """
        predicted: dict[str, Mapping[str, Json]] = {}
        with tempfile.TemporaryDirectory(prefix="conductor-preview-") as folder:
            upstream = Path(folder) / "upstream.json"
            for stack in stacks:
                upstream.write_text(json.dumps(predicted), encoding="utf-8")
                preview = self._operations.preview(
                    stack, refresh=self._refresh, upstream=upstream, on_event=on_event
                )
                predicted[stack] = preview.outputs
                yield preview
