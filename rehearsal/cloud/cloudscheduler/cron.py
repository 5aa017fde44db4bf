"""Unix-cron schedules: five fields, and the next moment that they name in a time zone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

_MONTHS: Final = (
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
)
_WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_SUNDAY_TOO: Final = 7
_EVERY_HOUR: Final = frozenset(range(24))
# 29 February comes within eight years, even around a century without one.
_HORIZON_DAYS: Final = 366 * 8 + 1


@dataclass(frozen=True, slots=True)
class _Field:
    """One of the five fields: its bounds, and names that stand for numbers."""

    name: str
    low: int
    high: int
    names: Sequence[str] = ()

    def values(self, text: str) -> frozenset[int]:
        return frozenset(value for part in text.split(",") for value in self._part(part))

    def _part(self, text: str) -> range:
        span, _, step_text = text.partition("/")
        step = int(step_text) if "/" in text else 1
        first, _, last = span.partition("-")
        if span == "*":
            low, high = self.low, self.high
        else:
            low = self._number(first)
            # `5/15` begins at 5 and goes on to the field's end.
            open_end = self.high if "/" in text else low
            high = self._number(last) if "-" in span else open_end
        if not self.low <= low <= high <= self.high or step < 1:
            raise ValueError(f"{text!r} is out of the range of the {self.name}")
        return range(low, high + 1, step)

    def _number(self, text: str) -> int:
        if text.lower() in self.names:
            return self.low + self.names.index(text.lower())
        return int(text)


_FIELDS: Final = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, _SUNDAY_TOO, _WEEKDAYS),
)


@dataclass(frozen=True, slots=True)
class Cron:
    """A schedule.

    Attributes:
        minutes: Minutes of the hour.
        hours: Hours of the day.
        days: Days of the month.
        months: Months of the year.
        weekdays: Days of the week; Sunday is 0.
        is_either_day: Either day field is enough, as both are restricted; otherwise both count.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    is_either_day: bool

    @classmethod
    def parse(cls, text: str) -> Cron:
        """Read five fields.

        Raises:
            ValueError: it is no schedule.
        """
        parts = text.split()
        if len(parts) != len(_FIELDS):
            raise ValueError(f"{text!r} does not have five fields")
        minutes, hours, days, months, weekdays = (
            field.values(part) for field, part in zip(_FIELDS, parts, strict=True)
        )
        return cls(
            minutes,
            hours,
            days,
            months,
            frozenset(day % _SUNDAY_TOO for day in weekdays),
            is_either_day=not parts[2].startswith("*") and not parts[4].startswith("*"),
        )

    def after(self, moment: datetime, zone: tzinfo) -> datetime | None:
        """Return the first moment after another that the schedule names; None when none comes.

        A time that the clocks skip in spring does not come that day. One that they repeat in
        autumn comes once, unless the schedule names every hour.
        """
        first = moment.astimezone(zone).date()
        for ahead in range(_HORIZON_DAYS):
            day = first + timedelta(days=ahead)
            if not self._names(day):
                continue
            moments = (one for one in self._moments(day, zone) if one > moment)
            if (found := min(moments, default=None)) is not None:
                return found
        return None

    def _names(self, day: date) -> bool:
        by_number = day.day in self.days
        by_weekday = day.isoweekday() % _SUNDAY_TOO in self.weekdays
        is_named = by_number or by_weekday if self.is_either_day else by_number and by_weekday
        return is_named and day.month in self.months

    def _moments(self, day: date, zone: tzinfo) -> Iterator[datetime]:
        folds = (0, 1) if self.hours == _EVERY_HOUR else (0,)
        for hour in self.hours:
            for minute in self.minutes:
                for fold in folds:
                    local = datetime.combine(day, time(hour, minute, fold=fold), zone)
                    moment = local.astimezone(UTC)
                    if moment.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
                        yield moment
