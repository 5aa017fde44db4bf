"""`conductor up --dry-run`: every prerequisite and why; touches nothing, makes nothing."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from rich.console import Console
from rich.markup import escape

from orchestration.cli.console import output
from orchestration.cli.deploying import Request, understand
from orchestration.targets.google_needs import UNNAMED_PROJECT
from orchestration.targets.prerequisite import Standing, Surveyed, survey
from orchestration.targets.prerequisites import prerequisites_of

MARKS = {
    Standing.OK: "[green]ok[/]     ",
    Standing.MISSING: "[bold red]missing[/]",
    Standing.UNKNOWN: "[yellow]?[/]      ",
}


def dry_run(request: Request, *, as_json: bool) -> bool:
    """Print what a run would need and how each of it stands; say whether anything is missing.

    Raises:
        UsageError: an option has no such value.
        ArchitectureInvalid: the file has errors.
        EnvironmentMismatch: the environment holds something else.
    """
    opened, asked = understand(request, unnamed_project=UNNAMED_PROJECT)
    surveyed = [
        survey(item)
        for item in prerequisites_of(
            opened.environment, opened.file.architecture, opened.target, opened.engine
        )
    ]
    if as_json:
        _print_json(surveyed, asked.target.value)
    else:
        _print_text(output(), surveyed, f"{request.environment}, target {asked.target.value}")
    return any(item.is_missing for item in surveyed)


def _print_json(surveyed: Sequence[Surveyed], target: str) -> None:
    listed = [
        {
            "group": item.prerequisite.group,
            "name": item.prerequisite.name,
            "standing": item.seen.standing.value,
            "found": item.seen.what,
            "why": item.prerequisite.why,
            "settled_by": item.prerequisite.remedy,
        }
        for item in surveyed
    ]
    sys.stdout.write(json.dumps({"target": target, "prerequisites": listed}) + "\n")


def _print_text(console: Console, surveyed: Sequence[Surveyed], where: str) -> None:
    console.print(f"[bold]What `up` needs in environment {escape(where)}[/]", soft_wrap=True)
    for group, items in groupby(surveyed, lambda item: item.prerequisite.group):
        console.print(f"\n[bold]{escape(group)}[/]")
        for item in items:
            _print_one(console, item)
    counts = Counter(item.seen.standing for item in surveyed)
    said = ", ".join(f"{counts[standing]} {standing.value}" for standing in Standing)
    console.print(f"\n{said}; nothing was changed", soft_wrap=True)


def _print_one(console: Console, item: Surveyed) -> None:
    needed, seen = item.prerequisite, item.seen
    stands = "" if seen.standing is not Standing.UNKNOWN else f"{seen.standing.value}: "
    line = escape(f"{needed.name}: {stands}{seen.what}")
    console.print(f"  {MARKS[seen.standing]} {line}", soft_wrap=True)
    console.print(f"          [dim]because: {escape(needed.why)}[/]", soft_wrap=True)
    if seen.standing is not Standing.OK:
        console.print(f"          settle:  {escape(needed.remedy)}", soft_wrap=True)
