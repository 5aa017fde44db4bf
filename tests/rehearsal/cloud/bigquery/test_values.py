"""Values are kept so that they compare as BigQuery compares, and come back as they were."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from rehearsal.cloud.bigquery.values import DECIMALS, keep, shown, text_of

_NUMERIC = st.decimals(min_value=-(10**28), max_value=10**28, places=9)
_MOMENTS = st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31))  # noqa: DTZ001 - UTC is added below


@given(_NUMERIC, _NUMERIC)
def test_decimals_keep_their_order(one: Decimal, other: Decimal) -> None:
    """Texts of equal length compare like the numbers, and are read back exactly."""
    kept = [keep("NUMERIC", str(number)) for number in (one, other)]
    assert (kept[0] < kept[1]) == (one < other)
    assert DECIMALS["NUMERIC"].read(kept[0]) == one


@given(_MOMENTS)
def test_moments_come_back_to_the_microsecond(naive: datetime) -> None:
    """Whatever the form in which they arrive."""
    moment = naive.replace(tzinfo=UTC)
    kept = keep("TIMESTAMP", moment.isoformat())
    assert keep("TIMESTAMP", text_of("TIMESTAMP", kept)) == kept
    assert keep("TIMESTAMP", f"{naive.isoformat(sep=' ')} UTC") == kept
    assert shown("TIMESTAMP", kept, as_int64=True) == str(kept)


@given(st.dates(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, width=32))
def test_days_and_numbers_come_back(day: date, whole: int, number: float) -> None:
    """As texts, the numbers with the digits that make them out."""
    assert text_of("DATE", keep("DATE", day.isoformat())) == day.isoformat()
    assert shown("INTEGER", keep("INTEGER", str(whole))) == str(whole)
    if abs(number) != float("inf"):
        assert float(shown("FLOAT", keep("FLOAT", number)) or "") == number


def test_numbers_are_written_as_the_api_does() -> None:
    """Like Java: an exponent from ten millions on."""
    written = [shown("FLOAT", number) for number in (0.0, 1.5, 12345678.0, 1e-7, -2e20)]
    assert written == ["0.0", "1.5", "1.2345678E7", "1.0E-7", "-2.0E20"]
