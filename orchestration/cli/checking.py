"""`conductor check`: what is wrong in an architecture file, where, and what to do about it."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from rich.markup import escape

from architecture.findings import Finding, Severity
from orchestration.artifacts.planner import findings_of
from orchestration.cli.console import output
from orchestration.cli.sarif import sarif
from orchestration.environments import Environment
from orchestration.errors import ArchitectureInvalid
from orchestration.settings import Settings
from orchestration.targets.local import DEFAULT_PROJECT
from orchestration.wording import counted


class CheckFormat(StrEnum):
    """How findings are written."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow"}


def check(architecture: Path, env: str, *, project: str | None, written_as: CheckFormat) -> None:
    """Print everything that is found in a file; with errors among it, the file is refused.

    Raises:
        ArchitectureInvalid: there are errors; they have been printed.
    """
    environment = Environment(env, Settings.from_environment())
    findings = findings_of(
        architecture, environment=environment.name, project_id=project or DEFAULT_PROJECT
    )
    match written_as:
        case CheckFormat.TEXT:
            _print_text(architecture, findings)
        case CheckFormat.JSON:
            document = {"file": str(architecture), "findings": [_to_json(f) for f in findings]}
            sys.stdout.write(json.dumps(document, indent=2) + "\n")
        case CheckFormat.SARIF:
            sys.stdout.write(json.dumps(sarif(findings), indent=2) + "\n")
    if errors := _number(findings, Severity.ERROR):
        raise ArchitectureInvalid(f"{architecture} has {counted(errors, 'error')}")


def _print_text(path: Path, findings: Sequence[Finding]) -> None:
    console = output()
    for finding in findings:
        place = f":{finding.line}:{finding.column}" if finding.line else ""
        style = STYLES[finding.severity]
        fix = f"\n    [dim]→ {escape(finding.fix)}[/]" if finding.fix else ""
        console.print(
            f"{escape(str(finding.path))}{place}: [{style}]{finding.severity}[/]"
            f"[dim]\\[{finding.rule}][/] {escape(finding.message)}{fix}",
            soft_wrap=True,
        )
    numbers = Counter(finding.severity for finding in findings)
    told = ", ".join(counted(numbers[s], s.value) for s in Severity if numbers[s])
    console.print(f"{escape(str(path))}: {told or 'nothing found'}", soft_wrap=True)


def _number(findings: Sequence[Finding], severity: Severity) -> int:
    return sum(finding.severity is severity for finding in findings)


def _to_json(finding: Finding) -> dict[str, str | int]:
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "line": finding.line,
        "column": finding.column,
        "message": finding.message,
        "fix": finding.fix,
    }
