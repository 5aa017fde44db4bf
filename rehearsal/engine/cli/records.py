"""What an operation leaves in the history of its stack."""

from __future__ import annotations

import time
from collections.abc import Mapping

from rehearsal.engine.backend.folder import StackRef
from rehearsal.engine.cli.workplace import Workplace
from rehearsal.engine.state import checkpoint
from rehearsal.engine.values.gojson import JsonObject


def history_entry(
    work: Workplace,
    ref: StackRef,
    *,
    kind: str,
    started: float,
    result: str,
    changes: Mapping[str, int],
) -> JsonObject:
    """Describe an operation for the history."""
    entry: JsonObject = {
        "kind": kind,
        "startTime": int(started),
        "message": work.arguments.get("message"),
        "environment": {
            "exec.kind": work.arguments.get("exec-kind", "cli"),
            "pulumi.version": checkpoint.VERSION,
        },
        "config": work.settings(ref).qualified(work.project),
        "version": 0,
        "result": result,
        "endTime": int(time.time()),
    }
    if changes:
        entry["resourceChanges"] = dict(sorted(changes.items()))
    return entry
