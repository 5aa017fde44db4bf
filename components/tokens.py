"""The type tokens of our components: one function, so that they all have one form.

A token is part of every URN below it. Changing one replaces resources unless the component
carries an alias of the old token.
"""

from __future__ import annotations

from enum import StrEnum


class Area(StrEnum):
    """What part of the system a component belongs to; the middle part of its token."""

    ACCESS = "access"
    DATAFLOW = "dataflow"
    PROJECT = "project"
    SERVICE = "service"


def token(area: Area, name: str) -> str:
    """Return the type token of a component, `conductor:<area>:<Name>`."""
    return f"conductor:{area}:{name}"
