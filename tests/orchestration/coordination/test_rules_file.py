"""An operator's rules: what a file adds to the documented ones, and what it may not say."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from orchestration.coordination.model import RiskLevel
from orchestration.coordination.rules import APPROVAL_RULES, CONTRADICTIONS, PLAN_TEMPLATES, Rules
from orchestration.coordination.rules_file import read_rules
from orchestration.errors import UsageError

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "coordination.md"


def read(tmp_path: Path, text: str) -> Rules:
    """Read a file of that text."""
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    return read_rules(path)


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    """What is not named stays as documented."""
    assert read(tmp_path, "") == Rules()


def test_the_guides_example_says_what_it_says(tmp_path: Path) -> None:
    """Every key of the guide's example is read, beside the documented rules."""
    example = GUIDE.read_text().split("```yaml\n")[1].split("```")[0]
    rules = read(tmp_path, example)
    assert [freeze.name for freeze in rules.freezes] == ["year-end"]
    assert rules.contradictions - CONTRADICTIONS == {frozenset({"pause_ingest", "raise_ingest"})}
    high = rules.approvals[RiskLevel.HIGH]
    assert (high.approvers, high.approvers_with_auto_approve) == (2, 2)
    assert high.expires_after == timedelta(hours=12)
    assert rules.approvals[RiskLevel.LOW] == APPROVAL_RULES[RiskLevel.LOW]
    steps = rules.templates["resize_cluster"]
    assert [step.action for step in steps] == [
        "take_snapshot",
        "scale_resources",
        "validate_quality",
    ]
    assert [step.critical for step in steps] == [True, False, True]
    assert steps[0].retain_on_rollback
    assert rules.templates["scale_down"] == PLAN_TEMPLATES["scale_down"]


def test_an_action_is_offered_where_every_step_of_its_plan_is(tmp_path: Path) -> None:
    """C9: a template of steps that nobody offers is no handler."""
    rules = read(
        tmp_path,
        "templates: {good: [{action: take_snapshot}], bad: [{action: take_snapshot}, {action: x}]}",
    )
    assert rules.offers("good", frozenset())
    assert not rules.offers("bad", frozenset())
    assert rules.offers("bad", frozenset({"x"}))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "rules.yaml:1:2"),
        ("[]", "the file"),
        ("freeze: []", "freeze"),
        ("freezes: [{name: n, starts_at: 2026-01-02T00:00:00, ends_at: 2026-01-03}]", "starts_at"),
        (
            "freezes: [{name: n, starts_at: 2026-01-02T00:00:00Z, ends_at: 2026-01-01T00:00:00Z}]",
            "ends before it starts",
        ),
        ("contradictions: [[a, a]]", "contradict itself"),
        ("approvals: {high: {expires_after: soon}}", "expires_after"),
        ("approvals: {extreme: {approvers: 1}}", "extreme"),
        ("templates: {a: []}", "templates.a"),
    ],
)
def test_what_no_rule_can_be_is_refused_with_its_place(
    tmp_path: Path, text: str, said: str
) -> None:
    """Bad input gets one clear line."""
    with pytest.raises(UsageError, match=said) as refused:
        read(tmp_path, text)
    assert "\n" not in refused.value.message


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The path is in the message."""
    with pytest.raises(UsageError, match=r"none\.yaml"):
        read_rules(tmp_path / "none.yaml")
