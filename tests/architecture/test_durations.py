"""Durations are read as people and as the upstream tool write them."""

from __future__ import annotations

import pytest

from architecture.durations import from_nanoseconds, seconds


@pytest.mark.parametrize(
    ("text", "length_s"),
    [("30s", 30), ("10m", 600), ("24h", 86400), ("7d", 604800), ("1h30m", 5400), ("500ms", 0.5)],
)
def test_duration_is_read(text: str, length_s: float) -> None:
    """Units add up; `d` is a day."""
    assert seconds(text) == length_s


@pytest.mark.parametrize("text", ["", "30", "s", "-1s", "1 s", "1w", "1s1", "\u0661s", "1e3s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """A number without a unit is none, either."""
    with pytest.raises(ValueError, match="is no duration"):
        seconds(text)


def test_nanoseconds_are_recognised() -> None:
    """A bare number counts as nanoseconds only when it is long enough to be meant so."""
    assert from_nanoseconds("86400000000000") == "86400s"
    assert from_nanoseconds("1500000000") == "1.5s"
    assert from_nanoseconds("600") is None
    assert from_nanoseconds("24h") is None
