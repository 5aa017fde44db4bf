"""Words and Markdown that all formats of a review share."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

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
    if attribute.unknown_from:
        after = f"{after}: {attribute.unknown_from}"
    return f"{shown(attribute.before, limit)} → {after}"


def change_words(change: ResourceChange) -> str:
    """Say what becomes of a resource, and what is lost or forces it."""
    words = [f"{change.operation} {change.type.rpartition(':')[2]} {change.name}"]
    if change.warning:
        words.append(change.warning)
    if change.because:
        words.append(f"because of {', '.join(change.because)}")
    return "; ".join(words)


def member_words(change: AccessChange, project: str) -> str:
    """Name a member as people do: an account of the project by its own name."""
    return change.member.removeprefix("serviceAccount:").removesuffix(
        f"@{project}.iam.gserviceaccount.com"
    )


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


def access_summary(changes: Sequence[AccessChange]) -> str:
    """Count changes of access by risk: `2 critical, 1 low`."""
    counts: dict[str, int] = {}
    for change in sorted(changes, key=lambda change: change.risk.rank):
        counts[change.risk.value] = counts.get(change.risk.value, 0) + 1
    return ", ".join(f"{number} {risk}" for risk, number in counts.items()) or "none"


def changes_of_access(number: int) -> str:
    """Count changes of access in words."""
    return f"{counted(number, 'change')} of access"


def code(text: str) -> str:
    """Write a text as Markdown code that nothing in it can end, on one line of a table."""
    flat = " ".join(text.split()).replace("|", "\\|")
    if not flat:
        return "` `"
    fence = "`" * (max((len(run) for run in BACKTICKS.findall(flat)), default=0) + 1)
    pad = " " if flat.startswith("`") or flat.endswith("`") else ""
    return f"{fence}{pad}{flat}{pad}{fence}"


def _marked(value: JsonValue) -> JsonValue:
    if value == UNKNOWN_OUTPUT:
        return UNKNOWN_WORD
    if isinstance(value, dict):
        return {key: _marked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_marked(item) for item in value]
    return value
