"""Times as the engine writes them."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def nanoseconds() -> int:
    """Return the time in nanoseconds since the epoch, which orders history and backups."""
    return time.time_ns()


def rfc3339(at_ns: int | None = None) -> str:
    """Format a time in UTC as Go does: nanoseconds without trailing zeros."""
    seconds, fraction = divmod(nanoseconds() if at_ns is None else at_ns, 10**9)
    text = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
    digits = f"{fraction:09d}".rstrip("0")
    return f"{text}.{digits}Z" if digits else f"{text}Z"


def milliseconds(at_s: float) -> str:
    """Format a time with exactly three digits, as the Automation API parses it."""
    at = datetime.fromtimestamp(at_s, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
