"""`conductor cloud faults …` and `conductor cloud log`: what goes wrong, and what was called."""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import yaml
from rich.cells import cell_len, set_cell_size

from orchestration.cli.console import output
from orchestration.environments import Environment
from orchestration.errors import UsageError
from orchestration.settings import Settings
from orchestration.targets.local_faults import (
    FaultRule,
    RecordedCall,
    clear_faults,
    faults_of,
    recorded_calls,
    set_faults,
)

_FIRST_ERROR: Final = 400


@dataclass(frozen=True, slots=True)
class Selection:
    """Which calls to show: patterns with `*`, and only the last of them."""

    method: str = "*"
    principal: str = "*"
    is_failed_only: bool = False
    last: int = 0

    def of(self, calls: Iterable[RecordedCall]) -> list[RecordedCall]:
        """Return the calls that are selected, oldest first."""
        chosen = (call for call in calls if self._has(call))
        return list(deque(chosen, maxlen=self.last or None))

    def _has(self, call: RecordedCall) -> bool:
        is_failed = call.code >= _FIRST_ERROR or bool(call.fault)
        return (
            fnmatchcase(call.method, self.method)
            and fnmatchcase(call.principal, self.principal)
            and (is_failed or not self.is_failed_only)
        )


def set_from_file(env: str, file: Path, *, as_json: bool) -> None:
    """Replace the environment's fault rules by those of a YAML file.

    Raises:
        UsageError: the file cannot be read, or a rule makes no sense.
        CloudUnreachable: the local cloud does not run.
    """
    try:
        rules = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise UsageError(f"{file} is no YAML: {problem}") from error
    _show(set_faults(_environment(env), rules), env, as_json=as_json)


def show(env: str, *, as_json: bool) -> None:
    """Print the rules in force and how often each struck."""
    _show(faults_of(_environment(env)), env, as_json=as_json)


def clear(env: str, *, as_json: bool) -> None:
    """Drop every rule."""
    clear_faults(_environment(env))
    _show((), env, as_json=as_json)


def show_log(env: str, selection: Selection, *, as_json: bool) -> None:
    """Print what reached the environment's local cloud: who, what, whether it might, what came."""
    calls = selection.of(recorded_calls(_environment(env)))
    if as_json:
        for call in calls:
            sys.stdout.write(call.model_dump_json() + "\n")
        return
    console = output()
    if not calls:
        console.print(f"no such call reached the local cloud of {env}")
        return
    told = ("decision", "fault", "method", "principal", "permission", "resource")
    _print_table(
        ("time", "code", *told),
        [
            (
                f"{datetime.fromtimestamp(call.at, UTC).astimezone():%H:%M:%S.%f}"[:-3],
                str(call.code or "-"),
                *(getattr(call, column) for column in told),
            )
            for call in calls
        ],
    )


def _show(rules: tuple[FaultRule, ...], env: str, *, as_json: bool) -> None:
    if as_json:
        described = [rule.model_dump(mode="json") for rule in rules]
        sys.stdout.write(json.dumps({"environment": env, "rules": described}) + "\n")
        return
    console = output()
    if not rules:
        console.print(f"the local cloud of {env} has no fault rules")
        return
    _print_table(
        ("fault", "matched", "injected", "rule"),
        [
            (rule.does, str(rule.matched), str(rule.injected), json.dumps(rule.rule))
            for rule in rules
        ],
    )


def _print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print lines in columns, none of them shortened: whoever looks for a cause needs all of it."""
    widths = [max(map(cell_len, column)) for column in zip(header, *rows, strict=True)]
    for line in (header, *rows):
        cells = (set_cell_size(cell, width) for cell, width in zip(line, widths, strict=True))
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def _environment(env: str) -> Environment:
    return Environment(env, Settings.from_environment())
