"""A review as Markdown: everything, however long it gets. What fits a comment is `comment`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence

from orchestration.review.model import (
    AccessChange,
    PolicyFinding,
    ResourceChange,
    Review,
    StackReview,
)
from orchestration.review.wording import (
    access_summary,
    attribute_words,
    code,
    counted_operations,
    destruction_reason,
    impact_sentences,
    member_words,
    plain,
    policy_sentences,
    policy_verdict,
    shortened,
    type_word,
)


def to_markdown(review: Review) -> str:
    """Write the whole review."""
    return "\n\n".join(_sections(review)) + "\n"


def _sections(review: Review) -> Iterator[str]:
    yield f"# Preview of {review.environment}: {counted_operations(review.operations)}"
    yield f"Architecture {code(review.architecture)}, project {code(review.project)}."
    yield f"Fingerprint: {code(review.fingerprint)}"
    if review.policies:
        yield "## Policies"
        yield "\n".join(policy_lines(review.policies))
    if review.destructive:
        yield "## What is deleted or made anew"
        yield "\n".join(destructive_line(change) for change in review.destructive)
    if review.intended_access:
        yield f"## Access: {access_summary(review.intended_access)}"
        yield "\n".join(access_line(change, review.project) for change in review.intended_access)
    if sentences := impact_sentences(review):
        yield "## How far it reaches"
        yield "\n".join(f"- {sentence}" for sentence in sentences)
    yield "## Stacks"
    for stack in review.stacks:
        yield from _stack(stack)
    if review.drift:
        yield "## Drift that this only repairs"
        yield "\n".join(
            (
                *(access_line(change, review.project) for change in review.drifted_access),
                *(_drift_line(change) for change in review.drift),
            )
        )


def destructive_line(change: ResourceChange, *, with_reasons: bool = True) -> str:
    """Say on one line what is deleted or replaced, what is lost, and what forces it."""
    line = f"- **{change.operation}** {code(change.name)} ({type_word(change)}, {change.stack})"
    if change.holds_data:
        line += " ⚠ **data**"
    if with_reasons and change.warning:
        line += f": {change.warning}"
    if with_reasons and change.because:
        line += f", because of {', '.join(code(path) for path in change.because)}"
    if with_reasons and (reason := destruction_reason(change)):
        line += f"; {reason}"
    return line


def access_line(change: AccessChange, project: str, *, with_reasons: bool = True) -> str:
    """Say on one line who gains or loses what on what, how dangerous that is, and why."""
    flags = "".join(f" **{flag}**" for flag in change.flags)
    line = (
        f"- [{change.risk}]{flags} {code(member_words(change, project))} **{change.effect}**"
        f" {code(change.role.removeprefix('roles/'))} on"
        f"{f' {change.kind} {code(change.resource)}' if change.kind else f' {change.on}'}"
    )
    return f"{line}: {plain(change.why)}" if with_reasons else line


def policy_lines(findings: Sequence[PolicyFinding], limit: int = sys.maxsize) -> Iterator[str]:
    """Yield what policies find, each on one line that is no longer than `limit`."""
    for finding, sentence in policy_sentences(findings):
        yield f"- **{policy_verdict(finding)}** {plain(shortened(sentence, limit))}"


def change_lines(changes: Iterable[ResourceChange], *, with_attributes: bool) -> Iterator[str]:
    """Yield a line for each change, and one below it for each property that changes."""
    for change in changes:
        yield f"- {change.operation} {code(change.name)} ({type_word(change)})"
        if with_attributes and change.operation not in {"create", "delete"}:
            for attribute in change.attributes:
                forces = " **(forces a replacement)**" if attribute.replaces else ""
                yield f"  - {code(attribute.path)}: {code(attribute_words(attribute))}{forces}"


def _stack(stack: StackReview) -> Iterator[str]:
    operations = counted_operations(stack.operations)
    yield f"### {stack.stack}: {operations}, {stack.unchanged} unchanged"
    intended = [change for change in stack.changes if not change.repairs_drift]
    if intended:
        yield "\n".join(change_lines(intended, with_attributes=True))


def _drift_line(change: ResourceChange) -> str:
    paths = ", ".join(code(attribute.path) for attribute in change.attributes)
    found = "it is gone" if change.operation == "create" else f"changed: {paths}"
    return f"- {code(change.name)} ({type_word(change)}, {change.stack}): {found}"
