"""BigQuery's functions that SQLite lacks or means otherwise, over kept values.

`sql_compiler` says which function of a query is which of these.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any, Final

from rehearsal.cloud.bigquery.values import (
    DECIMALS,
    BadValueError,
    Kept,
    day_of,
    days_of,
    keep,
    micros_of,
    moment_of,
    text_of,
)

_SECONDS: Final[Mapping[str, int]] = {
    "MICROSECOND": 1,
    "MILLISECOND": 1000,
    "SECOND": 1_000_000,
    "MINUTE": 60_000_000,
    "HOUR": 3_600_000_000,
    "DAY": 86_400_000_000,
}
_MONTHS: Final[Mapping[str, int]] = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}
_WEEK_DAYS: Final = 7
_SCALES: Final[Mapping[str, int]] = {"SECONDS": 1_000_000, "MILLIS": 1000, "MICROS": 1}
_PATH: Final = re.compile(r"""\.(\w+)|\."([^"]+)"|\['([^']+)'\]|\[(\d+)\]""")
_NUMBERS: Final = frozenset({"INTEGER", "FLOAT", "NUMERIC", "BIGNUMERIC"})


# Those that Python's moments do not have by name.
_OWN_PARTS: Final[Mapping[str, Callable[[datetime], int]]] = {
    "DAYOFWEEK": lambda moment: moment.isoweekday() % _WEEK_DAYS + 1,
    "DAYOFYEAR": lambda moment: moment.timetuple().tm_yday,
    "ISOWEEK": lambda moment: moment.isocalendar().week,
    "ISOYEAR": lambda moment: moment.isocalendar().year,
    "QUARTER": lambda moment: (moment.month - 1) // 3 + 1,
    "MILLISECOND": lambda moment: moment.microsecond // 1000,
    "DATE": lambda moment: days_of(moment.date()),
}


