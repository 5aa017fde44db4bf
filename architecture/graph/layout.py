"""Where everything of a drawing is: boxes that never overlap, lines that pass between them.

Columns are the same in all bands, and the gaps between columns hold nothing but lines: a line that
changes its height does so in a gap, and crosses a column only in a slot of its own.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Final

from architecture.graph.layers import Columns, Route, Slot, columns_of
from architecture.graph.system import Edge, Group, Node, SystemGraph

MARGIN: Final = 24
TITLE_HEIGHT: Final = 52
HEADER_HEIGHT: Final = 38
NODE_HEIGHT: Final = 44
_LINE_HEIGHT: Final = 10
_GAP: Final = 16
_COLUMN_GAP: Final = 76
_BAND_GAP: Final = 22
_PADDING: Final = 20
_LONGEST_LABEL: Final = 40
# Wider than proportional fonts of 13 px draw ordinary text, so that no label leaves its box.
_CHARACTER_WIDTH: Final = 7.8
_SWEEPS: Final = 8

Rows = Mapping[str, float]
"""How far below its band's first line each slot's middle is."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle by its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.y + self.height

    @property
    def middle(self) -> float:
        """Half-way between its upper and lower edges."""
        return self.y + self.height / 2


@dataclass(frozen=True, slots=True)
class PlacedNode:
    """A node, its box, and its name as it fits into it."""

    node: Node
    box: Box
    label: str


@dataclass(frozen=True, slots=True)
class PlacedGroup:
    """A dataflow's band; its name stands in the upper left corner."""

    group: Group
    box: Box


@dataclass(frozen=True, slots=True)
class PlacedEdge:
    """An edge from its source to its target: it crosses gaps, and slots between them."""

    edge: Edge
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    """All places, and the size of the whole."""

    nodes: tuple[PlacedNode, ...]
    groups: tuple[PlacedGroup, ...]
    edges: tuple[PlacedEdge, ...]
    width: float
    height: float


def lay_out(graph: SystemGraph) -> Drawing:
    """Return where everything of a graph is drawn; the same graph is always drawn the same."""
    columns = columns_of(graph)
    nodes = {node.id: node for node in graph.nodes}
    cells = _cells(columns, nodes)
    titles = (MARGIN + 2 * _PADDING + text_width(label(group.name)) for group in graph.groups)
    right = max([*(cell.right + _PADDING for cell in cells.values()), *titles], default=0.0)
    boxes: dict[str, Box] = {}
    groups: list[PlacedGroup] = []
    top = float(MARGIN + TITLE_HEIGHT)
    for group, rows in zip(graph.groups, _rows(columns, len(graph.groups)), strict=True):
        placed = _band(cells, rows, top + HEADER_HEIGHT)
        boxes |= placed
        bottom = max((box.bottom for box in placed.values()), default=top + HEADER_HEIGHT)
        box = Box(MARGIN, top, right - MARGIN, bottom + _PADDING - top)
        groups.append(PlacedGroup(group, box))
        top = box.bottom + _BAND_GAP
    return Drawing(
        nodes=tuple(PlacedNode(n, boxes[n.id], label(n.name)) for n in nodes.values()),
        groups=tuple(groups),
        edges=tuple(_placed_edge(route, boxes) for route in columns.routes),
        width=right + MARGIN,
        height=top,
    )


def label(name: str) -> str:
    """Return a name as it is shown: a long one without its middle."""
    if len(name) <= _LONGEST_LABEL:
        return name
    half = (_LONGEST_LABEL - 1) // 2
    return f"{name[:half]}…{name[-half:]}"


def text_width(text: str) -> float:
    """Return how wide a text is at most; letters of East Asia take twice the room."""
    wide = sum(unicodedata.east_asian_width(letter) in {"F", "W"} for letter in text)
    return (len(text) + wide) * _CHARACTER_WIDTH


