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

    A text that holds a JSON list or object, as a table's columns do, is looked into.

    Args:
        before: the value as it was; None where there was none.
        after: the value as it will be.
        path: the path of both.
        whole: whether a list is one value, not many.
    """
    if before == after:
        return
    old, new = _opened(before), _opened(after)
    if _is_mapping(old, new):
        was, now = (value if isinstance(value, dict) else {} for value in (old, new))
        for key in sorted(was.keys() | now.keys()):
            yield from differing(was.get(key), now.get(key), _inside(path, key), whole=whole)
        return
    found = [] if whole else list(_in_lists(old, new, path))
    # A text may say the same JSON in other words; that is a difference, too.
    yield from found or [(path, before, after)]


def contains_unknown(value: Json) -> bool:
    """Say whether a value, or anything in it, is not known yet."""
    if isinstance(value, dict):
        return value == UNKNOWN_OUTPUT or any(contains_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(contains_unknown(item) for item in value)
    return False


def _in_lists(old: Json, new: Json, path: str) -> Iterator[tuple[str, Json, Json]]:
    """Compare lists item by item: by their names, else by their places if there are as many."""
    was, now = ([] if value is None else value for value in (old, new))
    if not isinstance(was, list) or not isinstance(now, list):
        return
    had, has = _named(was), _named(now)
    if had is not None and has is not None:
        for name in sorted(had.keys() | has.keys()):
            yield from differing(had.get(name), has.get(name), _item(path, name))
        stayed: list[Json] = [name for name in had if name in has]
        order: list[Json] = [name for name in has if name in had]
        if stayed != order:
            yield path, stayed, order
    elif len(was) == len(now):
        for index, (one, other) in enumerate(zip(was, now, strict=True)):
            yield from differing(one, other, f"{path}[{index}]")


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
