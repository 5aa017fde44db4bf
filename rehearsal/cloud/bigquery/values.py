"""Values of BigQuery's types: as callers send them, as they are kept, and as answers show them.

What is kept compares as BigQuery compares: moments are integers, decimals texts of equal length.
So SQLite, whose types are few, can group, order and compare. Kept rows are JSON.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any, Final, TypeAlias

from rehearsal.cloud.calls import JsonObject

# A kept value: None, a number or a text; of arrays and records JSON of the same.
Kept: TypeAlias = Any

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = _EPOCH.date().toordinal()
_MICROSECONDS: Final = 1_000_000
_INT64: Final = range(-(2**63), 2**63)
_MOMENT: Final = re.compile(
    r"(?P<date>\d{4}[-/]\d{1,2}[-/]\d{1,2})"
    r"(?:[ Tt](?P<time>\d{1,2}:\d{1,2}(?::\d{1,2}(?:\.\d{1,9})?)?))?"
    r" *(?P<zone>[Zz]|UTC|[+-]\d{1,2}(?::?\d{2})?)?"
)
_CLOCK: Final = re.compile(r"(\d+):(\d+)(?::(\d+)(?:\.(\d+))?)?")
# Between these a number is written without an exponent.
_PLAIN: Final = (1e-3, 1e7)
_BOOLEANS: Final[Mapping[str, int]] = {"true": 1, "t": 1, "1": 1, "false": 0, "f": 0, "0": 0}


class BadValueError(ValueError):
    """A value is none of its type; the text is BigQuery's."""


@dataclass(frozen=True, slots=True)
class _Decimals:
    """How decimals of one type are kept: shifted to positive integers of equal length."""

    whole: int
    fraction: int

    def keep(self, number: Decimal) -> str:
        with localcontext(prec=100):
            scaled = number.scaleb(self.fraction).to_integral_value("ROUND_HALF_UP")
        digits = self.whole + self.fraction
        if abs(scaled) >= 10**digits:
            raise BadValueError(f"numeric overflow: {number}")
        return str(int(scaled) + 10**digits).zfill(digits + 1)

    def read(self, kept: str) -> Decimal:
        with localcontext(prec=100):
            shifted = Decimal(kept) - Decimal(10 ** (self.whole + self.fraction))
            return shifted.scaleb(-self.fraction)


DECIMALS: Final[Mapping[str, _Decimals]] = {
    "NUMERIC": _Decimals(29, 9),
    "BIGNUMERIC": _Decimals(39, 38),
}


def keep(kind: str, value: object) -> Kept:
    """Return a scalar as it is kept.

    Args:
        kind: A column's type by its older name, like `INTEGER`.
        value: As in JSON: text, number or boolean.

    Raises:
        BadValueError: it is no such value.
    """
    if isinstance(value, (dict, list)) and kind != "JSON":
        raise BadValueError(f"This field is not a record or array: {json.dumps(value)[:60]}")
    try:
        return _KEEPERS[kind](value)
    except (ValueError, InvalidOperation, OverflowError, binascii.Error) as error:
        if isinstance(error, BadValueError):
            raise
        word = _WORDS.get(kind, kind.lower())
        raise BadValueError(f"Cannot convert value to {word} (bad value): {value}") from error


def shown(kind: str, kept: Kept, *, as_int64: bool = False) -> str | None:
    """Return a scalar as answers show it, a text; `as_int64` writes moments in microseconds."""
    if kept is None:
        return None
    match kind:
        case "TIMESTAMP":
            return str(kept) if as_int64 else _float_text(kept / _MICROSECONDS)
        case "BOOLEAN":
            return "true" if kept else "false"
        case "FLOAT":
            return _float_text(float(kept))
    return text_of(kind, kept)


def text_of(kind: str, kept: Kept) -> str:  # noqa: PLR0911 - one return a type
    """Return a scalar as a cast to STRING writes it."""
    match kind:
        case "TIMESTAMP":
            moment = moment_of(kept)
            text = moment.replace(tzinfo=None).isoformat(" ")
            return f"{text.rstrip('0') if moment.microsecond else text}+00"
        case "DATETIME":
            return moment_of(kept).replace(tzinfo=None).isoformat()
        case "DATE":
            return day_of(kept).isoformat()
        case "TIME":
            return (_EPOCH + timedelta(microseconds=kept)).time().isoformat()
        case "NUMERIC" | "BIGNUMERIC":
            text = f"{DECIMALS[kind].read(kept):f}"
            return text.rstrip("0").rstrip(".") if "." in text else text
        case "BYTES":
            return base64.b64encode(bytes.fromhex(kept)).decode()
        case "BOOLEAN":
            return "true" if kept else "false"
        case "FLOAT":
            return _float_text(float(kept))
    return str(kept)


def cell(column: JsonObject, kept: Kept, *, as_int64: bool) -> JsonObject:
    """Return a cell of an answer: `{"v": …}`, deep in arrays and records."""
    if column.get("mode") == "REPEATED":
        one = {**column, "mode": "NULLABLE"}
        elements = json.loads(kept) if isinstance(kept, str) else kept or []
        return {"v": [cell(one, element, as_int64=as_int64) for element in elements]}
    if column["type"] == "RECORD":
        record = json.loads(kept) if isinstance(kept, str) else kept
        if record is None:
            return {"v": None}
        fields = column["fields"]
        cells = [cell(field, record.get(field["name"]), as_int64=as_int64) for field in fields]
        return {"v": {"f": cells}}
    return {"v": shown(column["type"], kept, as_int64=as_int64)}


