"""`conductor doctor`: what is there, what is missing, what to do."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from rich.markup import escape

from orchestration.cli.console import output
from orchestration.diagnosis import Found, Health, examine
from orchestration.settings import Settings
from orchestration.wording import counted

MARKS = {
    Health.OK: "[green]✓[/]",
    Health.OPTIONAL: "[yellow]-[/]",
    Health.PROBLEM: "[bold red]✗[/]",
}


def run_doctor(env: str | None, *, as_json: bool) -> bool:
    """Look at the machine and print what was found; say whether there is a problem.

    Raises:
        UsageError: there is no such environment, or no project.
    """
    found = examine(Settings.from_environment(), env)
    problems = [item for item in found if item.health is Health.PROBLEM]
    if as_json:
        _print_json(found)
    else:
        _print_text(found, len(problems))
    return bool(problems)


def _print_json(found: Sequence[Found]) -> None:
    listed = [
        {
            "subject": item.subject,
            "health": item.health.value,
            "what": item.what,
            "advice": item.advice,
        }
        for item in found
    ]
    sys.stdout.write(json.dumps({"findings": listed}) + "\n")


def _print_text(found: Sequence[Found], problems: int) -> None:
    console = output()
    width = max(len(item.subject) for item in found)
    for item in found:
        subject = escape(item.subject.ljust(width))
        console.print(
            f"{MARKS[item.health]} [bold]{subject}[/]  {escape(item.what)}", soft_wrap=True
        )
        if item.advice:
            console.print(f"  {' ' * width}  [dim]→ {escape(item.advice)}[/]", soft_wrap=True)
    console.print(
        f"\n[bold red]{counted(problems, 'problem')}[/]"
        if problems
        else "\n[green]everything is there that a rehearsal on this machine needs[/]"
    )
