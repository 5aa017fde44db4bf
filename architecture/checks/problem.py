"""What a rule reports: where in the model, not yet where in the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from architecture.findings import Severity
from architecture.model import Architecture

Where = tuple[str | int, ...]
"""The keys and list positions that lead from the root to the place."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that a rule objects to."""

    rule: str
    where: Where
    message: str
    fix: str
    severity: Severity = Severity.ERROR


Rule = Callable[[Architecture], Iterator[Problem]]
"""Yields what is wrong; texts that are empty were reported when they were read."""
