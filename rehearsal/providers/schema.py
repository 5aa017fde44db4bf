"""The properties of a resource type, and their translation to and from the REST API's JSON.

One table of `Field`s per type drives checking, comparing, planning and translating, so that a
property is described once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from rehearsal.engine.provider import Properties, Value
from rehearsal.providers.properties import (
    Json,
    JsonObject,
    items,
    json_items,
    json_object,
    known,
    mapping,
)


class Kind(StrEnum):
    """The shapes of values."""

    TEXT = "a string"
    FLAG = "a boolean"
    NUMBER = "a number"
    TEXTS = "a list of strings"
    MAP = "a map"
    BLOCK = "an object"
    BLOCKS = "a list of objects"


ABSENT: Final[Mapping[Kind, Value]] = {
    # What the official provider records for a property that the API leaves out.
    Kind.TEXT: "",
    Kind.FLAG: False,
    Kind.NUMBER: 0,
    Kind.TEXTS: None,
    Kind.MAP: None,
    Kind.BLOCK: None,
    Kind.BLOCKS: [],
}

Comparing = Callable[[Value, Value], bool]
Rule = Callable[[Value], str | None]


@dataclass(frozen=True, slots=True)
class Field:
    """One property of a resource or of a nested object.

    Attributes:
        name: Pulumi's name of it.
        kind: Its shape.
        api: Its name in the REST API; empty when the API does not know it.
        fields: The fields of a nested object.
        is_required: An input that must be given.
        is_force_new: A change needs a new resource.
        is_computed: The server chooses a value when none is given.
        is_output: Never an input.
        is_volatile: Changes by itself with every update.
        is_marker: An object that says something even when it is empty.
        default: The value that takes the place of an absent input, recorded as such.
        otherwise: The output of a property that the API leaves out or does not know.
        is_same: Tells whether two different values mean the same.
        needs_new: Tells whether a change from one value to another needs a new resource.
        rule: A limit of Google's; returns what is wrong, if anything.
    """

    name: str
    kind: Kind = Kind.TEXT
    api: str = ""
    fields: tuple[Field, ...] = ()
    is_required: bool = False
    is_force_new: bool = False
    is_computed: bool = False
    is_output: bool = False
    is_volatile: bool = False
    is_marker: bool = False
    default: Value = None
    otherwise: Value = None
    is_same: Comparing | None = None
    needs_new: Comparing | None = None
    rule: Rule | None = None

    def required(self) -> Field:
        """Return the field as one that must be given."""
        return replace(self, is_required=True)

    def force_new(self) -> Field:
        """Return the field as one whose change needs a new resource."""
        return replace(self, is_force_new=True)

    def computed(self) -> Field:
        """Return the field as one that the server fills in when it is not given."""
        return replace(self, is_computed=True)

    def output(self) -> Field:
        """Return the field as a mere output."""
        return replace(self, is_output=True, is_computed=True)

    def volatile(self) -> Field:
        """Return the field as an output that every update changes."""
        return replace(self, is_output=True, is_computed=True, is_volatile=True)

    def marker(self) -> Field:
        """Return the field as an object whose presence counts."""
        return replace(self, is_marker=True)

    def local(self) -> Field:
        """Return the field as one that only the provider knows."""
        return replace(self, api="")

    def defaulting(self, value: Value) -> Field:
        """Return the field with a default that check fills in."""
        return replace(self, default=value, otherwise=value)

    def recorded_as(self, value: Value) -> Field:
        """Return the field with the output that stands for its absence."""
        return replace(self, otherwise=value)

    def same(self, suppression: Comparing) -> Field:
        """Return the field with a rule for values that mean the same."""
        return replace(self, is_same=suppression)

    def replaced_when(self, needs_new: Comparing) -> Field:
        """Return the field with a rule for changes that need a new resource."""
        return replace(self, needs_new=needs_new)

    def checked(self, rule: Rule) -> Field:
        """Return the field with a limit on its value."""
        return replace(self, rule=rule)

    @property
    def absent(self) -> Value:
        """What an output says when the API leaves the property out."""
        return ABSENT[self.kind] if self.otherwise is None else self.otherwise


def _field(name: str, kind: Kind, api: str | None, fields: Iterable[Field] = ()) -> Field:
    return Field(name=name, kind=kind, api=name if api is None else api, fields=tuple(fields))


def text(name: str, api: str | None = None) -> Field:
    """Describe a string."""
    return _field(name, Kind.TEXT, api)


def flag(name: str, api: str | None = None) -> Field:
    """Describe a boolean."""
    return _field(name, Kind.FLAG, api)


def number(name: str, api: str | None = None) -> Field:
    """Describe a number."""
    return _field(name, Kind.NUMBER, api)


def texts(name: str, api: str | None = None) -> Field:
    """Describe a list of strings."""
    return _field(name, Kind.TEXTS, api)


def text_map(name: str, api: str | None = None) -> Field:
    """Describe a map of strings."""
    return _field(name, Kind.MAP, api)


def block(name: str, *fields: Field, api: str | None = None) -> Field:
    """Describe a nested object."""
    return _field(name, Kind.BLOCK, api, fields)


def blocks(name: str, *fields: Field, api: str | None = None) -> Field:
    """Describe a list of nested objects."""
    return _field(name, Kind.BLOCKS, api, fields)


def to_api(fields: Iterable[Field], values: Mapping[str, Value]) -> JsonObject:
    """Build the API's JSON from inputs; what is absent or an empty string stays out."""
    body: JsonObject = {}
    for field in fields:
        value = values.get(field.name)
        if not field.api or field.is_output or value is None or value == "":
            continue
        body[field.api] = _value_to_api(field, value)
    return body


def _value_to_api(field: Field, value: Value) -> Json:
    if field.kind is Kind.BLOCK and isinstance(value, Mapping):
        return to_api(field.fields, value)
    if field.kind is Kind.BLOCKS:
        return [to_api(field.fields, mapping(item)) for item in items(value)]
    return known(value)


def from_api(fields: Iterable[Field], body: Mapping[str, Json]) -> Properties:
    """Build outputs from the API's JSON, with every field present."""
    return {field.name: _value_from_api(field, body) for field in fields}


def _value_from_api(field: Field, body: Mapping[str, Json]) -> Value:
    raw = body.get(field.api) if field.api else None
    if raw is None:
        return field.absent
    if field.kind is Kind.BLOCK:
        # An empty object means "not set", as in the official provider.
        is_set = isinstance(raw, Mapping) and (raw or field.is_marker)
        return from_api(field.fields, json_object(raw)) if is_set else None
    if field.kind is Kind.BLOCKS:
        return [from_api(field.fields, json_object(item)) for item in json_items(raw)]
    if field.kind is Kind.NUMBER and isinstance(raw, str):
        return float(raw) if "." in raw else int(raw)
    if field.kind is Kind.TEXT and not isinstance(raw, str):
        return str(raw)
    return raw
