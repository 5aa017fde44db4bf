"""Every rule of an architecture file is on the page of checks, and nothing else is."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "checks.md"
# What looks like a rule's id in the code of `architecture`, and is none.
OTHERS = {
    "cloud-deploy",
    "command-subscription-id",
    "command-topic",
    "completion-topic",
    "service-account",
    "utf-8",
    "utf-8-sig",
}
# Rules whose ids are put together where they are found.
DANGLING = {
    f"dangling-{thing}" for thing in ("service", "dependency", "topic", "dataset", "database")
}


def rules_of_the_code() -> set[str]:
    """Find every rule's id among the code's texts."""
    return (
        DANGLING
        | {
            node.value
            for path in (ROOT / "architecture").rglob("*.py")
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)+", node.value)
        }
        - OTHERS
    )


def test_every_rule_is_on_the_page() -> None:
    """Step 3, item 3: at least 30 rules, each with what is wrong and what to do."""
    listed = re.findall(
        r'^\| <a id="([a-z0-9-]+)"></a>`\1` \| (?:error|warning|error or warning) \| .+ \| .+ \|$',
        PAGE.read_text(),
        re.MULTILINE,
    )
    assert len(listed) == len(set(listed))
    assert set(listed) == rules_of_the_code()
    assert len(listed) >= 30
