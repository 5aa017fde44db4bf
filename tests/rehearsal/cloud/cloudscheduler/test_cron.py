"""Cron schedules, also against another implementation."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rehearsal.cloud.cloudscheduler.cron import Cron

BERLIN = ZoneInfo("Europe/Berlin")


def _field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    # croniter takes `0-0` for every day.
    span = st.integers(low, high - 1).map(lambda first: f"{first}-{first + 1}")
    part = st.one_of(number.map(str), span, st.integers(2, 9).map(lambda step: f"*/{step}"))
    return st.one_of(st.just("*"), part, st.lists(number.map(str), min_size=1).map(",".join))


SCHEDULES = st.tuples(_field(0, 59), _field(0, 23), _field(1, 28), _field(1, 12), _field(0, 6)).map(
    " ".join
)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(  # noqa: DTZ001 - set below
    lambda naive: naive.replace(tzinfo=UTC)
)


def _after(schedule: str, moment: str, zone: ZoneInfo = BERLIN) -> str:
    found = Cron.parse(schedule).after(datetime.fromisoformat(moment), zone)
    assert found is not None
    return found.astimezone(zone).isoformat()


# The clocks change on these days, somewhere in these zones.
_CHANGES = [date(2026, 3, 8), date(2026, 3, 29), date(2026, 4, 5), date(2026, 10, 25)]


@settings(max_examples=100, deadline=None)
@given(
    minutes=st.sets(st.integers(0, 59), min_size=1, max_size=3),
    hours=st.sets(st.integers(0, 23), min_size=1, max_size=3) | st.just(set(range(24))),
    name=st.sampled_from(
        ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago"]
    ),
    day=st.dates(date(2026, 1, 1), date(2027, 12, 31)) | st.sampled_from(_CHANGES),
    after_min=st.integers(0, 1439),
)
def test_every_minute_of_a_zone_is_found_in_turn(
    minutes: set[int], hours: set[int], name: str, day: date, after_min: int
) -> None:
    """The next time is the first minute, by the clocks on the wall, that the schedule names.

    Of a repeated minute the second one counts only where the schedule names every hour.
    """
    zone = ZoneInfo(name)
    every_hour = len(hours) == 24
    listed = "*" if every_hour else ",".join(map(str, sorted(hours)))
    cron = Cron.parse(f"{','.join(map(str, sorted(minutes)))} {listed} * * *")
    moment = datetime.combine(day, time(), UTC) + timedelta(minutes=after_min)

    def is_named(later: datetime) -> bool:
        local = later.astimezone(zone)
        is_repeated = bool(local.fold) and not every_hour
        return local.minute in minutes and local.hour in hours and not is_repeated

    minute = timedelta(minutes=1)
    laters = (moment + minute * ahead for ahead in range(1, 4 * 1440))
    assert cron.after(moment, zone) == next(filter(is_named, laters))


@given(SCHEDULES, MOMENTS)
@settings(max_examples=100, deadline=None)
def test_the_next_time_is_the_one_that_others_find(schedule: str, moment: datetime) -> None:
    """In a zone without clock changes every schedule agrees with croniter."""
    croniter = pytest.importorskip("croniter")
    # The "bug": `*/2` counts as `*` where the two day fields are combined, as in Unix.
    times = croniter.croniter(schedule, moment, implement_cron_bug=True)
    assert Cron.parse(schedule).after(moment, UTC) == times.get_next(datetime)


@pytest.mark.parametrize(
    ("schedule", "moment", "expected"),
    [
        ("0 9 * * mon-fri", "2026-03-06T09:00:00+01:00", "2026-03-09T09:00:00+01:00"),
        ("30 8 1 jan,jul *", "2026-01-01T08:30:00+01:00", "2026-07-01T08:30:00+02:00"),
        ("5/20 * * * *", "2026-01-01T00:26:00+01:00", "2026-01-01T00:45:00+01:00"),
        ("0 0 29 2 *", "2096-03-01T00:00:00+01:00", "2104-02-29T00:00:00+01:00"),
    ],
)
def test_names_ranges_and_steps_are_understood(schedule: str, moment: str, expected: str) -> None:
    """A schedule counts in its own time zone, with everything that unix-cron can say."""
    assert _after(schedule, moment) == expected


@pytest.mark.parametrize(
    ("schedule", "moment", "expected"),
    [
        # 02:30 does not exist on 29 March, and exists twice on 25 October.
        ("30 2 * * *", "2026-03-28T03:00:00+01:00", "2026-03-30T02:30:00+02:00"),
        ("30 2 * * *", "2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"),
        ("*/30 * * * *", "2026-10-25T02:30:00+02:00", "2026-10-25T02:00:00+01:00"),
    ],
)
def test_clock_changes_neither_lose_nor_repeat_a_day(
    schedule: str, moment: str, expected: str
) -> None:
    """A skipped time does not come, a repeated one comes once, what runs every hour goes on."""
    assert _after(schedule, moment) == expected


@pytest.mark.parametrize(
    "schedule",
    ["", "* * * *", "* * * * * *", "60 * * * *", "5-1 * * * *", "*/0 * * * *", "* * * foo *"],
)
def test_what_is_no_schedule_is_refused(schedule: str) -> None:
    """A wrong number of fields, numbers out of range and unknown names are errors."""
    with pytest.raises(ValueError, match=r"\S"):
        Cron.parse(schedule)


def test_a_day_that_never_comes_is_told() -> None:
    """There is no 31 February."""
    assert Cron.parse("0 0 31 2 *").after(datetime(2026, 1, 1, tzinfo=UTC), UTC) is None
