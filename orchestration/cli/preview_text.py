"""A review on a terminal: each stack as soon as it is previewed, then what they come to."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from orchestration.cli.progress import OPERATION_SIGNS
from orchestration.review.model import AccessChange, ResourceChange, Review, Risk, StackReview
from orchestration.review.wording import (
    access_summary,
    attribute_words,
    counted_operations,
    destruction_reason,
    impact_sentences,
    member_words,
    policy_sentences,
    policy_verdict,
    type_word,
    without_project,
)

STYLES = {"create": "green", "update": "yellow", "replace": "bold magenta", "delete": "bold red"}
RISK_STYLES = {Risk.CRITICAL: "bold red", Risk.HIGH: "red", Risk.MEDIUM: "yellow", Risk.LOW: "dim"}
SIGN_WIDTH = 3
INDENT = 6


def show_stack(console: Console, stack: StackReview, project: str) -> None:
    """Show what becomes of each resource of a stack, and each property that changes."""
    summary = f"{counted_operations(stack.operations)}, {stack.unchanged} unchanged"
    console.print(f"[bold]{escape(stack.stack)}[/]: {escape(summary)}", soft_wrap=True)
    width = max((len(type_word(change)) for change in stack.changes), default=0)
    for change in stack.changes:
        row = Table.grid(padding=(0, 1))
        row.add_column(width=SIGN_WIDTH)
        row.add_column(width=width)
        row.add_column(overflow="fold")
        remark = " [dim](only repairs drift)[/]" if change.repairs_drift else ""
        row.add_row(
            OPERATION_SIGNS.get(change.operation, change.operation),
            type_word(change),
            escape(without_project(change.name, project)) + remark,
            style=STYLES.get(change.operation),
        )
        console.print(Padding(row, (0, 0, 0, 1), expand=False))
        if change.operation not in {"create", "delete"}:
            _show_attributes(console, change)


def show_review(console: Console, review: Review) -> None:
    """Show what all stacks come to: what is lost, who may do what, how far it reaches."""
    if review.destructive:
        console.print(f"\n[bold red]Deleted or made anew: {len(review.destructive)}[/]")
        for change in review.destructive:
            _show_line(console, _destruction(change, review.project), "bold red")
    if review.intended_access:
        console.print(f"\n[bold]Access[/]: {access_summary(review.intended_access)}")
        _show_access(console, review.intended_access, review.project)
    if review.policies:
        console.print("\n[bold]Policies[/]")
        for finding, sentence in policy_sentences(review.policies):
            style = "bold red" if finding.stops else "dim"
            _show_line(console, f"{policy_verdict(finding)} {sentence}", style)
    if sentences := impact_sentences(review):
        console.print("\n[bold]How far it reaches[/]")
        for sentence in sentences:
            _show_line(console, sentence)
    if review.drift:
        console.print(f"\n[bold]Drift that this only repairs[/]: {len(review.drift)}")
        _show_access(console, review.drifted_access, review.project)
        for change in review.other_drift:
            name = without_project(change.name, review.project)
            _show_line(console, f"{change.operation} {type_word(change)} {name}", "dim")
    console.print(f"\n[bold]{escape(counted_operations(review.operations))}[/]")
    console.print(f"fingerprint {review.fingerprint}", soft_wrap=True)


def _show_attributes(console: Console, change: ResourceChange) -> None:
    for attribute in change.attributes:
        forces = " [bold](forces a replacement)[/]" if attribute.replaces else ""
        words = escape(f"{attribute.path}: {attribute_words(attribute)}")
        console.print(Padding(f"[dim]{words}[/]{forces}", (0, 0, 0, INDENT), expand=False))


def _show_line(console: Console, words: str, style: str = "") -> None:
    console.print(Padding(escape(words), (0, 0, 0, 2), expand=False), style=style or None)


def _destruction(change: ResourceChange, project: str) -> str:
    """Say what is deleted, what is lost with it, and why."""
    data = " DATA" if change.holds_data else ""
    name = without_project(change.name, project)
    because = f"because of {', '.join(change.because)}" if change.because else ""
    reasons = "; ".join(filter(None, (change.warning, because, destruction_reason(change))))
    return f"{change.operation}{data} {type_word(change)} {name} ({change.stack}): {reasons}"


def _show_access(console: Console, changes: Sequence[AccessChange], project: str) -> None:
    for change in changes:
        what = (
            f"{escape(member_words(change, project))} [bold]{change.effect}[/]"
            f" {escape(change.role.removeprefix('roles/'))} on"
            f" {escape(without_project(change.on, project))} [dim]({escape(change.why)})[/]"
        )
        row = Table.grid(padding=(0, 1))
        row.add_column(width=len("critical"))
        row.add_column(overflow="fold")
        flags = "".join(f"[bold]{flag}[/]: " for flag in change.flags)
        row.add_row(change.risk.value, flags + what, style=RISK_STYLES[change.risk])
        console.print(Padding(row, (0, 0, 0, 2), expand=False))
