"""Findings as SARIF 2.1.0, which code hosts show beside the lines of a pull request.

The format: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from typing import Final

from architecture.findings import Finding
from orchestration.automation.results import Json

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
# Below it, code hosts look for the rule that a finding names.
HELP_PAGE: Final = "docs/reference/checks.md"


def sarif(findings: Sequence[Finding]) -> dict[str, Json]:
    """Make a log with one run: its rules, and a result for each finding."""
    rules = sorted({finding.rule for finding in findings})
    places = {rule: index for index, rule in enumerate(rules)}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "conductor check",
                        "version": metadata.version("conductor"),
                        "rules": [
                            {"id": rule, "help": {"text": f"See {HELP_PAGE}#{rule}"}}
                            for rule in rules
                        ],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(finding, places[finding.rule]) for finding in findings],
            }
        ],
    }


def _result(finding: Finding, rule_index: int) -> dict[str, Json]:
    fix = f" ({finding.fix})" if finding.fix else ""
    place: dict[str, Json] = {"artifactLocation": {"uri": finding.path.as_posix()}}
    if finding.line:
        place["region"] = {"startLine": finding.line, "startColumn": finding.column}
    return {
        "ruleId": finding.rule,
        "ruleIndex": rule_index,
        "level": finding.severity.value,
        "message": {"text": f"{finding.message}{fix}"},
        "locations": [{"physicalLocation": place}],
    }
