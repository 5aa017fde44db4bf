"""Google's limits on single values, and values that are spelled differently but mean the same.

Which property has which limit is the resource types' business.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from rehearsal.engine.provider import Value
from rehearsal.providers.properties import items
from rehearsal.providers.schema import Comparing, Rule

_DURATION: Final = re.compile(r"^(\d+(?:\.\d{1,9})?)s$")


def one_of(*allowed: str) -> Rule:
    """Return a rule for one of a few words; an empty one says no more than none."""

    def problem(value: Value) -> str | None:
        if value == "" or value in allowed:
            return None
        return f"is {value!r}; it must be one of {', '.join(allowed)}"

    return problem


def matching(pattern: str, says: str) -> Rule:
    """Return a rule for text of one form, which `says` describes."""
    compiled = re.compile(pattern)

    def problem(value: Value) -> str | None:
        if isinstance(value, str) and compiled.fullmatch(value):
            return None
        return f"is {value!r}; {says}"

    return problem


def from_to(least: float, most: float) -> Rule:
    """Return a rule for numbers within bounds, both included."""

    def problem(value: Value) -> str | None:
        if isinstance(value, int | float) and least <= value <= most:
            return None
        return f"is {value!r}; it must be from {least:g} to {most:g}"

    return problem


def at_least(least: int) -> Rule:
    """Return a rule for numbers with a lower bound."""

    def problem(value: Value) -> str | None:
        if isinstance(value, int | float) and value >= least:
            return None
        return f"is {value!r}; it must be at least {least}"

    return problem


def at_most_bytes(most: int) -> Rule:
    """Return a rule for the size of text."""

    def problem(value: Value) -> str | None:
        size = len(value.encode()) if isinstance(value, str) else 0
        return None if size <= most else f"has {size} bytes; at most {most} are allowed"

    return problem


def lasting(least_s: float, most_s: float) -> Rule:
    """Return a rule for durations such as `600s`, by their bounds in seconds."""

    def problem(value: Value) -> str | None:
        found = duration_s(value)
        if found is not None and least_s <= found <= most_s:
            return None
        return f"is {value!r}; it must be a duration from '{least_s:g}s' to '{most_s:g}s'"

    return problem


def base64_problem(value: Value) -> str | None:
    """Say what is wrong with bytes that must come as base64."""
    try:
        base64.b64decode(value if isinstance(value, str) else "?", validate=True)
    except binascii.Error:
        return "is not base64"
    return None


def duration_s(value: Value) -> float | None:
    """Return the seconds of a duration such as `600s`; None for what is not one."""
    match = _DURATION.match(value) if isinstance(value, str) else None
    return float(match[1]) if match else None


def same_duration(old: Value, new: Value) -> bool:
    """Tell whether two durations are equally long."""
    return duration_s(old) is not None and duration_s(old) == duration_s(new)


def same_case(old: Value, new: Value) -> bool:
    """Tell whether two words differ by their case only."""
    return isinstance(old, str) and isinstance(new, str) and old.upper() == new.upper()


def same_set(old: Value, new: Value) -> bool:
    """Tell whether two lists of text hold the same, in whatever order."""
    olds, news = items(old), items(new)
    if not all(isinstance(item, str) for item in (*olds, *news)):
        return False
    return sorted(map(str, olds)) == sorted(map(str, news))


def same_without(ending: str) -> Comparing:
    """Return what tells whether two texts are equal but for an ending."""

    def same(old: Value, new: Value) -> bool:
        return (
            isinstance(old, str)
            and isinstance(new, str)
            and old.removesuffix(ending) == new.removesuffix(ending)
        )

    return same
