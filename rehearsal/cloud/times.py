"""Times as Google's APIs write them."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(seconds: float) -> str:
    """A moment, given in seconds since the epoch; whole seconds have no fraction."""
    moment = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
    return f"{moment.removesuffix('+00:00').removesuffix('.000000')}Z"