def size_of(kind: str, kept: Kept) -> int:
    """Return the bytes that a scalar counts for (BigQuery's "Data type sizes")."""
    if kept is None:
        return 0
    if kind in _SIZES:
        return _SIZES[kind]
    return len(kept) // 2 + 2 if kind == "BYTES" else len(str(kept).encode()) + 2


def moment_of(kept: int) -> datetime:
    """Return a kept TIMESTAMP or DATETIME as a moment."""
    return _EPOCH + timedelta(microseconds=kept)


def micros_of(moment: datetime) -> int:
    """Keep a moment."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def day_of(kept: int) -> date:
    """Return a kept DATE."""
    return date.fromordinal(kept + _EPOCH_DAY)


def days_of(day: date) -> int:
    """Keep a DATE."""
    return day.toordinal() - _EPOCH_DAY


def _keep_integer(value: object) -> int:
    number = int(value) if isinstance(value, str) else Decimal(str(value))
    if isinstance(value, bool) or number != int(number) or int(number) not in _INT64:
        raise ValueError
    return int(number)


def _keep_float(value: object) -> float:
    number = float("" if isinstance(value, bool) else str(value))
    if not math.isfinite(number):
        raise BadValueError("not implemented in the local cloud: NaN and infinite numbers")
    return number


def _keep_text(value: object) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _keep_json(value: object) -> str:
    parsed = json.loads(value) if isinstance(value, str) else value
    return json.dumps(parsed, separators=(",", ":"), sort_keys=True)


def _keep_boolean(value: object) -> int:
    if isinstance(value, bool):
        return int(value)
    return _BOOLEANS[text] if (text := str(value).lower()) in _BOOLEANS else _refuse(value)


def _refuse(value: object) -> int:
    raise ValueError(value)


def _keep_timestamp(value: object) -> int:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return round(Decimal(str(value)) * _MICROSECONDS)
    moment, zone = _moment(str(value), "timestamp")
    offset = timedelta()
    if zone and zone[0] in "+-":
        digits = zone[1:].replace(":", "")
        hours, minutes = (digits[:-2], digits[-2:]) if len(digits) > 2 else (digits, "0")  # noqa: PLR2004 - HH, HMM or HHMM
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        offset = -offset if zone[0] == "-" else offset
    return micros_of(moment - offset)


def _keep_datetime(value: object) -> int:
    moment, _ = _moment(str(value), "datetime")
    return micros_of(moment)


def _keep_date(value: object) -> int:
    return days_of(date.fromisoformat(str(value)))


def _keep_time(value: object) -> int:
    return micros_of(datetime.combine(_EPOCH.date(), time.fromisoformat(str(value)), UTC))


def _moment(text: str, kind: str) -> tuple[datetime, str]:
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        raise BadValueError(
            f"Could not parse '{text}' as a {kind}. Required format is YYYY-MM-DD"
            " HH:MM[:SS[.SSSSSS]] or YYYY/MM/DD HH:MM[:SS[.SSSSSS]]"
        )
    year, month, day = (int(part) for part in re.split("[-/]", found["date"]))
    clock = _CLOCK.fullmatch(found["time"] or "0:0")
    assert clock is not None
    hour, minute, whole, fraction = clock.groups("0")
    micros = int(fraction[:6].ljust(6, "0"))
    moment = datetime(year, month, day, int(hour), int(minute), int(whole), micros, UTC)
    return moment, found["zone"] or ""


def _float_text(number: float) -> str:
    """A floating point number as Java writes it, and so the API."""
    if number == 0 or _PLAIN[0] <= abs(number) < _PLAIN[1]:
        return repr(number)
    mantissa, _, exponent = f"{Decimal(repr(number)).normalize():E}".partition("E")
    point = "" if "." in mantissa else ".0"
    return f"{mantissa}{point}E{int(exponent)}"


_KEEPERS: Final[Mapping[str, Callable[[object], Kept]]] = {
    "STRING": _keep_text,
    "GEOGRAPHY": _keep_text,
    "INTERVAL": _keep_text,
    "RANGE": _keep_text,
    "JSON": _keep_json,
    "BYTES": lambda value: base64.b64decode(str(value), validate=True).hex(),
    "INTEGER": _keep_integer,
    "FLOAT": _keep_float,
    "BOOLEAN": _keep_boolean,
    "TIMESTAMP": _keep_timestamp,
    "DATETIME": _keep_datetime,
    "DATE": _keep_date,
    "TIME": _keep_time,
    "NUMERIC": lambda value: DECIMALS["NUMERIC"].keep(Decimal(str(value))),
    "BIGNUMERIC": lambda value: DECIMALS["BIGNUMERIC"].keep(Decimal(str(value))),
}
_WORDS: Final = {"BOOLEAN": "boolean", "FLOAT": "double", "TIMESTAMP": "timestamp"}
_SIZES: Final[Mapping[str, int]] = {
    "INTEGER": 8,
    "FLOAT": 8,
    "BOOLEAN": 1,
    "TIMESTAMP": 8,
    "DATETIME": 8,
    "DATE": 8,
    "TIME": 8,
    "NUMERIC": 16,
    "BIGNUMERIC": 32,
    "INTERVAL": 16,
    "RANGE": 16,
}