def _spans(columns: Columns, nodes: Mapping[str, Node]) -> list[tuple[float, float]]:
    """Return each column's left and right edge; its widest label fits."""
    spans: list[tuple[float, float]] = []
    left = float(MARGIN + _PADDING)
    for slots in columns.slots:
        shown = (nodes[slot.key] for slot in slots if slot.is_node)
        texts = [text for node in shown for text in (label(node.name), f"{node.kind} {node.note}")]
        right = left + max(map(text_width, texts), default=0.0) + 2 * _PADDING
        spans.append((left, right))
        left = right + _COLUMN_GAP
    return spans


def _band(cells: Mapping[str, Box], rows: Rows, top: float) -> dict[str, Box]:
    """Move the cells of a band to their rows."""
    return {key: replace(cells[key], y=cells[key].y + top + row) for key, row in rows.items()}


def _cells(columns: Columns, nodes: Mapping[str, Node]) -> dict[str, Box]:
    """Return every slot's box as if its middle were on the first line."""
    cells: dict[str, Box] = {}
    for (left, right), slots in zip(_spans(columns, nodes), columns.slots, strict=True):
        for slot in slots:
            height = _height(slot)
            cells[slot.key] = Box(left, -height / 2, right - left, height)
    return cells


def _placed_edge(route: Route, boxes: Mapping[str, Box]) -> PlacedEdge:
    first, *passed, last = (boxes[key] for key in route.slots)
    points = [(first.right, first.middle)]
    for box in passed:
        points += [(box.x, box.middle), (box.right, box.middle)]
    points.append((last.x, last.middle))
    return PlacedEdge(route.edge, tuple(reversed(points) if route.turned else points))


def _rows(columns: Columns, bands: int) -> list[Rows]:
    """Return the rows of every band: slots close to their neighbours, none on another."""
    stacks: list[dict[int, list[Slot]]] = []
    middle: dict[str, float] = {}
    for slots in columns.slots:
        by_band: dict[int, list[Slot]] = defaultdict(list)
        for slot in slots:
            by_band[slot.band].append(slot)
        stacks.append(by_band)
        for stack in by_band.values():
            offsets = _offsets(stack)
            middle |= {s.key: at - offsets[-1] / 2 for s, at in zip(stack, offsets, strict=True)}
    band_of = {slot.key: slot.band for slots in columns.slots for slot in slots}
    for sweep in range(_SWEEPS):
        forwards = sweep % 2 == 0
        neighbours = columns.before if forwards else columns.after
        for by_band in stacks if forwards else reversed(stacks):
            for band, stack in by_band.items():
                wanted = []
                for slot in stack:
                    near = [middle[k] for k in neighbours[slot.key] if band_of[k] == band]
                    wanted.append(sum(near) / len(near) if near else middle[slot.key])
                placed = _spread(wanted, _offsets(stack))
                middle |= {s.key: at for s, at in zip(stack, placed, strict=True)}
    return [dict(_from_top(stacks, middle, band)) for band in range(bands)]


def _from_top(
    stacks: Sequence[Mapping[int, Sequence[Slot]]], middle: Rows, band: int
) -> Iterator[tuple[str, float]]:
    slots = [slot for by_band in stacks for slot in by_band.get(band, ())]
    top = min((middle[slot.key] - _height(slot) / 2 for slot in slots), default=0.0)
    for slot in slots:
        yield slot.key, round(middle[slot.key] - top, 1)


def _offsets(stack: Sequence[Slot]) -> list[float]:
    """Return how far below the first one's middle each slot's is when they are stacked closely."""
    steps = [(_height(upper) + _height(lower)) / 2 + _GAP for upper, lower in pairwise(stack)]
    return list(accumulate(steps, initial=0.0))


def _spread(wanted: Sequence[float], offsets: Sequence[float]) -> list[float]:
    """Return the places nearest to those wanted that keep order and distances.

    Least squares under order constraints: neighbours that would collide are pooled until none do.
    """
    pools: list[tuple[float, int]] = []
    for place, offset in zip(wanted, offsets, strict=True):
        total, count = place - offset, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            above, members = pools.pop()
            total, count = total + above, count + members
        pools.append((total, count))
    starts = [total / count for total, count in pools for _ in range(count)]
    return [start + offset for start, offset in zip(starts, offsets, strict=True)]


def _height(slot: Slot) -> float:
    return NODE_HEIGHT if slot.is_node else _LINE_HEIGHT
