"""A review as the comment on a pull request: never longer than a comment may be.

What must be seen is never cut: deletions, replacements and changes of access each have a line as
long as there are no more than two hundred. What else does not fit is told shorter, step by step;
with more than that the comment says first that it is not complete, and groups with exact counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from orchestration.review.markdown import access_line, change_lines, destructive_line, policy_lines
from orchestration.review.model import AccessChange, PolicyFinding, ResourceChange, Review
from orchestration.review.wording import (
    access_summary,
    changes_of_access,
    code,
    counted_operations,
    impact_sentences,
    member_words,
    policy_verdict,
    shortened,
    type_word,
)
from orchestration.wording import counted

# GitHub refuses longer bodies ("body is too long (maximum is 65536 characters)").
LIMIT: Final = 65_536
# So many deletions, replacements and changes of access have a line each.
ALWAYS_LISTED: Final = 200
# A sentence on reach is cut here where space is scarce: it names services, of which all are
# in the full report.
SHORT_SENTENCE: Final = 1_000
# With more findings of policies than this, they are counted by rule.
POLICIES_LISTED: Final = 20
SHORT_FINDING: Final = 300


@dataclass(frozen=True, slots=True)
class _Detail:
    """How much is told."""

    attributes: bool = True
    harmless: bool = True
    reasons: bool = True
    # Longer names lose their middle.
    names: int = LIMIT
    grouped: bool = False
    # A line for each stack; else only how many there are of each layer.
    stacks: bool = True
    # Groups name stacks and roles; else only operations and risks.
    fine_groups: bool = True


# From everything to the least. The fifth holds two hundred lines and a hundred stacks, whatever
# they are called.
_BARE: Final = _Detail(attributes=False, harmless=False, names=40)
LEVELS: Final = (
    _Detail(),
    _Detail(attributes=False),
    _Detail(attributes=False, harmless=False),
    _Detail(attributes=False, harmless=False, names=72),
    replace(_BARE, reasons=False),
    replace(_BARE, grouped=True),
    replace(_BARE, grouped=True, fine_groups=False),
    replace(_BARE, grouped=True, fine_groups=False, stacks=False),
)


def marker(environment: str) -> str:
    """Give the line by which the comment of an environment is found again, to be replaced."""
    return f"<!-- conductor preview {environment} -->"


def to_comment(review: Review, *, report: str = "`conductor preview --format html`") -> str:
    """Write the comment.

    Args:
        review: what would change.
        report: where the whole report is, in Markdown; a comment that is not complete names it.
    """
    must_group = len(review.access) + len(review.destructive) > ALWAYS_LISTED
    text = ""
    for detail in LEVELS:
        if must_group and not detail.grouped:
            continue
        text = "\n\n".join(_sections(review, detail, report)) + "\n"
        if len(text) <= LIMIT:
            break
    return text


def _sections(review: Review, detail: _Detail, report: str) -> Iterator[str]:
    access, destructive = review.intended_access, review.destructive
    yield marker(review.environment)
    if detail.grouped:
        yield (
            f"> [!WARNING]\n> **This comment is not complete**: {len(destructive)} deletions and"
            f" replacements and {changes_of_access(len(review.access))} are grouped."
            f" The full report: {report}."
        )
    yield (
        f"### Preview of {code(review.environment)}: {counted_operations(review.operations)}\n\n"
        f"Fingerprint {code(review.fingerprint)}"
    )
    if review.policies:
        yield f"#### Policies: {_policy_summary(review.policies)}"
        yield "\n".join(_policies(review.policies, detail))
    if destructive:
        yield f"#### ⚠ Deleted or made anew: {len(destructive)}"
        yield "\n".join(_destructive(destructive, detail))
    if access:
        yield f"#### Access: {access_summary(access)}"
        yield "\n".join(_access(access, review.project, detail))
    if sentences := impact_sentences(review):
        limit = SHORT_SENTENCE if detail.names < LIMIT else LIMIT
        yield "#### How far it reaches"
        yield "\n".join(f"- {shortened(sentence, limit)}" for sentence in sentences)
    yield "#### Stacks"
    yield "\n".join(_stacks(review, detail) if detail.stacks else _layers(review))
    if review.drift:
        yield f"#### Drift that this only repairs: {len(review.drift)}"
        yield "\n".join(_drift(review, detail))
    if detail.harmless and review.intended:
        yield _details(review, detail)


def _policy_summary(findings: Sequence[PolicyFinding]) -> str:
    counts = Counter(policy_verdict(finding) for finding in findings)
    return ", ".join(f"{number} {verdict}" for verdict, number in sorted(counts.items()))


def _policies(findings: Sequence[PolicyFinding], detail: _Detail) -> Iterator[str]:
    """List what stops the run as long as there is room; count the rest by rule."""
    listed = [f for f in findings if f.stops or detail.harmless]
    if sum(f.stops for f in listed) > POLICIES_LISTED:
        listed = []
    yield from policy_lines(listed, SHORT_SENTENCE if detail.harmless else SHORT_FINDING)
    rest = Counter((policy_verdict(f), f.rule) for f in findings if f not in listed)
    for (verdict, rule), number in sorted(rest.items()):
        yield f"- **{verdict}** {rule}: {counted(number, 'resource')}"


def _destructive(changes: Sequence[ResourceChange], detail: _Detail) -> Iterator[str]:
    if detail.grouped:
        yield from _groups(
            changes,
            lambda change: (
                f"**{change.operation}** {type_word(change)}"
                + (" ⚠ **data**" if change.holds_data else "")
                + (f" in {_name(change.stack, detail)}" if detail.fine_groups else "")
            ),
        )
        return
    for change in changes:
        shown = change.model_copy(
            update={"name": _name(change.name, detail), "stack": _name(change.stack, detail)}
        )
        yield destructive_line(shown, with_reasons=detail.reasons)


def _access(changes: Sequence[AccessChange], project: str, detail: _Detail) -> Iterator[str]:
    if detail.grouped:
        yield from _groups(
            changes,
            lambda change: (
                f"[{change.risk}]{''.join(f' **{flag}**' for flag in change.flags)}"
                f" **{change.effect}**"
                + (
                    f" {code(_name(change.role, detail))} on {change.kind or change.on}"
                    if detail.fine_groups
                    else ""
                )
            ),
        )
        return
    for change in changes:
        kind = f"{change.kind} " if change.kind else ""
        shown = change.model_copy(
            update={
                "member": _name(member_words(change, project), detail),
                "role": _name(change.role, detail),
                "on": f"{kind}{_name(change.resource, detail)}",
            }
        )
        yield access_line(shown, project, with_reasons=detail.reasons)


def _groups(
    changes: Sequence[ResourceChange] | Sequence[AccessChange],
    group_of: Callable[..., str],
) -> Iterator[str]:
    counts = Counter(group_of(change) for change in changes)
    for group, number in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        yield f"- {number} times {group}"


def _stacks(review: Review, detail: _Detail) -> Iterator[str]:
    yield "| stack | changes | unchanged |"
    yield "|---|---|---|"
    for stack in review.stacks:
        name = _name(stack.stack, detail)
        yield f"| {name} | {counted_operations(stack.operations)} | {stack.unchanged} |"


def _layers(review: Review) -> Iterator[str]:
    """Count by layer: a stack's name is `ENV.LAYER` or `ENV.LAYER.DATAFLOW`."""
    totals: dict[str, Counter[str]] = {}
    number: Counter[str] = Counter()
    for stack in review.stacks:
        layer = stack.stack.split(".")[1] if "." in stack.stack else stack.stack
        totals.setdefault(layer, Counter()).update(stack.operations)
        number[layer] += 1
    for layer, operations in totals.items():
        yield f"- {layer} ({counted(number[layer], 'stack')}): {counted_operations(operations)}"


def _drift(review: Review, detail: _Detail) -> Iterator[str]:
    """Tell what is repaired; what of it is deleted is told among all that is."""
    yield from _access(review.drifted_access, review.project, detail)
    changes = review.other_drift
    if detail.harmless:
        for change in changes:
            yield f"- {change.operation} {code(change.name)} ({type_word(change)})"
    elif changes:
        counts = Counter(change.stack for change in changes)
        shown = ", ".join(f"{number} in {stack}" for stack, number in sorted(counts.items()))
        yield f"- {len(changes)} more: {shortened(shown, SHORT_SENTENCE)}"


def _details(review: Review, detail: _Detail) -> str:
    parts = ["<details><summary>Every change</summary>"]
    for stack in review.stacks:
        intended = [change for change in stack.changes if not change.repairs_drift]
        if intended:
            lines = "\n".join(change_lines(intended, with_attributes=detail.attributes))
            parts.append(f"**{stack.stack}**\n\n{lines}")
    return "\n\n".join([*parts, "</details>"])


def _name(text: str, detail: _Detail) -> str:
    return shortened(text, detail.names)
