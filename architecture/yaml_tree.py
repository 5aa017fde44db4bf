"""YAML text as a tree in which every node knows its place.

Built from parser events without recursion and with budgets, so that no text can exhaust the
machine. What the nodes mean is the business of `architecture.binding`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import yaml

from architecture.findings import shown

MAX_DEPTH: Final = 50
"""Nesting beyond this is no architecture."""
MAX_NODES: Final = 1_000_000
"""Nodes after aliases are expanded; a file with 3,000 services has some 200,000."""

_CORE_TAG_PREFIX = "tag:yaml.org,2002:"
_CORE_TAGS = frozenset(
    _CORE_TAG_PREFIX + kind for kind in ("str", "int", "float", "bool", "null", "map", "seq")
)
# The fast parser is part of PyYAML's wheels; the slow one understands the same texts.
_PARSER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class UnreadableYaml(Exception):  # noqa: N818 - named after what it reports, not a mishap
    """The text is not YAML that we read; it has a rule id, a place and a way out."""

    def __init__(self, rule: str, line: int, column: int, message: str, fix: str) -> None:
        super().__init__(message)
        self.rule, self.line, self.column, self.message, self.fix = rule, line, column, message, fix


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value, as its text; `is_plain` when written without quotes.

    `start` and `end` are where it stands in the file's text, as a slice; -1 where an anchor or a
    tag stands with it.
    """

    text: str
    is_plain: bool
    line: int
    column: int
    size: int = 1
    start: int = -1
    end: int = -1

    @property
    def is_null(self) -> bool:
        """Whether the text stands for no value."""
        return self.is_plain and self.text in {"", "~", "null", "Null", "NULL"}


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list of nodes."""

    items: tuple[Node, ...]
    line: int
    column: int
    size: int


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and their nodes, in the file's order and with duplicates."""

    entries: tuple[tuple[Scalar, Node], ...]
    line: int
    column: int
    size: int


Node = Scalar | Sequence | Mapping


@dataclass(slots=True)
class _Open:
    """A collection that is still being read."""

    is_mapping: bool
    anchor: str | None
    line: int
    column: int
    children: list[Node]
    size: int = 1


def parse(text: str) -> Node | None:
    """Return the tree of a YAML document; None when it holds nothing.

    Raises:
        UnreadableYaml: the text is not YAML, holds several documents, or is too big to expand.
    """
    composer = _Composer()
    try:
        for event in yaml.parse(text, Loader=_PARSER):
            composer.take(event)
    except yaml.MarkedYAMLError as error:
        place = _error_place(error, text)
        raise UnreadableYaml(
            "yaml-syntax", *place, _problem(error), "check indentation, quotes and colons"
        ) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise UnreadableYaml(
            "yaml-syntax", 0, 0, "the text holds a character that YAML does not allow", "remove it"
        ) from error
    return composer.root


def _error_place(error: yaml.MarkedYAMLError, text: str) -> tuple[int, int]:
    """Return where the error is: for one at the text's end, where what is unfinished starts."""
    lines = text.rstrip().splitlines() or [""]
    for mark in (error.problem_mark, error.context_mark):
        if mark and mark.line < len(lines):
            return mark.line + 1, mark.column + 1
    return len(lines), len(lines[-1]) + 1


def _problem(error: yaml.MarkedYAMLError) -> str:
    parts = (error.context, error.problem)
    return "not valid YAML: " + ", ".join(part for part in parts if part)


