"""Turn a YAML tree into the model, reporting every place where the two do not fit.

Only shapes and keys are judged here, by the model's own annotations; what names, references and
values must be like is the business of `architecture.checks`. Where a value does not fit, an empty
one takes its place, so that one pass finds everything.
"""

from __future__ import annotations

import functools
import json
import re
import types
import typing
from collections.abc import Callable
from typing import Final, TypeVar

from pydantic import BaseModel, JsonValue
from pydantic.fields import FieldInfo

from architecture import durations
from architecture.findings import Report, Severity, shown
from architecture.misspelling import suggestion
from architecture.model import Dataflow, DurationText, Service, ServiceMapping
from architecture.yaml_tree import Mapping, Node, Scalar, Sequence

M = TypeVar("M", bound=BaseModel)

_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_FLOAT: Final = re.compile(r"[-+]?[0-9]{1,17}\.[0-9]{0,17}(?:[eE][-+][0-9]{1,2})?")
_BOOLEANS: Final = {"true": True, "True": True, "false": False, "False": False}
_ABSENT: Final = object()


OnOlder = Callable[[Scalar, str], None]
"""Takes a value in an older form, and what would be written for it today."""


def bind(
    root: Node, model: type[M], report: Report, on_older: OnOlder = lambda _node, _new: None
) -> M:
    """Return the tree as a model; whatever does not fit is reported and left empty."""
    return typing.cast("M", _Binder(report, on_older).model(root, model))


