"""`conductor preview`: what the next `up` would change, stack by stack."""

from __future__ import annotations

import json
import sys
from collections import Counter

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestration.automation.results import QUIET_OPERATIONS, StackPreview
from orchestration.cli.console import output
from orchestration.cli.deploying import Request, open_request
from orchestration.cli.progress import OPERATION_SIGNS
from orchestration.conductor.assembly import preview_stacks

STYLES = {"create": "green", "update": "yellow", "replace": "bold magenta", "delete": "bold red"}


def preview_all(request: Request, *, as_json: bool) -> bool:
    """Preview every stack; say whether anything would change.

    Raises:
        ConductorError: the preview was refused or failed.
    """
    opened = open_request(request)
    console = output()
    totals: Counter[str] = Counter()
    with opened.environment.locked(f"conductor preview --env {request.environment}"):
        for preview in preview_stacks(
            opened.environment,
            opened.file,
            opened.target,
            engine=opened.engine,
            refresh=request.refresh,
        ):
            totals.update(
                {op: n for op, n in preview.changes.items() if op not in QUIET_OPERATIONS}
            )
            if as_json:
                sys.stdout.write(json.dumps(_to_json(preview)) + "\n")
            else:
                _show(console, preview)
    if not as_json:
        console.print(f"[bold]{_count(totals)}[/]" if totals else "[bold]no changes[/]")
    return bool(totals)


def _show(console: Console, preview: StackPreview) -> None:
    changes = {op: n for op, n in preview.changes.items() if op not in QUIET_OPERATIONS}
    same = sum(n for op, n in preview.changes.items() if op in QUIET_OPERATIONS)
    summary = _count(changes) if changes else f"no changes, {same} unchanged"
    console.print(f"[bold]{escape(preview.stack)}[/]: {summary}")
    steps = [step for step in preview.steps if not step.is_quiet]
    if not steps:
        return
    table = Table(show_header=False, box=None, padding=(0, 1))
    for step in steps:
        paths = ", ".join(change.path for change in step.changes)
        table.add_row(
            OPERATION_SIGNS.get(step.operation, step.operation),
            step.type,
            escape(step.name),
            escape(paths) + (" [dim](only repairs drift)[/]" if step.repairs_drift else ""),
            style=STYLES.get(step.operation),
        )
    console.print(table)


def _count(changes: Counter[str] | dict[str, int]) -> str:
    return ", ".join(f"{number} to {operation}" for operation, number in sorted(changes.items()))


def _to_json(preview: StackPreview) -> dict[str, object]:
    return {
        "stack": preview.stack,
        "changes": dict(preview.changes),
        "steps": [
            {
                "operation": step.operation,
                "urn": step.urn,
                "type": step.type,
                "name": step.name,
                "paths": [change.path for change in step.changes],
                "repairs_drift": step.repairs_drift,
            }
            for step in preview.steps
            if not step.is_quiet
        ],
        "duration_s": round(preview.duration_s, 3),
    }
