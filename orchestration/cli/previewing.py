"""`conductor preview`: what the next `up` would change, stack by stack."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestration.automation.results import QUIET_OPERATIONS, StackPreview
from orchestration.cli.console import output
from orchestration.cli.deploying import Request, open_request
from orchestration.cli.progress import OPERATION_SIGNS
from orchestration.conductor.assembly import review_environment
from orchestration.review.comment import to_comment
from orchestration.review.differences import resource_change
from orchestration.review.markdown import to_markdown
from orchestration.review.model import AccessChange, ResourceChange, Review, Risk
from orchestration.review.page import to_html
from orchestration.review.store import PreviewStore, write_review
from orchestration.review.wording import (
    access_summary,
    attribute_words,
    counted_operations,
    impact_sentences,
    member_words,
    policy_verdict,
    policy_words,
)

STYLES = {"create": "green", "update": "yellow", "replace": "bold magenta", "delete": "bold red"}
RISK_STYLES = {Risk.CRITICAL: "bold red", Risk.HIGH: "red", Risk.MEDIUM: "yellow", Risk.LOW: "dim"}


class PreviewFormat(StrEnum):
    """How a preview is written."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"
    COMMENT = "comment"


def preview_all(request: Request, *, written_as: PreviewFormat, out: Path | None) -> bool:
    """Preview every stack, keep what it fingerprints, and say whether anything would change.

    Raises:
        ConductorError: the preview was refused or failed, or `out` cannot be written.
    """
    opened = open_request(request)
    console = output()

    def show(preview: StackPreview) -> None:
        if written_as is PreviewFormat.TEXT:
            _show_stack(console, preview)

    with opened.environment.locked(f"conductor preview --env {request.environment}"):
        review = review_environment(
            opened.environment,
            opened.file,
            opened.target,
            engine=opened.engine,
            refresh=request.refresh,
            on_preview=show,
        )
        PreviewStore(opened.environment).keep(review)
    if out is not None:
        write_review(out, review)
    match written_as:
        case PreviewFormat.TEXT:
            _show_whole(console, review)
        case PreviewFormat.JSON:
            sys.stdout.write(review.model_dump_json(indent=2) + "\n")
        case PreviewFormat.MARKDOWN:
            sys.stdout.write(to_markdown(review))
        case PreviewFormat.HTML:
            sys.stdout.write(to_html(review))
        case PreviewFormat.COMMENT:
            sys.stdout.write(to_comment(review))
    return bool(review.changes)


def _show_stack(console: Console, preview: StackPreview) -> None:
    """Show one stack: its components fold what is in them, its resources what they become."""
    changes = [
        resource_change(preview.stack, step)
        for step in preview.steps
        if not step.is_quiet and step.is_custom
    ]
    operations: dict[str, int] = {}
    for change in changes:
        operations[change.operation] = operations.get(change.operation, 0) + 1
    same = sum(n for op, n in preview.changes.items() if op in QUIET_OPERATIONS)
    summary = f"{counted_operations(operations)}, {same} unchanged"
    console.print(f"[bold]{escape(preview.stack)}[/]: {escape(summary)}")
    if not changes:
        return
    table = Table(show_header=False, box=None, padding=(0, 1))
    for change in changes:
        table.add_row(
            OPERATION_SIGNS.get(change.operation, change.operation),
            change.type,
            escape(change.name) + _remarks(change),
            style=STYLES.get(change.operation),
        )
        if change.operation in {"create", "delete"}:
            continue
        for attribute in change.attributes:
            forces = " [bold](forces a replacement)[/]" if attribute.replaces else ""
            words = f"{attribute.label}: {attribute_words(attribute)}"
            table.add_row("", "", f"  {escape(words)}{forces}", style="dim")
    console.print(table)


def _remarks(change: ResourceChange) -> str:
    remarks = [change.warning] if change.warning else []
    if change.repairs_drift:
        remarks.append("only repairs drift")
    return f" [dim]({escape('; '.join(remarks))})[/]" if remarks else ""


def _show_whole(console: Console, review: Review) -> None:
    access = [change for change in review.access if not change.repairs_drift]
    if access:
        console.print(f"\n[bold]Access[/]: {access_summary(access)}")
        console.print(_access_table(access, review.project))
    if review.policies:
        console.print("\n[bold]Policies[/]")
        for finding in review.policies:
            style = "bold red" if finding.stops else "dim"
            words = escape(f"{policy_verdict(finding)} {policy_words(finding)}")
            console.print(f"  [{style}]{words}[/]", soft_wrap=True)
    if sentences := impact_sentences(review):
        console.print("\n[bold]How far it reaches[/]")
        for sentence in sentences:
            console.print(f"  {escape(sentence)}", soft_wrap=True)
    if review.drift:
        console.print(f"\n[bold]Drift that this only repairs[/]: {len(review.drift)}")
    console.print(f"\n[bold]{escape(counted_operations(review.operations))}[/]")
    console.print(f"fingerprint {review.fingerprint}", soft_wrap=True)


def _access_table(changes: Iterable[AccessChange], project: str) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 1))
    for change in changes:
        table.add_row(
            " ".join([change.risk.value, *change.flags]),
            f"{escape(member_words(change, project))} [bold]{change.effect}[/]"
            f" {escape(change.role.removeprefix('roles/'))} on {escape(change.on)}"
            f" [dim]({escape(change.why)})[/]",
            style=RISK_STYLES[change.risk],
        )
    return table
