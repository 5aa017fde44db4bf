"""The page on policies says of each rule what the code says."""

from pathlib import Path

import pytest

from policies.checking import RULES
from policies.model import Rule
from policies.waivers import Waiver

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "policies.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_rule_has_its_row(rule: Rule) -> None:
    """Name, level, why, and what to do instead."""
    (row,) = (line for line in PAGE.splitlines() if line.startswith(f"| `{rule.name}` "))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert (cells[1], cells[3], cells[4]) == (rule.level.value, rule.why, rule.instead)
    assert cells[2]


def test_the_page_has_no_other_rules_and_every_key_of_a_waiver() -> None:
    """Nothing is described that is not there."""
    first = [line.split("`")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    assert first == [*(rule.name for rule in RULES), *Waiver.model_fields]


def test_each_rule_is_a_file_of_its_name() -> None:
    """One file a rule: whoever reads of a finding finds its rule."""
    for rule in RULES:
        assert (ROOT / "policies" / f"{rule.name.replace('-', '_')}.py").is_file()
