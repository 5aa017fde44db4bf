"""Scalars of Google's JSON: what each type takes, and how what it took is understood.

The leniencies are those of protobuf's JSON parser: numbers and booleans as text, enums by number
or in another case, both base64 alphabets.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.discovery.enum_numbers import name_of

_DURATION: Final = re.compile(r"(-?\d+)(?:\.\d{1,9})?s")
_TIMESTAMP: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.\d{1,9})?(?:[Zz]|([+-]\d\d:\d\d))"
)
_MOST_DURATION_S: Final = 315_576_000_000
_WHOLE_NUMBER: Final = re.compile(r"-?\d{1,20}")
_TO_STANDARD_ALPHABET: Final = str.maketrans("-_", "+/")
# No enum has numbers of so many digits.
_LONG: Final = 10
# So much of a wrong value is repeated in the message.
_SHOWN: Final = 100
_INTEGERS: Final[Mapping[str, tuple[int, int]]] = {
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
}
_NAMES: Final[Mapping[str, str]] = {
    "boolean": "TYPE_BOOL",
    "byte": "TYPE_BYTES",
    "google-duration": "type.googleapis.com/google.protobuf.Duration",
    "google-datetime": "type.googleapis.com/google.protobuf.Timestamp",
    "google-fieldmask": "type.googleapis.com/google.protobuf.FieldMask",
}


class NoSuchValueError(ValueError):
    """A value is none of its type; the text says why, where Google does."""


def type_name(schema: Mapping[str, Any]) -> str:
    """Return what Google's messages call a scalar's type."""
    kind = schema.get("format") or schema["type"]
    if "enum" in schema:
        return "TYPE_ENUM"
    return _NAMES.get(kind) or f"TYPE_{kind.upper()}"


def read_scalar(schema: JsonObject, value: Any, *, is_lenient: bool = False) -> Any:
    """Return a value as handlers expect it: names of enums, int64 as text, true booleans.

    Args:
        schema: Of a scalar, as in the discovery document.
        value: Anything but null.
        is_lenient: Numbers may stand for text, as in the two older APIs.

    Raises:
        NoSuchValueError: the value is none of the type.
    """
    if isinstance(value, dict):
        raise NoSuchValueError("Starting an object on a scalar field")
    if "enum" in schema:
        return _enum(schema["enum"], value)
    kind, form = schema["type"], schema.get("format", "")
    if form in _INTEGERS:
        number = _integer(value, *_INTEGERS[form])
        return str(number) if kind == "string" else number
    if kind == "boolean":
        return _boolean(value)
    if kind in ("number", "integer"):
        return _number(value, whole=kind == "integer")
    if is_lenient and isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise NoSuchValueError
    return _TEXTS[form](value) if form in _TEXTS else value


def _enum(names: list[str], value: Any) -> str:
    known: str | None = None
    if isinstance(value, str) and not value.isdecimal():
        known = value if value in names else value.upper().replace("-", "_")
    elif isinstance(value, str | int) and not isinstance(value, bool) and len(str(value)) < _LONG:
        known = name_of(names, int(value))
    if known is None or known not in names:
        raise NoSuchValueError
    return known


def _integer(value: Any, least: int, most: int) -> int:
    if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise NoSuchValueError
    return value


def _boolean(value: Any) -> bool:
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise NoSuchValueError
    return value


def _number(value: Any, *, whole: bool) -> int | float:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError as error:
            raise NoSuchValueError from error
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise NoSuchValueError
    if whole and value != int(value):
        raise NoSuchValueError
    return value


def _duration(text: str) -> str:
    found = _DURATION.fullmatch(text)
    if not text.endswith("s"):
        raise NoSuchValueError("Illegal duration format; duration must end with 's'")
    if found is None:
        raise NoSuchValueError("Invalid duration format, failed to parse seconds")
    if len(found[1]) > len(str(_MOST_DURATION_S)) + 1 or abs(int(found[1])) > _MOST_DURATION_S:
        raise NoSuchValueError("Duration value exceeds limits")
    return text


def _timestamp(text: str) -> str:
    found = _TIMESTAMP.fullmatch(text)
    try:
        day, time, zone = found.groups() if found else ("", "", "")
        datetime.fromisoformat(f"{day}T{time}{zone or '+00:00'}")
    except ValueError as error:
        raise NoSuchValueError(f"Invalid time format: {text}") from error
    return text


def _base64(text: str) -> str:
    standard = text.translate(_TO_STANDARD_ALPHABET).rstrip("=")
    try:
        content = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
        raise NoSuchValueError(f'Base64 decoding failed for "{shown}"') from error
    return base64.b64encode(content).decode()


_TEXTS: Final[Mapping[str, Callable[[str], str]]] = {
    "google-duration": _duration,
    "google-datetime": _timestamp,
    "date-time": _timestamp,
    "byte": _base64,
}
