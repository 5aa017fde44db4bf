"""When a recommendation may be carried out, read from what its agent wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import JsonValue

from orchestration.coordination.model import Recommendation
from orchestration.coordination.rules import Freeze

SLOT_FIELDS: Final = ("scheduled_at", "duration_s")
WINDOW_FIELDS: Final = ("window_start", "window_end")
_LONGEST_S: Final = 10 * 366 * 86_400


@dataclass(frozen=True, slots=True)
class Window:
    """The time in which it may start (a window), or which it takes (a fixed slot)."""

    starts_at: datetime
    ends_at: datetime
    is_slot: bool
    field: str

    def overlaps(self, other: Window) -> bool:
        """Whether both share a moment; two that start together do, however short they are."""
        return self.starts_at == other.starts_at or (
            self.starts_at < other.ends_at and other.starts_at < self.ends_at
        )

    @property
    def earliest_end(self) -> datetime:
        """When it can be done at the earliest."""
        return self.ends_at if self.is_slot else self.starts_at

    @property
    def latest_start(self) -> datetime:
        """When it must begin at the latest."""
        return self.starts_at if self.is_slot else self.ends_at


class WindowUnreadable(ValueError):  # noqa: N818 - the house names states, not mishaps
    """A recommendation's schedule cannot be read; `field` is the part that is wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def window_of(item: Recommendation) -> Window | None:
    """Read when the recommendation is to be carried out; None when it does not say.

    Raises:
        WindowUnreadable: what it says is no time.
    """
    parameters, metadata = item.parameters, item.metadata
    if parameters and parameters.get("scheduled_at") is not None:
        starts_at = _moment(parameters["scheduled_at"], "parameters.scheduled_at")
        ends_at = _after(starts_at, _duration(parameters.get("duration_s")))
        return Window(starts_at, ends_at, True, "parameters.scheduled_at")  # noqa: FBT003
    if metadata and any(metadata.get(field) is not None for field in WINDOW_FIELDS):
        starts_at = _moment(metadata.get("window_start"), "metadata.window_start")
        ends_at = _moment(metadata.get("window_end"), "metadata.window_end")
        if ends_at < starts_at:
            raise WindowUnreadable("metadata.window_end", "ends before it starts")
        return Window(starts_at, ends_at, False, "metadata.window_start")  # noqa: FBT003
    return None


def frozen_by(window: Window, freezes: Sequence[Freeze]) -> tuple[str, ...]:
    """Name the freezes that share a moment with a window."""
    return tuple(freeze.name for freeze in freezes if window.overlaps(_time_of(freeze)))


def earliest_start(window: Window, freezes: Sequence[Freeze]) -> datetime | None:
    """Give the first moment of a window that no freeze covers; None when there is none.

    A slot is fixed: a freeze that touches it leaves it no moment. The freezes come by their start.
    """
    if window.is_slot:
        return None if frozen_by(window, freezes) else window.starts_at
    candidate = window.starts_at
    for freeze in freezes:
        if freeze.starts_at <= candidate < freeze.ends_at:
            candidate = freeze.ends_at
    if candidate != window.starts_at and candidate >= window.ends_at:
        return None
    return candidate


def _time_of(freeze: Freeze) -> Window:
    return Window(freeze.starts_at, freeze.ends_at, True, "")  # noqa: FBT003 - a window by position


def _moment(value: JsonValue, field: str) -> datetime:
    if not isinstance(value, str):
        raise WindowUnreadable(field, "must be a text such as 2026-01-31T12:00:00Z")
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise WindowUnreadable(field, f"{value!r} is no moment in time") from error
    raise WindowUnreadable(field, f"{value!r} names no time zone")


def _after(moment: datetime, duration: timedelta) -> datetime:
    try:
        return moment + duration
    except OverflowError as error:
        raise WindowUnreadable("parameters.duration_s", "ends after the year 9999") from error


def _duration(value: JsonValue) -> timedelta:
    if value is None:
        return timedelta()
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # NaN is between no two numbers either.
    if not is_number or not 0 <= value <= _LONGEST_S:  # type: ignore[operator]
        raise WindowUnreadable("parameters.duration_s", f"must be 0 to {_LONGEST_S} seconds")
    return timedelta(seconds=value)  # type: ignore[arg-type]
