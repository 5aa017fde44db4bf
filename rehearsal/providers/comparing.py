"""Compare the recorded state of a resource with what is asked for now.

As in the official provider the state (the outputs) is the old side, so that what drifted shows
even where the program never mentioned it; what the server chooses by itself never counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rehearsal.engine.provider import DiffKind, DiffResult, Unknown, Value
from rehearsal.providers.properties import DEFAULTS_KEY, is_empty, items, mapping
from rehearsal.providers.schema import Field, Kind

_PLAIN_KEY = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
_REPLACING = {
    DiffKind.ADD: DiffKind.ADD_REPLACE,
    DiffKind.DELETE: DiffKind.DELETE_REPLACE,
    DiffKind.UPDATE: DiffKind.UPDATE_REPLACE,
}


@dataclass(slots=True)
class Comparison:
    """The differences found so far, by property path."""

    detailed: dict[str, DiffKind] = field(default_factory=dict)
    replaces: set[str] = field(default_factory=set)

    def note(self, path: str, kind: DiffKind, *, is_replacing: bool = False) -> None:
        """Take down one difference."""
        self.detailed[path] = _REPLACING[kind] if is_replacing else kind
        if is_replacing:
            self.replaces.add(top_level(path))

    def result(self, ignore_changes: Sequence[str] = ()) -> DiffResult:
        """Sum up, leaving out what is to be ignored."""
        kept = {
            path: kind
            for path, kind in self.detailed.items()
            if not any(_is_under(path, ignored) for ignored in ignore_changes)
        }
        tops = {top_level(path) for path in kept}
        return DiffResult(
            changes=bool(kept),
            replaces=tuple(sorted(self.replaces & tops)),
            diffs=tuple(sorted(tops)),
            detailed=dict(sorted(kept.items())),
        )


def top_level(path: str) -> str:
    """Return the first key of a property path."""
    return re.split(r"[.\[]", path, maxsplit=1)[0]


def _is_under(path: str, ancestor: str) -> bool:
    return path == ancestor or path.startswith((f"{ancestor}.", f"{ancestor}["))


def child(path: str, key: str) -> str:
    """Append a key to a property path the way Pulumi writes paths."""
    if not path:
        return key
    return f"{path}.{key}" if _PLAIN_KEY.match(key) else f'{path}["{key}"]'


def compare(
    fields: Iterable[Field],
    state: Mapping[str, Value],
    news: Mapping[str, Value],
    found: Comparison,
    *,
    path: str = "",
    is_replacing: bool = False,
) -> None:
    """Take down every difference between a state and new inputs."""
    for entry in fields:
        if entry.is_output:
            continue
        _compare_field(
            entry,
            state.get(entry.name),
            news.get(entry.name),
            found,
            child(path, entry.name),
            is_replacing=is_replacing or _needs_new(entry, state, news),
        )


def _needs_new(entry: Field, state: Mapping[str, Value], news: Mapping[str, Value]) -> bool:
    """Return whether a change of this field needs a new resource."""
    old, new = state.get(entry.name), news.get(entry.name)
    if entry.kind is Kind.BLOCK:
        # A whole object comes or goes, and with it what cannot change in place; while it stays,
        # each of its fields says for itself whether it can.
        is_other = _is_there(entry, old) != _is_there(entry, new) or isinstance(new, Unknown)
        return is_other and (
            entry.is_force_new or _holds_fixed(entry, old) or _holds_fixed(entry, new)
        )
    if entry.kind is Kind.BLOCKS:
        is_other = len(items(old)) != len(items(new)) or isinstance(new, Unknown)
        return entry.is_force_new and is_other
    if entry.is_force_new:
        return True
    if entry.needs_new is None or new is None or isinstance(new, Unknown):
        return False
    return entry.needs_new(old, new)


def _is_there(entry: Field, value: Value) -> bool:
    return value is not None if entry.is_marker else not is_empty(value)


def _holds_fixed(entry: Field, value: Value) -> bool:
    if entry.kind is not Kind.BLOCK or not isinstance(value, Mapping):
        return entry.is_force_new and not is_empty(value)
    return any(_holds_fixed(inner, value.get(inner.name)) for inner in entry.fields)


def _compare_field(
    entry: Field, old: Value, new: Value, found: Comparison, path: str, *, is_replacing: bool
) -> None:
    if new is None:
        if (
            entry.is_computed
            or is_empty(old)
            or old == entry.absent
            or _means_same(entry, old, new)
        ):
            return
        found.note(path, DiffKind.DELETE, is_replacing=is_replacing)
    elif isinstance(new, Unknown):
        kind = DiffKind.ADD if old is None else DiffKind.UPDATE
        found.note(path, kind, is_replacing=is_replacing)
    elif old == new or (is_empty(old) and is_empty(new)) or _means_same(entry, old, new):
        return
    elif entry.kind is Kind.BLOCK and isinstance(old, Mapping):
        compare(entry.fields, old, mapping(new), found, path=path, is_replacing=is_replacing)
    elif entry.kind is Kind.BLOCKS and old:
        _compare_blocks(entry, old, new, found, path, is_replacing=is_replacing)
    elif entry.kind is Kind.MAP and isinstance(old, Mapping) and old:
        compare_maps(old, mapping(new), found, path, is_replacing=is_replacing)
    elif entry.kind is Kind.TEXTS and old:
        _compare_texts(items(old), items(new), found, path, is_replacing=is_replacing)
    else:
        kind = DiffKind.ADD if old is None or _is_collection(entry) else DiffKind.UPDATE
        found.note(path, kind, is_replacing=is_replacing)


def _is_collection(entry: Field) -> bool:
    return entry.kind not in (Kind.TEXT, Kind.FLAG, Kind.NUMBER)


def _means_same(entry: Field, old: Value, new: Value) -> bool:
    return entry.is_same is not None and entry.is_same(old, new)


def compare_maps(
    old: Mapping[str, Value],
    new: Mapping[str, Value],
    found: Comparison,
    path: str,
    *,
    is_replacing: bool = False,
) -> None:
    """Take down the differences of two maps, key by key."""
    for key in sorted((old.keys() | new.keys()) - {DEFAULTS_KEY}):
        where = child(path, key)
        if key not in new:
            found.note(where, DiffKind.DELETE, is_replacing=is_replacing)
        elif key not in old:
            found.note(where, DiffKind.ADD, is_replacing=is_replacing)
        elif old[key] != new[key]:
            found.note(where, DiffKind.UPDATE, is_replacing=is_replacing)


def _compare_blocks(
    entry: Field, old: Value, new: Value, found: Comparison, path: str, *, is_replacing: bool
) -> None:
    olds, news = items(old), items(new)
    for index in range(max(len(olds), len(news))):
        where = f"{path}[{index}]"
        if index >= len(news):
            found.note(where, DiffKind.DELETE, is_replacing=is_replacing)
        elif index >= len(olds):
            found.note(where, DiffKind.ADD, is_replacing=is_replacing)
        elif isinstance(news[index], Unknown):
            found.note(where, DiffKind.UPDATE, is_replacing=is_replacing)
        else:
            compare(
                entry.fields,
                mapping(olds[index]),
                mapping(news[index]),
                found,
                path=where,
                is_replacing=is_replacing,
            )


def _compare_texts(
    olds: Sequence[Value],
    news: Sequence[Value],
    found: Comparison,
    path: str,
    *,
    is_replacing: bool,
) -> None:
    for index in range(max(len(olds), len(news))):
        where = f"{path}[{index}]"
        if index >= len(news):
            found.note(where, DiffKind.DELETE, is_replacing=is_replacing)
        elif index >= len(olds):
            found.note(where, DiffKind.ADD, is_replacing=is_replacing)
        elif olds[index] != news[index]:
            found.note(where, DiffKind.UPDATE, is_replacing=is_replacing)