class _Binder:
    """Walks the tree along the model's annotations."""

    def __init__(self, report: Report, on_older: OnOlder) -> None:
        self._report = report
        self._on_older = on_older

    def model(self, node: Node, model: type[BaseModel], key: str | None = None) -> object:
        """Bind a mapping; `key` is the one under which it stands in a mapping of models."""
        if model is ServiceMapping and isinstance(node, Scalar) and not node.is_null:
            self._warn(
                node,
                "older-form",
                f"a bare name {shown(node.text)} is the older form of a link",
                f"write `name: {node.text}` below it",
            )
            self._on_older(node, f"{{name: {quoted(node)}}}")
            return ServiceMapping(name=node.text)
        values: dict[str, object] = {}
        if not isinstance(node, Mapping):
            keys = _keys(model)
            expected = f"a mapping with keys such as {', '.join(keys)}"
            self._mixed_up(node, expected, f"put {keys[0]} and its value below it, indented")
            return _placeholder(model)
        fields = model.model_fields
        for name, (entry_key, value) in self._distinct(node).items():
            field = fields.get(name)
            if field is None:
                self._error(
                    entry_key,
                    "unknown-key",
                    f"unknown key {shown(name)}",
                    suggestion(name, tuple(fields)),
                )
            elif (bound := self._field(value, field)) is not _ABSENT:
                values[name] = bound
        if key is not None and model in {Service, Dataflow}:
            values.setdefault("name", key)
        self._fill_missing(node, model, values)
        return model(**values)

    def _fill_missing(
        self, node: Mapping, model: type[BaseModel], values: dict[str, object]
    ) -> None:
        present = {key.text for key, value in node.entries if not _is_null(value)}
        for name, field in model.model_fields.items():
            if not field.is_required() or name in values:
                continue
            if name not in present:
                self._error(node, "missing-key", f"the key `{name}` is missing", f"add `{name}:`")
            values[name] = _placeholder(field.annotation)

    def _distinct(self, node: Mapping) -> dict[str, tuple[Scalar, Node]]:
        entries: dict[str, tuple[Scalar, Node]] = {}
        for key, value in node.entries:
            if key.text in entries:
                first = entries[key.text][0].line
                self._error(
                    key,
                    "duplicate-key",
                    f"the key {shown(key.text)} is already set in line {first}",
                    "remove one of the two",
                )
            else:
                entries[key.text] = (key, value)
        return entries

    def _field(self, node: Node, field: FieldInfo) -> object:
        if any(isinstance(mark, DurationText) for mark in field.metadata):
            return self._duration(node)
        return self._value(node, field.annotation)

    def _value(self, node: Node, annotation: object, key: str | None = None) -> object:
        """Bind a node; `_ABSENT` when it holds nothing or does not fit."""
        annotation = _without_none(annotation)
        if annotation is JsonValue:
            return self._json(node)
        if _is_null(node):
            return _ABSENT
        arguments = typing.get_args(annotation)
        if arguments:
            return self._generic(node, typing.get_origin(annotation), arguments)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            return self.model(node, annotation, key)
        return self._scalar(node, annotation)

    def _generic(self, node: Node, origin: object, arguments: tuple[object, ...]) -> object:
        if origin is tuple:
            return self._items(node, arguments[0])
        if origin is dict:
            return self._entries(node, arguments[1])
        return self._choice(node, arguments)

    def _items(self, node: Node, annotation: object) -> object:
        if not isinstance(node, Sequence):
            return self._mixed_up(node, "a list", "start each of its lines with `- `")
        items = []
        for item in node.items:
            if _is_null(item):
                self._error(item, "wrong-type", "an empty list item", "remove it or fill it in")
            bound = self._value(item, annotation)
            # Something takes the place of what did not fit, or later findings would name
            # the place of a neighbour.
            items.append(_placeholder(annotation) if bound is _ABSENT else bound)
        return tuple(items)

    def _entries(self, node: Node, annotation: object) -> object:
        if not isinstance(node, Mapping):
            return self._mixed_up(node, "a mapping", "write lines of `name: value`, indented")
        bound = {}
        for name, (entry_key, value) in self._distinct(node).items():
            item = self._value(value, annotation, name)
            if item is not _ABSENT:
                bound[name] = item
            elif _is_null(value):
                self._error(
                    entry_key,
                    "wrong-type",
                    f"{shown(name)} has no value",
                    'give it one (`""` for an empty text), or remove the line',
                )
        return bound

    def _choice(self, node: Node, choices: tuple[object, ...]) -> object:
        words = [str(choice) for choice in choices if choice]
        if not isinstance(node, Scalar):
            return self._mixed_up(node, f"one of {', '.join(words)}", "choose one")
        if node.text in choices:
            return node.text
        message = f"{shown(node.text)} is not one of {', '.join(words)}"
        self._error(node, "unknown-value", message, suggestion(node.text, tuple(words)))
        return _ABSENT

    def _scalar(self, node: Node, annotation: object) -> object:
        if not isinstance(node, Scalar):
            return self._mixed_up(node, _SCALARS[annotation], "write it on the key's line")
        if annotation is str:
            return node.text
        if annotation is bool and node.is_plain and node.text in _BOOLEANS:
            return _BOOLEANS[node.text]
        if annotation is int and node.is_plain and _INTEGER.fullmatch(node.text):
            return int(node.text)
        message = f"expected {_SCALARS[annotation]}, found {shown(node.text)}"
        self._error(node, "wrong-type", message, "write it without quotes or units")
        return _ABSENT

    def _duration(self, node: Node) -> object:
        if _is_null(node):
            return _ABSENT
        if not isinstance(node, Scalar):
            return self._mixed_up(node, "a duration", "for example `30s`, `24h` or `7d`")
        converted = durations.from_nanoseconds(node.text)
        if converted is None:
            return node.text
        message = f"{shown(node.text)} is a bare count of nanoseconds"
        self._warn(node, "older-form", message, f"write `{converted}`")
        self._on_older(node, converted)
        return converted

    def _json(self, node: Node) -> JsonValue:
        match node:
            case Mapping():
                pairs = self._distinct(node).items()
                return {name: self._json(value) for name, (_, value) in pairs}
            case Sequence():
                return [self._json(item) for item in node.items]
            case Scalar():
                return _json_scalar(node)

    def _mixed_up(self, node: Node, expected: str, fix: str) -> object:
        found = {Scalar: "a single value", Sequence: "a list", Mapping: "a mapping"}[type(node)]
        self._error(node, "wrong-type", f"expected {expected}; found {found}", fix)
        return _ABSENT

    def _error(self, node: Node, rule: str, message: str, fix: str) -> None:
        self._report(Severity.ERROR, rule, (node.line, node.column), message, fix)

    def _warn(self, node: Node, rule: str, message: str, fix: str) -> None:
        self._report(Severity.WARNING, rule, (node.line, node.column), message, fix)


_SCALARS: Final[dict[object, str]] = {
    str: "a single text",
    bool: "true or false",
    int: "a whole number",
}


def quoted(node: Scalar) -> str:
    """Return a value as it can be written inside braces, where more texts need quotes."""
    is_safe = node.is_plain and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]*", node.text)
    return node.text if is_safe else json.dumps(node.text, ensure_ascii=False)


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.is_null


def _json_scalar(node: Scalar) -> JsonValue:
    if not node.is_plain:
        return node.text
    if node.is_null:
        return None
    if _INTEGER.fullmatch(node.text):
        return int(node.text)
    if _FLOAT.fullmatch(node.text):
        return float(node.text)
    return _BOOLEANS.get(node.text, node.text)


def _keys(model: type[BaseModel]) -> list[str]:
    fields = model.model_fields
    required = [name for name, field in fields.items() if field.is_required()]
    return [f"`{name}`" for name in required or list(fields)[:3]]


@functools.cache
def _without_none(annotation: object) -> object:
    if typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        kinds = [kind for kind in typing.get_args(annotation) if kind is not types.NoneType]
        if len(kinds) == 1:
            return kinds[0]
    return annotation


def _placeholder(annotation: object) -> object:
    """Return an empty value of a required field that could not be bound."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        required = {
            name: _placeholder(field.annotation)
            for name, field in annotation.model_fields.items()
            if field.is_required()
        }
        return annotation(**required)
    return ""
