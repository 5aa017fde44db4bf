"""Durations as an architecture file writes them: `30s`, `10m`, `24h`, `7d`, `1h30m`."""

from __future__ import annotations

import re
from typing import Final

MINUTE_S: Final = 60
HOUR_S: Final = 3600
DAY_S: Final = 86400

_UNITS_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)")
WHOLE: Final = re.compile(rf"(?:{_PART.pattern})+")
_NANOSECONDS: Final = re.compile(r"[1-9][0-9]{8,18}")


def seconds(text: str) -> float:
    """Return a duration in seconds.

    Raises:
        ValueError: the text is no duration.
    """
    if not WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is no duration")
    return sum(float(number) * _UNITS_S[unit] for number, unit in _PART.findall(text))


def from_nanoseconds(text: str) -> str | None:
    """Return the duration that a bare count of nanoseconds stands for; None when it is none."""
    if not _NANOSECONDS.fullmatch(text):
        return None
    whole, rest = divmod(int(text), 1_000_000_000)
    return f"{whole}.{rest:09d}".rstrip("0").rstrip(".") + "s"
