"""The reference page of the architecture file, written from the models and what is made of them.

Its prose is in `reference.template.md`, the meaning of keys below the models' fields.
`python -m architecture.reference` writes the page and the editors' schema to `docs/reference`.
"""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from pydantic import JsonValue
from pydantic.fields import FieldInfo

from architecture.descriptions import describe, summary
from architecture.director_role import ALWAYS, KIND_PERMISSIONS, SECRET_GRANTS
from architecture.editor_schema import is_required, models, schema_text
from architecture.grants.inference import LINK_ROLES
from architecture.links import Direction
from architecture.model import Architecture, DurationText, Model

FOLDER: Final = Path("docs/reference")
PAGE_NAME: Final = "architecture.md"
SCHEMA_NAME: Final = "architecture.schema.json"

_MOST_PLACES: Final = 3
_BETWEEN: Final[dict[object, str]] = {tuple: "[]", dict: ".NAME"}
_TEMPLATE: Final = Path(__file__).with_name("reference.template.md")

_ON: Final = {
    "topics": "the topic",
    "subscriptions": "the subscription",
    "bigquery_tables": "the table",
    "gcs_buckets": "the bucket",
    "firestore_databases": "the project",
    "firestore_collections": "the project",
}


def reference_page() -> str:
    """Return the page as Markdown."""
    page = _TEMPLATE.read_text(encoding="utf-8")
    for mark, lines in {"keys": _sections(), "links": _links(), "director": _director()}.items():
        page = page.replace(f"<<{mark}>>", "\n".join(lines).rstrip())
    return page


def write(folder: Path) -> tuple[Path, ...]:
    """Write the page and the schema; return where."""
    files = {folder / PAGE_NAME: reference_page(), folder / SCHEMA_NAME: schema_text()}
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
    return tuple(files)


def _sections() -> Iterator[str]:
    done: set[type[Model]] = set()
    places = _places(Architecture)
    for model in models(Architecture):
        for each in reversed([a for a in model.__mro__ if _has_fields(a)]):
            if each not in done:
                done.add(each)
                yield _section(each, places.get(each, ()))


def _places(root: type[Model]) -> dict[type[Model], list[str]]:
    """Return where in a file each model's keys are: the first few places, the shortest first."""
    places: dict[type[Model], list[str]] = {}
    waiting: list[tuple[type[Model], str]] = [(root, "")]
    while waiting:
        model, place = waiting.pop(0)
        known = places.setdefault(model, [])
        if len(known) >= _MOST_PLACES:
            continue
        known += [place] if place else []
        for name, field in model.model_fields.items():
            for inner, step in _steps(field.annotation):
                waiting.append((inner, f"{place}.{name}{step}".lstrip(".")))
    return places


def _steps(annotation: object) -> Iterator[tuple[type[Model], str]]:
    """Yield the models that a key leads to, and what is between: a position, or a name."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation, ""
    between = _BETWEEN.get(typing.get_origin(annotation), "")
    for argument in typing.get_args(annotation):
        for model, step in _steps(argument):
            yield model, between + step


def _has_fields(ancestor: type) -> bool:
    return issubclass(ancestor, Model) and bool(ancestor.model_fields)


def _section(model: type[Model], places: Sequence[str]) -> str:
    """Return a model's heading, what it is, and the keys that it does not have from another."""
    inherited = next((a for a in model.__mro__[1:] if _has_fields(a)), None)
    own = [name for name in model.model_fields if name in model.__annotations__]
    told = [name for name in own if describe(model, name).is_allowed]
    lines = [f"### {_heading(model)}", "", summary(model)]
    if places:
        lines += ["", f"In the file: {', '.join(f'`{place}`' for place in places)}"]
    if inherited is not None:
        without = [f"`{name}`" for name in own if name not in told]
        but = f" but {', '.join(without)}" if without else ""
        lines += ["", f"It has all keys of a [{_heading(inherited)}]({_anchor(inherited)}){but}."]
    if told:
        lines += ["", "| Key | Type | Default | Meaning | Goes to |", "|---|---|---|---|---|"]
        lines += [_row(model, name) for name in told]
    return "\n".join([*lines, ""])


def _row(model: type[Model], name: str) -> str:
    field, described = model.model_fields[name], describe(model, name)
    default = "**required**" if is_required(model, name) else _default(field)
    cells = [f"`{name}`", _type(field), default, described.meaning, described.goes_to]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _type(field: FieldInfo) -> str:
    if any(isinstance(mark, DurationText) for mark in field.metadata):
        return "duration"
    return _words(field.annotation)


def _words(annotation: object) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in {typing.Union, types.UnionType}:
        return " or ".join(_words(a) for a in arguments if a is not types.NoneType)
    if origin is typing.Literal:
        return ", ".join(f"`{choice}`" for choice in arguments if choice)
    if origin is tuple:
        return f"list of {_words(arguments[0])}"
    if origin is dict:
        return f"mapping of {_words(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return f"[{_heading(annotation)}]({_anchor(annotation)})"
    return _SCALARS[annotation]


_SCALARS: Final[dict[object, str]] = {
    str: "text",
    bool: "`true` or `false`",
    int: "whole number",
    JsonValue: "anything",
}


def _default(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=False)
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default}`" if isinstance(default, str) and default else ""


def _heading(model: type[Model]) -> str:
    """Return a class's name in words: `BigQueryTable` as `BigQuery table`."""
    name = model.__name__.replace("BigQuery", "Bigquery")
    words = "".join(f" {c.lower()}" if c.isupper() else c for c in name).split()
    return " ".join(words).capitalize().replace("Bigquery", "BigQuery")


def _anchor(model: type[Model]) -> str:
    return "#" + _heading(model).lower().replace(" ", "-")


def _links() -> Iterator[str]:
    for (kind, direction), roles in LINK_ROLES.items():
        who = "producer" if direction is Direction.PRODUCES else "consumer"
        named = ", ".join(f"`{role.removeprefix('roles/')}`" for role in roles)
        yield f"| {who} in `{kind}` | {named} | {_ON[kind]} |"


def _director() -> Iterator[str]:
    managed = {
        "anything": ALWAYS,
        **{f"`{kind}`": needs for kind, needs in KIND_PERMISSIONS.items() if needs.permissions},
        "a secret that a service reads (on the secret)": SECRET_GRANTS,
    }
    for where, needs in managed.items():
        permissions = ", ".join(f"`{permission}`" for permission in needs.permissions)
        yield f"| {where} | {permissions} | <{needs.source}> |"


if __name__ == "__main__":
    for path in write(FOLDER):
        sys.stdout.write(f"{path}\n")