class Functions:
    """The functions of one query's connection; the first problem of any is kept for its answer."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.problem = ""
        for name, function in _FUNCTIONS.items():
            database.create_function(f"bq_{name}", -1, self._careful(function), deterministic=True)
        database.create_window_function("bq_sum", 2, _Sum)  # type: ignore[arg-type] # two arguments
        database.create_window_function("bq_avg", 2, _Mean)  # type: ignore[arg-type] # as above

    def _careful(self, function: Callable[..., Kept]) -> Callable[..., Kept]:
        def call(*values: Kept) -> Kept:
            try:
                return function(*values)
            except (ArithmeticError, AttributeError, TypeError, ValueError, re.error) as error:
                self.problem = self.problem or str(error)
                raise

        return call


class _Sum:
    """SUM of decimals, also over a window."""

    def __init__(self) -> None:
        self.total = Decimal(0)
        self.count = 0
        self.kind = "NUMERIC"

    def step(self, kind: str, kept: Kept) -> None:
        self._add(kind, kept, 1)

    def inverse(self, kind: str, kept: Kept) -> None:
        self._add(kind, kept, -1)

    def value(self) -> Kept:
        return DECIMALS[self.kind].keep(self.result()) if self.count else None

    def finalize(self) -> Kept:
        return self.value()

    def result(self) -> Decimal:
        return self.total

    def _add(self, kind: str, kept: Kept, sign: int) -> None:
        if kept is not None:
            with localcontext(prec=100):
                self.total += sign * DECIMALS[kind].read(kept)
            self.count += sign
            self.kind = kind


class _Mean(_Sum):
    """AVG of decimals, also over a window."""

    def result(self) -> Decimal:
        with localcontext(prec=100):
            return self.total / self.count


def _needs_all(function: Callable[..., Kept]) -> Callable[..., Kept]:
    """A function that is NULL where any of its arguments is."""
    return lambda *values: None if None in values else function(*values)


def cast(source: str, target: str, kept: Kept) -> Kept:
    """Change a value's type, as CAST does.

    Raises:
        BadValueError: the value is none of that type, or no value of the one becomes the other.
    """
    if target in {source, "STRING"}:
        return kept if source == target else text_of(source, kept)
    if source == "STRING":
        text = kept.strip() if target in _NUMBERS else kept
        return kept.encode().hex() if target == "BYTES" else keep(target, text)
    if source in DECIMALS:
        number = DECIMALS[source].read(kept)
    elif source in _NUMBERS or {source, target} == {"BOOLEAN", "INTEGER"}:
        number = Decimal(str(kept))
    else:
        return _cast_moment(source, target, kept)
    if target not in {"BOOLEAN", *_NUMBERS}:
        raise BadValueError(f"Invalid cast from {source} to {target}")
    whole = number.to_integral_value(ROUND_HALF_UP) if target == "INTEGER" else number
    return int(number != 0) if target == "BOOLEAN" else keep(target, str(whole))


def _cast_moment(source: str, target: str, kept: int) -> Kept:
    match source, target:
        case "DATE", "TIMESTAMP" | "DATETIME":
            return kept * _SECONDS["DAY"]
        case "TIMESTAMP" | "DATETIME", "DATE":
            return kept // _SECONDS["DAY"]
        case "TIMESTAMP" | "DATETIME", "TIME":
            return kept % _SECONDS["DAY"]
        case ("TIMESTAMP", "DATETIME") | ("DATETIME", "TIMESTAMP"):
            return kept
    raise BadValueError(f"Invalid cast from {source} to {target}")


def _safe_cast(source: str, target: str, kept: Kept) -> Kept:
    try:
        return cast(source, target, kept)
    except (ValueError, ArithmeticError):
        return None


def _arithmetic(kind: str, operator: str, left: Kept, right: Kept) -> Kept:
    """Calculate with two values of one type."""
    if kind not in DECIMALS:
        return _calculated(operator, left, right)
    shape = DECIMALS[kind]
    with localcontext(prec=100):
        return shape.keep(_calculated(operator, shape.read(left), shape.read(right)))


def _calculated(operator: str, left: Any, right: Any) -> Any:
    if operator in {"/", "DIV", "MOD"} and right == 0:
        raise BadValueError(f"division by zero: {left} {operator} {right}")
    match operator:
        case "+":
            result = left + right
        case "-":
            result = left - right
        case "*":
            result = left * right
        case "DIV":
            result = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
        case "MOD":
            result = abs(left) % abs(right) * (-1 if left < 0 else 1)
        case _:
            return left / right
    if isinstance(result, int) and not -(2**63) <= result < 2**63:
        raise BadValueError(f"int64 overflow: {left} {operator} {right}")
    return result


def _safe_divide(kind: str, left: Kept, right: Kept) -> Kept:
    try:
        return _arithmetic(kind, "/", left, right)
    except BadValueError:
        return None


def _added(kind: str, unit: str, kept: int, count: int) -> int:
    """Move a day or a moment by a number of units."""
    if unit in _MONTHS:
        moment = datetime.combine(day_of(kept), datetime.min.time()) if kind == "DATE" else None
        moment = moment or moment_of(kept)
        months = moment.year * 12 + moment.month - 1 + _MONTHS[unit] * count
        year, month = divmod(months, 12)
        last = (date(year + month // 11, (month + 1) % 12 + 1, 1) - timedelta(1)).day
        moved = moment.replace(year=year, month=month + 1, day=min(moment.day, last))
        return days_of(moved.date()) if kind == "DATE" else micros_of(moved)
    if unit == "WEEK":
        unit, count = "DAY", count * _WEEK_DAYS
    moved_by: int = count * _SECONDS[unit]
    return kept + (count if kind == "DATE" else moved_by)


def _difference(kind: str, unit: str, later: int, earlier: int) -> int:
    """Count the units between; of moments whole ones, of days the boundaries crossed."""
    if kind == "TIMESTAMP":
        distance = later - earlier
        return abs(distance) // _SECONDS[unit] * (-1 if distance < 0 else 1)
    if kind == "DATETIME" and unit in _SECONDS:
        return later // _SECONDS[unit] - earlier // _SECONDS[unit]
    days = [day_of(one) if kind == "DATE" else moment_of(one).date() for one in (later, earlier)]
    if unit == "DAY":
        return (days[0] - days[1]).days
    if unit == "WEEK":
        # Weeks begin on Sunday.
        weeks = [(day.toordinal()) // _WEEK_DAYS for day in days]
        return weeks[0] - weeks[1]
    months = [(day.year * 12 + day.month - 1) // _MONTHS[unit] for day in days]
    return months[0] - months[1]


def _truncated(kind: str, unit: str, kept: int) -> int:
    """The beginning of the unit in which a day or moment is."""
    if unit in _SECONDS:
        return kept if kind == "DATE" else kept // _SECONDS[unit] * _SECONDS[unit]
    day = day_of(kept) if kind == "DATE" else moment_of(kept).date()
    if unit == "WEEK":
        first = day - timedelta(days=day.isoweekday() % _WEEK_DAYS)
    elif unit == "ISOWEEK":
        first = day - timedelta(days=day.weekday())
    else:
        length = _MONTHS[unit]
        first = date(day.year, (day.month - 1) // length * length + 1, 1)
    return days_of(first) * (1 if kind == "DATE" else _SECONDS["DAY"])


def _extracted(kind: str, part: str, kept: int) -> int:
    moment = moment_of(kept * _SECONDS["DAY"] if kind == "DATE" else kept)
    if part in _OWN_PARTS:
        return _OWN_PARTS[part](moment)
    value: int = getattr(moment, part.lower())
    return value


def _formatted(kind: str, pattern: str, kept: int) -> str:
    moment = moment_of(kept * _SECONDS["DAY"] if kind == "DATE" else kept)
    # Python leaves the zeros before an early year out.
    return moment.strftime(pattern.replace("%Y", f"{moment.year:04}"))


def _like(text: str, pattern: str) -> int:
    """LIKE: `%` and `_`, each escaped by a backslash."""
    pieces = re.findall(r"\\.|.", pattern, re.DOTALL)
    signs = {"%": ".*", "_": "."}
    regular = "".join(signs.get(piece) or re.escape(piece[-1]) for piece in pieces)
    return int(re.fullmatch(regular, text, re.DOTALL) is not None)


def _json_value(document: str, path: str) -> str | None:
    """The scalar at a path of names and indices, as text."""
    found = json.loads(document)
    for name, quoted, bracketed, index in _PATH.findall(path):
        key = name or quoted or bracketed
        if index and isinstance(found, list) and int(index) < len(found):
            found = found[int(index)]
        elif key and isinstance(found, dict) and key in found:
            found = found[key]
        else:
            return None
    if found is None or isinstance(found, (dict, list)):
        return None
    return found if isinstance(found, str) else json.dumps(found)


def _substring(text: str, start: int, *length: int) -> str:
    first = start - 1 if start > 0 else max(0, len(text) + start) if start else 0
    if length and length[0] < 0:
        raise BadValueError("Third argument in SUBSTR() cannot be negative")
    return text[first : first + length[0]] if length else text[first:]


def _rounded(kept: float, *digits: int) -> float:
    places = Decimal(1).scaleb(-(digits[0] if digits else 0))
    with localcontext(prec=400):
        return float(Decimal(repr(float(kept))).quantize(places, ROUND_HALF_UP))


def _element(array: str, index: int, is_safe: int) -> Kept:
    elements = json.loads(array)
    if 0 <= index < len(elements):
        element = elements[index]
        return json.dumps(element) if isinstance(element, dict) else element
    if is_safe:
        return None
    raise BadValueError(f"Array index {index} is out of bounds")


def _regexp_extract(text: str, pattern: str) -> str | None:
    found = re.search(pattern, text)
    return None if found is None else found[1] if found.re.groups else found[0]


_OF_VALUES: Final[Mapping[str, Callable[..., Kept]]] = {
    "cast": cast,
    "safe_cast": _safe_cast,
    "calculate": _arithmetic,
    "safe_divide": _safe_divide,
    "add": _added,
    "difference": _difference,
    "truncate": _truncated,
    "extract": _extracted,
    "format": _formatted,
    "like": _like,
    "json_value": _json_value,
    "substring": _substring,
    "round": _rounded,
    "upper": str.upper,
    "lower": str.lower,
    "reverse": lambda text: text[::-1],
    "starts_with": lambda text, start: int(text.startswith(start)),
    "ends_with": lambda text, end: int(text.endswith(end)),
    "regexp_contains": lambda text, pattern: int(re.search(pattern, text) is not None),
    "regexp_extract": _regexp_extract,
    "regexp_replace": lambda text, pattern, new: re.sub(pattern, new, text),
    "element": _element,
    "array_length": lambda array: len(json.loads(array)),
    "from_unix": lambda unit, count: count * _SCALES[unit],
    "to_unix": lambda unit, kept: kept // _SCALES[unit],
    "floor": lambda number: float(number // 1),
    "ceil": lambda number: float(-(-number // 1)),
}
_FUNCTIONS: Final = {name: _needs_all(function) for name, function in _OF_VALUES.items()}
