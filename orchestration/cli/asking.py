"""Asking before something is taken away: on a terminal a question, elsewhere `--yes`."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import typer

from orchestration.errors import UsageError


def ask(intro: str, items: Iterable[object], question: str, *, unasked: str) -> None:
    """Show what will happen to each item, and go on only if the user agrees.

    Args:
        intro: what will happen, as the line above the items.
        items: what it will happen to.
        question: what the user answers.
        unasked: what the command would do, for where nobody can be asked.

    Raises:
        UsageError: the user declined, or is not there.
    """
    if not sys.stdin.isatty():
        raise UsageError(f"{unasked}, and nobody is here to ask", hint="add --yes")
    typer.echo(f"{intro}:")
    for item in items:
        typer.echo(f"  {item}")
    if not typer.confirm(question):
        raise UsageError("nothing was changed", hint="add --yes to do it without a question")
