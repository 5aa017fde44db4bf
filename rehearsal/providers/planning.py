"""Foresee outputs for a preview, and turn live outputs back into inputs for a refresh."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rehearsal.engine.provider import UNKNOWN, Properties, Unknown, Value
from rehearsal.providers.properties import is_empty, items, mapping
from rehearsal.providers.schema import Field, Kind


def planned_outputs(
    fields: Iterable[Field], values: Mapping[str, Value], old: Mapping[str, Value] | None
) -> Properties:
    """Return the outputs an operation will have, as far as they can be known before it.

    Args:
        fields: The type's fields.
        values: The new inputs.
        old: The outputs before an update; None before a create.
    """
    return {field.name: _planned(field, values.get(field.name), old) for field in fields}


def _planned(field: Field, value: Value, old: Mapping[str, Value] | None) -> Value:
    before = None if old is None else old.get(field.name)
    if field.is_output or value is None:
        return _planned_absence(field, before, is_create=old is None)
    if field.kind is Kind.BLOCK and isinstance(value, Mapping):
        nested = before if isinstance(before, Mapping) else None
        return planned_outputs(field.fields, mapping(value), nested)
    if field.kind is Kind.BLOCKS and not isinstance(value, Unknown):
        befores = items(before)
        return [
            planned_outputs(
                field.fields, mapping(item), mapping(befores[i]) if i < len(befores) else None
            )
            if not isinstance(item, Unknown)
            else item
            for i, item in enumerate(items(value))
        ]
    return value


def _planned_absence(field: Field, before: Value, *, is_create: bool) -> Value:
    if field.is_volatile:
        return UNKNOWN
    if field.is_computed:
        return UNKNOWN if is_create else before
    if is_create and field.kind is not Kind.BLOCKS:
        return field.otherwise
    return field.absent


def inputs_from_outputs(
    fields: Iterable[Field],
    inputs: Mapping[str, Value],
    outputs: Mapping[str, Value],
    *,
    is_import: bool = False,
) -> Properties:
    """Return the inputs that would make a resource as it is now.

    An input keeps its spelling while it means what is live. A property that was never given
    appears only when it drifted away from its absence; what the server chooses does not,
    except on an import, where everything that is set counts.
    """
    result: Properties = {}
    for field in fields:
        if field.is_output or field.name not in outputs:
            continue
        given, live = inputs.get(field.name), outputs[field.name]
        if given is not None:
            found = _as_input(field, given, live)
        elif is_empty(live) or live == field.otherwise or (field.is_computed and not is_import):
            continue
        else:
            found = _pruned(field, live)
        if found is not None:
            result[field.name] = found
    return result


def _as_input(field: Field, given: Value, live: Value) -> Value:
    if given == live or (is_empty(given) and is_empty(live)):
        return given
    if live is None or (field.is_same is not None and field.is_same(live, given)):
        return given if live is not None else None
    if field.kind is Kind.BLOCK:
        return inputs_from_outputs(field.fields, mapping(given), mapping(live))
    if field.kind is Kind.BLOCKS:
        givens = items(given)
        return [
            inputs_from_outputs(field.fields, mapping(givens[i]), mapping(item))
            if i < len(givens)
            else _pruned_object(field.fields, mapping(item))
            for i, item in enumerate(items(live))
        ]
    return live


def _pruned(field: Field, live: Value) -> Value:
    if field.kind is Kind.BLOCK:
        return _pruned_object(field.fields, mapping(live))
    if field.kind is Kind.BLOCKS:
        return [_pruned_object(field.fields, mapping(item)) for item in items(live)]
    return live


def _pruned_object(fields: Iterable[Field], live: Mapping[str, Value]) -> Properties:
    return {
        field.name: _pruned(field, live[field.name])
        for field in fields
        if not field.is_output and not is_empty(live.get(field.name))
    }