class _Composer:
    """Makes nodes of parser events."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self._documents = 0
        self._open: list[_Open] = []
        self._anchors: dict[str, Node] = {}

    def take(self, event: yaml.Event) -> None:
        """Take the next event."""
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise _refused(event, "several-documents", "a second document", "keep one")
            case yaml.AliasEvent():
                self._add(self._aliased(event), None, event)
            case yaml.ScalarEvent():
                self._check_tag(event)
                event.value.encode()  # The slow parser lets half a surrogate pair through.
                line, column = _place(event)
                start, end = _span(event)
                plain = _is_plain(event)
                scalar = Scalar(event.value, plain, line, column, start=start, end=end)
                self._add(scalar, event.anchor, event)
            case yaml.CollectionStartEvent():
                self._begin(event)
            case yaml.CollectionEndEvent():
                opened = self._open.pop()
                self._add(_closed(opened), opened.anchor, event)
            case _:
                pass

    def _begin(self, event: yaml.CollectionStartEvent) -> None:
        self._check_tag(event)
        if len(self._open) >= MAX_DEPTH:
            message = f"nested deeper than {MAX_DEPTH} levels"
            raise _refused(event, "too-deep", message, "an architecture needs fewer than ten")
        line, column = _place(event)
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        self._open.append(_Open(is_mapping, event.anchor, line, column, []))

    def _add(self, node: Node, anchor: str | None, event: yaml.Event) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        is_key = parent.is_mapping and len(parent.children) % 2 == 0
        if is_key and not isinstance(node, Scalar):
            raise _refused(event, "wrong-type", "a key must be a single text", "write `key: value`")
        parent.children.append(node)
        parent.size += node.size
        if parent.size > MAX_NODES:
            message = f"aliases expand to more than {MAX_NODES:,} nodes"
            raise _refused(event, "alias-expansion", message, "write the values out")

    def _aliased(self, event: yaml.AliasEvent) -> Node:
        name = str(event.anchor)
        if any(opened.anchor == name for opened in self._open):
            message = f"the alias {shown(name)} contains itself"
            raise _refused(event, "alias-expansion", message, "write the values out")
        if name not in self._anchors:
            message = f"the alias {shown(name)} has no anchor above it"
            raise _refused(event, "yaml-syntax", message, f"mark the value with &{name[:30]}")
        return self._anchors[name]

    def _check_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.tag not in _CORE_TAGS | {None, "!"}:
            message = f"the tag {shown(str(event.tag))} means nothing here"
            raise _refused(event, "yaml-tag", message, "remove it")


def _closed(opened: _Open) -> Node:
    place = (opened.line, opened.column, opened.size)
    if not opened.is_mapping:
        return Sequence(tuple(opened.children), *place)
    return Mapping(tuple(_with_merges(_pairs(opened.children))), *place)


def _pairs(children: list[Node]) -> Iterator[tuple[Scalar, Node]]:
    for key, value in zip(children[::2], children[1::2], strict=True):
        assert isinstance(key, Scalar)
        yield key, value


def _with_merges(pairs: Iterator[tuple[Scalar, Node]]) -> Iterator[tuple[Scalar, Node]]:
    """Put the entries of `<<: *anchor` after the mapping's own, which win over them."""
    merged: list[Node] = []
    seen: set[str] = set()
    for key, value in pairs:
        if key.is_plain and key.text == "<<" and not isinstance(value, Scalar):
            merged += value.items if isinstance(value, Sequence) else [value]
        else:
            seen.add(key.text)
            yield key, value
    for source in merged:
        if isinstance(source, Mapping):
            yield from ((k, v) for k, v in source.entries if k.text not in seen)
            seen |= {key.text for key, _ in source.entries}


def _is_plain(event: yaml.ScalarEvent) -> bool:
    return event.style in {None, ""} and event.tag is None


def _place(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (0, 0)


def _span(event: yaml.ScalarEvent) -> tuple[int, int]:
    if event.anchor or event.tag or not event.start_mark or not event.end_mark:
        return -1, -1
    return event.start_mark.index, event.end_mark.index


def _refused(event: yaml.Event, rule: str, message: str, fix: str) -> UnreadableYaml:
    return UnreadableYaml(rule, *_place(event), message, fix)


def locate(root: Node | None, path: tuple[str | int, ...]) -> tuple[int, int]:
    """Return line and column of what the path leads to, or of the last step that exists.

    A mapping or list is found at the key that opens it.
    """
    place = (root.line, root.column) if root else (0, 0)
    node: Node | None = root
    for step in path:
        found: Node | None = None
        if isinstance(node, Mapping):
            for key, value in node.entries:
                if key.text == step:
                    place, found = (key.line, key.column), value
        elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
            found = node.items[step]
            place = (found.line, found.column)
        if found is None:
            return place
        node = found
        if isinstance(node, Scalar) and not node.is_null:
            place = (node.line, node.column)
    return place
