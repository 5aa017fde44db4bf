"""Words and Markdown that all formats of a review share."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from pydantic import JsonValue

from orchestration.automation.results import UNKNOWN_OUTPUT
from orchestration.review.model import (
    AccessChange,
    AttributeChange,
    PolicyFinding,
    ResourceChange,
    Review,
)
from orchestration.wording import counted

UNKNOWN_WORD = "(known later)"
# The order in which operations are counted: the loud ones first.
LOUDEST_FIRST = ("delete", "replace", "update", "create")
# So much of what two long texts begin with is shown before they differ.
KEPT_IN_COMMON = 12
BACKTICKS = re.compile(r"`+")


def counted_operations(operations: Mapping[str, int]) -> str:
    """Say how many resources become what, the loudest first: `1 to delete, 3 to create`."""
    known = [name for name in LOUDEST_FIRST if operations.get(name)]
    others = sorted(name for name, n in operations.items() if n and name not in LOUDEST_FIRST)
    return ", ".join(f"{operations[name]} to {name}" for name in (*known, *others)) or "no changes"


def shown(value: JsonValue, limit: int = 80) -> str:
    """Write a value on one line, with what is not known yet marked, cut at so many characters."""
    text = value if isinstance(value, str) else json.dumps(_marked(value), ensure_ascii=False)
    text = " ".join(text.split()) if isinstance(value, str) else text
    if value is None:
        text = "(none)"
    if value == UNKNOWN_OUTPUT:
        text = UNKNOWN_WORD
    return shortened(text, limit)


def shortened(text: str, limit: int) -> str:
    """Leave out the middle of what is too long: names differ at their ends."""
    if len(text) <= limit:
        return text
    kept = limit - 1
    return f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"


def attribute_words(attribute: AttributeChange, limit: int = 80) -> str:
    """Say what a property becomes: from what, to what, and where an unknown value comes from."""
    after = shown(attribute.after, limit)
    before = shown(attribute.before, limit)
    if isinstance(attribute.before, str) and isinstance(attribute.after, str):
        one, other = _from_where_they_differ(attribute.before, attribute.after, limit)
        before, after = shown(one, limit), shown(other, limit)
    if attribute.unknown_from:
        after = f"{after}: {attribute.unknown_from}"
    return f"{before} → {after}"


def destruction_reason(change: ResourceChange) -> str:
    """Say why something is deleted or made anew, as far as its own properties do not."""
    if change.repairs_drift:
        return "only repairs drift"
    if change.operation == "delete":
        return "nothing in the architecture asks for it any more"
    return "" if change.because else "what it belongs to is made anew"


def change_words(change: ResourceChange) -> str:
    """Say what becomes of a resource, and what is lost or forces it."""
    words = [f"{change.operation} {type_word(change)} {change.name}"]
    if change.warning:
        words.append(change.warning)
    if change.because:
        words.append(f"because of {', '.join(change.because)}")
    return "; ".join(words)


def type_word(change: ResourceChange) -> str:
    """Name a type by its last word: `gcp:storage/bucket:Bucket` is a `Bucket`."""
    return change.type.rpartition(":")[2]


def without_project(text: str, project: str) -> str:
    """Name accounts of the project by their own names: the rest is the same in all of them."""
    return text.replace(f"@{project}.iam.gserviceaccount.com", "")


def member_words(change: AccessChange, project: str) -> str:
    """Name a member as people do: an account of the project by its own name."""
    return without_project(change.member.removeprefix("serviceAccount:"), project)


def impact_sentences(review: Review) -> list[str]:
    """Say how far the change reaches, a sentence each; none where it reaches nothing."""
    impact = review.impact
    lists: Sequence[tuple[str, Sequence[str]]] = (
        ("Services changed", impact.changed_services),
        ("Services that use what changes", impact.touched_services),
        ("Services further down the data's way", impact.downstream_services),
        ("Dataflows touched", impact.dataflows),
        ("Data at risk", impact.data_at_risk),
    )
    return [f"{title}: {', '.join(names)}" for title, names in lists if names]


def policy_words(finding: PolicyFinding) -> str:
    """Say which rule is broken by what, why it is one, and what to do or who has waived it."""
    said = f"{finding.rule}: {finding.message}"
    if finding.waived:
        return f"{said}; waived: {finding.waived}"
    return f"{said}; {finding.why}; {finding.instead}"


def policy_verdict(finding: PolicyFinding) -> str:
    """Say in a word what a finding means for a run."""
    if finding.waived:
        return "waived"
    return "denied" if finding.stops else "warning"


def policy_sentences(findings: Sequence[PolicyFinding]) -> Iterator[tuple[PolicyFinding, str]]:
    """Say what policies find: what stops the run one by one, all else once for each rule.

    Each sentence comes with a finding that it is of.
    """
    groups: dict[tuple[str, str, str], list[PolicyFinding]] = {}
    for finding in findings:
        if finding.stops:
            yield finding, policy_words(finding)
        else:
            groups.setdefault((finding.rule, finding.waived, finding.level), []).append(finding)
    for group in groups.values():
        first = group[0]
        if len(group) == 1:
            yield first, policy_words(first)
            continue
        names = ", ".join(sorted({finding.resource for finding in group}))
        said = f"{first.rule}: {counted(len(group), 'finding')} on {names}"
        more = f"waived: {first.waived}" if first.waived else f"{first.why}; {first.instead}"
        yield first, f"{said}; {more}"


def access_summary(changes: Sequence[AccessChange]) -> str:
    """Count changes of access by risk: `2 critical, 1 low`."""
    counts: dict[str, int] = {}
    for change in sorted(changes, key=lambda change: change.risk.rank):
        counts[change.risk.value] = counts.get(change.risk.value, 0) + 1
    return ", ".join(f"{number} {risk}" for risk, number in counts.items()) or "none"


def changes_of_access(number: int) -> str:
    """Count changes of access in words."""
    return f"{counted(number, 'change')} of access"


def plain(text: str) -> str:
    """Write a text so that Markdown shows it: no comment in it hides what comes after it."""
    return " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace("[", "\\[")


def code(text: str) -> str:
    """Write a text as Markdown code that nothing in it can end."""
    flat = " ".join(text.split())
    if not flat:
        return "` `"
    fence = "`" * (max((len(run) for run in BACKTICKS.findall(flat)), default=0) + 1)
    pad = " " if flat.startswith("`") or flat.endswith("`") else ""
    return f"{fence}{pad}{flat}{pad}{fence}"


def _from_where_they_differ(one: str, other: str, limit: int) -> tuple[str, str]:
    """Leave out what two long texts begin with, but for a little of it."""
    if max(len(one), len(other)) <= limit:
        return one, other
    pairs = enumerate(zip(one, other, strict=False))
    common = next((at for at, (a, b) in pairs if a != b), 0) - KEPT_IN_COMMON
    return (one, other) if common <= 0 else (f"…{one[common:]}", f"…{other[common:]}")


def _marked(value: JsonValue) -> JsonValue:
    if value == UNKNOWN_OUTPUT:
        return UNKNOWN_WORD
    if isinstance(value, dict):
        return {key: _marked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_marked(item) for item in value]
    return value
