"""Property paths such as `a.b[0]` or `labels[*]`, as options and detailed diffs use them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from rehearsal.engine.values.property_values import EngineProperties, EngineValue, Secret

_PART: Final = re.compile(r'\.?([^.\[\]"]+)|\[(\d+|\*)\]|\.?\["((?:[^"\\]|\\.)*)"\]')
_MISSING: Final = object()


def parse(path: str) -> tuple[str | int, ...]:
    """Split a path into keys, indices and `*`; what cannot be parsed is one key."""
    parts: list[str | int] = []
    position = 0
    while position < len(path):
        match = _PART.match(path, position)
        if match is None:
            return (path,)
        name, index, quoted = match.groups()
        if index is not None:
            parts.append("*" if index == "*" else int(index))
        else:
            parts.append(name if name is not None else quoted.replace('\\"', '"'))
        position = match.end()
    return tuple(parts)


def touches(pattern: str, path: str) -> bool:
    """Tell whether a change at `path` is one that `pattern` speaks of."""
    wanted, changed = parse(pattern), parse(path)
    return all(want in ("*", have) for want, have in zip(wanted, changed, strict=False))


def reset(
    news: EngineProperties, olds: Mapping[str, EngineValue], paths: Sequence[str]
) -> tuple[EngineProperties, list[str]]:
    """Give the named properties of new inputs the values they had before.

    Containers are never made or removed; a path that would need it is returned as unresolvable.
    """
    unresolvable = []
    result: EngineValue = dict(news)
    for path in paths:
        changed = _reset(result, olds, parse(path))
        if changed is _MISSING:
            unresolvable.append(path)
        else:
            result = changed  # type: ignore[assignment]
    assert isinstance(result, dict)
    return result, unresolvable


def _reset(new: EngineValue, old: EngineValue, parts: tuple[str | int, ...]) -> object:
    """Return `new` with the part taken from `old`; `_MISSING` when it cannot be."""
    if isinstance(new, Secret):
        inner = _reset(new.value, old.value if isinstance(old, Secret) else old, parts)
        return inner if inner is _MISSING else Secret(inner)  # type: ignore[arg-type]
    old = old.value if isinstance(old, Secret) else old
    part, rest = parts[0], parts[1:]
    if isinstance(new, Mapping) and isinstance(old, Mapping) and not isinstance(part, int):
        names = sorted(new.keys() | old.keys()) if part == "*" else [part]
        return _reset_keys(dict(new), old, names, rest)
    if isinstance(new, list) and isinstance(old, list):
        spots = range(min(len(new), len(old))) if part == "*" else [part]
        return _reset_items(list(new), old, spots, rest)
    return _MISSING


def _reset_keys(
    new: dict[str, EngineValue],
    old: Mapping[str, EngineValue],
    names: Sequence[str],
    rest: tuple[str | int, ...],
) -> object:
    for name in names:
        if rest:
            if name not in new or name not in old:
                return new if name not in new and name not in old else _MISSING
            changed = _reset(new[name], old[name], rest)
            if changed is _MISSING:
                return _MISSING
            new[name] = changed  # type: ignore[assignment]
        elif name in old:
            new[name] = old[name]
        else:
            new.pop(name, None)
    return new


def _reset_items(
    new: list[EngineValue],
    old: list[EngineValue],
    spots: Sequence[str | int],
    rest: tuple[str | int, ...],
) -> object:
    for spot in spots:
        if not isinstance(spot, int) or spot >= len(new) or spot >= len(old):
            return _MISSING
        changed = _reset(new[spot], old[spot], rest) if rest else old[spot]
        if changed is _MISSING:
            return _MISSING
        new[spot] = changed  # type: ignore[call-overload]
    return new
