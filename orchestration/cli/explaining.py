"""`conductor check --explain`: every value that an environment gets, and where it comes from."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.markup import escape

from architecture.explaining import Explanation, Source, explain
from architecture.loading import load
from architecture.names import without_suffix
from architecture.recorded import RecordedOverrides
from orchestration.artifacts.planner import read_architecture
from orchestration.cli.console import output
from orchestration.environments import Environment
from orchestration.overriding import OverrideStore
from orchestration.settings import Settings
from orchestration.targets.local import DEFAULT_PROJECT

STYLES = {
    Source.FILE: "green",
    Source.OVERRIDE: "bold magenta",
    Source.DEFAULT: "dim",
    Source.OPTION: "yellow",
    Source.RULE: "cyan",
    Source.RECORDED: "bold blue",
}


def explain_values(
    architecture: Path,
    env: str,
    *,
    project: str | None = None,
    source_root: Path | None = None,
    as_json: bool,
) -> None:
    """Print every value of the hydrated architecture with who says it.

    Names are shown without a test run's suffix, as the file has them.

    Raises:
        ArchitectureInvalid: the file has errors.
        UsageError: the environment's name is none.
    """
    environment = Environment(env, Settings.from_environment())
    hydrated = read_architecture(
        architecture,
        environment=environment.name,
        project_id=project or DEFAULT_PROJECT,
        source_root=source_root,
    ).architecture
    explanations = explain(
        architecture.read_text(encoding="utf-8-sig"),
        load(architecture).architecture,
        hydrated,
        environment.name,
        source_root_given=source_root is not None,
        recorded=_unsuffixed(OverrideStore(environment).read(), environment.suffix(None)),
    )
    console = output()
    for explanation in explanations:
        if as_json:
            sys.stdout.write(json.dumps(_described(explanation, architecture)) + "\n")
        else:
            console.print(_line(explanation, architecture), soft_wrap=True, highlight=False)


def _unsuffixed(recorded: RecordedOverrides, suffix: str) -> RecordedOverrides:
    """Name the services as the file does."""
    entries = (
        entry.model_copy(update={"service": without_suffix(entry.service, suffix)})
        for entry in recorded.entries
    )
    return recorded.model_copy(update={"entries": tuple(entries)})


def _described(explanation: Explanation, file: Path) -> dict[str, str | int | float | bool | None]:
    return {
        "key": explanation.key,
        "value": explanation.value,
        "source": explanation.source.value,
        "file": str(file) if explanation.line else None,
        "line": explanation.line or None,
        "column": explanation.column or None,
        "reason": explanation.reason,
    }


def _line(explanation: Explanation, file: Path) -> str:
    place = f"{file}:{explanation.line}:{explanation.column}" if explanation.line else ""
    said = ": ".join(part for part in (place, explanation.reason) if part)
    style = STYLES[explanation.source]
    value = json.dumps(explanation.value, ensure_ascii=False)
    return (
        f"{escape(explanation.key)} = {escape(value)}"
        f"  [dim]#[/] [{style}]{explanation.source}:[/] [dim]{escape(said)}[/]"
    )
