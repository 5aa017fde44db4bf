"""Write an architecture back as YAML that loads to the same architecture.

Empty values that mean "not given" are left out. The user's own text, with its comments, is never
replaced by this.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import yaml
from pydantic import BaseModel, JsonValue

from architecture.environments import EnvironmentOverrides
from architecture.model import Architecture


def to_yaml(arch: Architecture) -> str:
    """Return the architecture as the text of a file."""
    return dump(plain(arch))


def plain(model: BaseModel) -> dict[str, JsonValue]:
    """Return a model as plain values in the order of its keys, without what was not given."""
    if isinstance(model, EnvironmentOverrides):
        return _given(model)
    fields = type(model).model_fields
    return {
        name: _plain(value)
        for name, value in model
        if value or value != fields[name].get_default(call_default_factory=False)
    }


def _given(model: BaseModel) -> dict[str, JsonValue]:
    """Return what was given, also where it is empty: an environment can take a value away."""
    return {name: _plain(value, _given) for name, value in model if name in model.model_fields_set}


def _plain(value: object, plain: Callable[[BaseModel], JsonValue] = plain) -> JsonValue:
    match value:
        case BaseModel():
            return plain(value)
        case dict():
            return {str(key): _plain(item, plain) for key, item in value.items()}
        case tuple() | list():
            return [_plain(item, plain) for item in value]
        case str() | bool() | int() | float() | None:
            return value
        case _:
            raise TypeError(type(value))


def dump(value: Mapping[str, JsonValue]) -> str:
    """Return plain values as YAML in the files' style: two spaces, lists below their key."""
    return yaml.dump(
        dict(value),
        Dumper=_Dumper,
        sort_keys=False,
        indent=2,
        width=math.inf,
        allow_unicode=True,
    )


class _Dumper(yaml.SafeDumper):
    """Indents lists below their key, and repeats what YAML would make an alias."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - PyYAML's signature
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True
