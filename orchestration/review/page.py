"""A review as a page: everything, in tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from orchestration.pages import row, table, whole_page
from orchestration.review.model import AccessChange, ResourceChange, Review, StackReview
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
)

STYLE = """
.delete td:first-child, .replace td:first-child, .critical td:first-child, .high td:first-child {
  color: var(--bad); font-weight: 600; }
code { overflow-wrap: anywhere; }
"""


def to_html(review: Review) -> str:
    """Write the page."""
    title = f"Preview of {review.environment}: {counted_operations(review.operations)}"
    return whole_page(title, "\n".join(_sections(review, title)), style=STYLE)


def _sections(review: Review, title: str) -> Iterator[str]:
    yield f"<h1>{escape(title)}</h1>"
    yield (
        f"<p>Architecture {escape(review.architecture)} · project {escape(review.project)}"
        f" · fingerprint <code>{escape(review.fingerprint)}</code></p>"
    )
    if review.policies:
        yield "<h2>Policies</h2>" + table(
            ("Verdict", "Finding"),
            [
                row(policy_verdict(found), sentence, kind="critical" if found.stops else "")
                for found, sentence in policy_sentences(review.policies)
            ],
        )
    if review.destructive:
        yield "<h2>What is deleted or made anew</h2>" + table(
            ("What", "Resource", "Stack", "Lost", "Why"),
            [
                row(
                    change.operation,
                    _resource(change),
                    change.stack,
                    ("data: " if change.holds_data else "") + change.warning.removeprefix("loses "),
                    ", ".join(filter(None, (*change.because, destruction_reason(change)))),
                    kind=change.operation,
                )
                for change in review.destructive
            ],
        )
    if access := review.intended_access:
        yield f"<h2>Access: {escape(access_summary(access))}</h2>" + _access(access, review.project)
    if sentences := impact_sentences(review):
        items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
        yield f"<h2>How far it reaches</h2><ul>{items}</ul>"
    for stack in review.stacks:
        yield from _stack(stack)
    if review.drift:
        yield "<h2>Drift that this only repairs</h2>" + _changes(review.drift)
        if access := review.drifted_access:
            yield _access(access, review.project)


def _access(changes: Sequence[AccessChange], project: str) -> str:
    return table(
        ("Risk", "Who", "", "Role", "On", "Why"),
        [
            row(
                " ".join([change.risk.value, *change.flags]),
                member_words(change, project),
                change.effect.value,
                change.role,
                change.on,
                change.why,
                kind=change.risk.value,
            )
            for change in changes
        ],
    )


def _stack(stack: StackReview) -> Iterator[str]:
    head = f"{stack.stack}: {counted_operations(stack.operations)}, {stack.unchanged} unchanged"
    yield f"<h2>{escape(head)}</h2>"
    intended = [change for change in stack.changes if not change.repairs_drift]
    if intended:
        yield _changes(intended)


def _changes(changes: Sequence[ResourceChange]) -> str:
    rows = []
    for change in changes:
        rows.append(row(change.operation, _resource(change), "", "", kind=change.operation))
        rows += [
            row(
                "",
                attribute.path,
                attribute_words(attribute, limit=400),
                "forces a replacement" if attribute.replaces else "",
            )
            for attribute in change.attributes
            if change.operation not in {"create", "delete"}
        ]
    return table(("What", "Resource or property", "From → to", ""), rows)


def _resource(change: ResourceChange) -> str:
    return f"{type_word(change)} {change.name}"
