"""Check inputs against a table of fields, and fill in defaults the way the official provider does.

Defaults are recorded by name under `__defaults`, on every object of the inputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rehearsal.engine.provider import CheckFailure, Properties, Unknown, Value
from rehearsal.providers.properties import DEFAULTS_KEY
from rehearsal.providers.schema import Field, Kind


def check_inputs(
    fields: Iterable[Field], news: Mapping[str, Value]
) -> tuple[Properties, tuple[CheckFailure, ...]]:
    """Return the inputs with defaults, and everything that is wrong with them."""
    failures: list[CheckFailure] = []
    inputs = _check_object(tuple(fields), news, "", failures)
    return inputs, tuple(failures)


def _check_object(
    fields: tuple[Field, ...],
    news: Mapping[str, Value],
    path: str,
    failures: list[CheckFailure],
) -> Properties:
    by_name = {field.name: field for field in fields if not field.is_output}
    checked: Properties = {}
    defaults: list[str] = []
    for name, value in news.items():
        if name == DEFAULTS_KEY or value is None:
            continue
        where = f"{path}.{name}" if path else name
        field = by_name.get(name)
        if field is None:
            reason = f"'{where}' is not a property that the embedded provider supports"
            failures.append(CheckFailure(reason, where))
            continue
        checked[name] = _check_value(field, value, where, failures)
    for field in by_name.values():
        if field.name in checked:
            continue
        if field.is_required:
            where = f"{path}.{field.name}" if path else field.name
            failures.append(CheckFailure(f"'{where}' is required but was not given", where))
        elif field.default is not None:
            checked[field.name] = field.default
            defaults.append(field.name)
    checked[DEFAULTS_KEY] = sorted(defaults)
    return checked


def _check_value(field: Field, value: Value, path: str, failures: list[CheckFailure]) -> Value:
    if isinstance(value, Unknown):
        return value
    coerced = _coerced(field.kind, value)
    if not _fits(field.kind, coerced):
        failures.append(CheckFailure(f"'{path}' must be {field.kind.value}, got {value!r}", path))
        return value
    if field.rule is not None and (problem := field.rule(coerced)) is not None:
        failures.append(CheckFailure(f"'{path}' {problem}", path))
    if field.kind is Kind.BLOCK and isinstance(coerced, Mapping):
        return _check_object(field.fields, coerced, path, failures)
    if field.kind is Kind.BLOCKS and isinstance(coerced, Sequence):
        return [
            _check_object(field.fields, item, f"{path}[{index}]", failures)
            if isinstance(item, Mapping)
            else item
            for index, item in enumerate(coerced)
        ]
    return coerced


def _coerced(kind: Kind, value: Value) -> Value:
    """Accept the scalars that the official provider converts, such as `"5"` for a number."""
    if kind is Kind.TEXT and isinstance(value, bool):
        return str(value).lower()
    if kind is Kind.TEXT and isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if kind is Kind.FLAG and value in ("true", "false"):
        return value == "true"
    if kind is Kind.NUMBER and isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            return value
    return value


def _fits(kind: Kind, value: Value) -> bool:
    match kind:
        case Kind.TEXT:
            return isinstance(value, str)
        case Kind.FLAG:
            return isinstance(value, bool)
        case Kind.NUMBER:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case Kind.MAP | Kind.BLOCK:
            return isinstance(value, Mapping)
        case Kind.TEXTS | Kind.BLOCKS:
            return isinstance(value, Sequence) and not isinstance(value, str)
