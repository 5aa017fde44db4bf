"""Property paths: how a place in a resource's properties is named, and what is there.

A path is written as the engine writes it, `template.containers[0].image`, but that an item of a
list is named by its `name` where all have one: `envs["MODE"].value`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from orchestration.automation.results import UNKNOWN_OUTPUT, Json

# A step of a property path: `.name`, `name`, `[0]` or `["a name"]` (pulumi property-paths).
PATH_STEP = re.compile(r'\.?([^.\[\]"]+)|\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]')
# What stands in brackets says which item, not which property.
ITEM = re.compile(r'\[(?:\d+|"(?:[^"\\]|\\.)*")\]')


def value_at(properties: Mapping[str, Json], path: str) -> Json:
    """Look a property path up; None where there is nothing."""
    at: Json = dict(properties)
    for match in PATH_STEP.finditer(path):
        name, index, quoted = match.groups()
        if index is not None:
            at = at[int(index)] if isinstance(at, list) and int(index) < len(at) else None
        else:
            key = name if name is not None else quoted.replace('\\"', '"')
            at = at.get(key) if isinstance(at, dict) else None
    return at


def property_of(path: str) -> str:
    """Give the property at the top of a path."""
    match = PATH_STEP.match(path)
    assert match is not None, "a path begins with a step"
    return match[1] or match[3] or path


def overlap(one: str, other: str) -> bool:
    """Say whether one path leads to, or through, the place of the other, whichever the items."""
    first, second = (_steps(path) for path in (one, other))
    return all(a == b for a, b in zip(first, second, strict=False))


def differing(
    before: Json, after: Json, path: str, *, whole: bool = False
) -> Iterator[tuple[str, Json, Json]]:
    """Yield what differs between two values, each with its path and both values.

    A text that holds a JSON list or object, as a table's columns do, is looked into. With `whole`
    lists without names are one value, not many.

    Args:
        before: the value as it was; None where there was none.
        after: the value as it will be.
        path: the path of both.
        whole: whether lists whose items have no names are compared as wholes.
    """
    if before == after:
        return
    old, new = _opened(before), _opened(after)
    if not whole and isinstance(old, list) and new is None:
        new = []
    if not whole and isinstance(new, list) and old is None:
        old = []
    if old == new:
        # Written otherwise, as with other spaces; that is a difference, too.
        yield path, before, after
        return
    if _is_mapping(old, new):
        was, now = (value if isinstance(value, dict) else {} for value in (old, new))
        for key in sorted(was.keys() | now.keys()):
            yield from differing(was.get(key), now.get(key), _inside(path, key), whole=whole)
        return
    if isinstance(old, list) and isinstance(new, list):
        had, has = _named(old), _named(new)
        if had is not None and has is not None:
            yield from _named_items(had, has, path, whole=whole)
            return
        if not whole and len(old) == len(new):
            for index, (one, other) in enumerate(zip(old, new, strict=True)):
                yield from differing(one, other, f"{path}[{index}]")
            return
    yield path, before, after


def contains_unknown(value: Json) -> bool:
    """Say whether a value, or anything in it, is not known yet."""
    if isinstance(value, dict):
        return value == UNKNOWN_OUTPUT or any(contains_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(contains_unknown(item) for item in value)
    return False


def _named_items(
    had: Mapping[str, Json], has: Mapping[str, Json], path: str, *, whole: bool
) -> Iterator[tuple[str, Json, Json]]:
    """Compare lists by the names of their items; another order is a difference of its own."""
    for name in sorted(had.keys() | has.keys()):
        yield from differing(had.get(name), has.get(name), _item(path, name), whole=whole)
    stayed: list[Json] = [name for name in had if name in has]
    order: list[Json] = [name for name in has if name in had]
    if stayed != order:
        yield path, stayed, order


def _named(items: Sequence[Json]) -> dict[str, Json] | None:
    """Give a list's items by name, without it; None where one has none, or two have the same."""
    found: dict[str, Json] = {}
    for item in items:
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(item, dict) or not isinstance(name, str) or name in found:
            return None
        found[name] = {key: value for key, value in item.items() if key != "name"}
    return found


def _opened(value: Json) -> Json:
    """Read a text that is a JSON list or object."""
    if isinstance(value, str) and value[:1] in {"[", "{"}:
        try:
            read: Json = json.loads(value)
        except ValueError:
            return value
        return read
    return value


def _is_mapping(old: Json, new: Json) -> bool:
    """Whether both are mappings with something known in them, or one is and the other nothing."""
    sides = [value for value in (old, new) if value is not None]
    return all(isinstance(value, dict) and value != UNKNOWN_OUTPUT for value in sides) and any(
        bool(value) for value in sides
    )


def _inside(path: str, key: str) -> str:
    if not key.isidentifier():
        return _item(path, key)
    return f"{path}.{key}" if path else key


def _item(path: str, name: str) -> str:
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'{path}["{quoted}"]'


def _steps(path: str) -> list[str]:
    """Name a path's properties; which items it goes through is left out."""
    return [match[1] or match[3] for match in PATH_STEP.finditer(ITEM.sub("", path))]
