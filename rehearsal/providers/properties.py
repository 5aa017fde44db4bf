"""Reading property values: what is unknown, what is empty, what is text.

What a property means is the business of `schema` and of the resource types.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from rehearsal.engine.provider import UNKNOWN, Properties, ProviderError, Unknown, Value

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
JsonObject: TypeAlias = "dict[str, Json]"

DEFAULTS_KEY = "__defaults"


def has_unknown(value: Value) -> bool:
    """Tell whether a value is, or holds, an unknown."""
    if isinstance(value, Unknown):
        return True
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return any(has_unknown(item) for item in value)
    return False


def is_empty(value: Value) -> bool:
    """Tell whether a value says no more than its absence: null, zero, or an empty collection."""
    if isinstance(value, Unknown):
        return False
    return value is None or value in ("", False, 0) or (_is_collection(value) and not value)


def _is_collection(value: Value) -> bool:
    return isinstance(value, Mapping | Sequence) and not isinstance(value, str)


def without_defaults(value: Value) -> Value:
    """Copy a value without the `__defaults` lists that record which inputs were filled in."""
    if isinstance(value, Mapping):
        return {k: without_defaults(v) for k, v in value.items() if k != DEFAULTS_KEY}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [without_defaults(item) for item in value]
    return value


def plain(properties: Mapping[str, Value]) -> Properties:
    """Copy properties without `__defaults` on any level and without nulls on the top one."""
    return {
        key: without_defaults(value)
        for key, value in properties.items()
        if key != DEFAULTS_KEY and value is not None
    }


def text(properties: Mapping[str, Value], key: str) -> str:
    """Return a property that must be known text by now.

    Raises:
        ProviderError: it is missing or unknown.
    """
    value = properties.get(key)
    if not isinstance(value, str):
        raise ProviderError(f"'{key}' must be known text, got {value!r}")
    return value


def optional_text(properties: Mapping[str, Value], key: str) -> str:
    """Return a text property, empty when it is absent or unknown."""
    value = properties.get(key)
    return value if isinstance(value, str) else ""


def text_or_unknown(properties: Mapping[str, Value], key: str) -> str | Unknown:
    """Return a text property, or `UNKNOWN` when it has no value yet."""
    value = properties.get(key)
    return value if isinstance(value, str) else UNKNOWN


def mapping(value: Value) -> Mapping[str, Value]:
    """Return a map value; absent and unknown count as empty."""
    return value if isinstance(value, Mapping) else {}


def items(value: Value) -> Sequence[Value]:
    """Return a list value; absent and unknown count as empty."""
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def json_object(value: Json) -> Mapping[str, Json]:
    """Return a JSON object, empty when the value is something else."""
    return value if isinstance(value, Mapping) else {}


def json_items(value: Json) -> Sequence[Json]:
    """Return a JSON array, empty when the value is something else."""
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def known(value: Value) -> Json:
    """Convert a value to JSON.

    Raises:
        ProviderError: a part of it is unknown, which must not happen outside previews.
    """
    if isinstance(value, Unknown):
        raise ProviderError("an unknown value reached a call to the cloud")
    if isinstance(value, Mapping):
        return {key: known(item) for key, item in value.items()}
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [known(item) for item in value]
    return value
