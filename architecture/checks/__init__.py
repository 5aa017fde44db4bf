"""The rules of an architecture, one small function each; every one looks at the whole model.

Shapes and keys are judged before, in `architecture.binding`.
"""

from __future__ import annotations

from collections.abc import Iterator

from architecture.checks.problem import Problem, Rule
from architecture.model import Architecture

__all__ = ["RULES", "Problem", "check"]

RULES: tuple[Rule, ...] = ()


def check(architecture: Architecture) -> Iterator[Problem]:
    """Yield everything that any rule finds."""
    for rule in RULES:
        yield from rule(architecture)
