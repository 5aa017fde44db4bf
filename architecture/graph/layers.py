"""Columns and rows of a drawing: what feeds something stands to the left of it.

Sugiyama's method: break cycles, assign columns, give long edges a slot in every column that they
pass, then order each column so that few edges cross. Sizes and places are `layout`'s business.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import pairwise

from architecture.graph.system import Edge, EdgeKind, NodeKind, SystemGraph

_SWEEPS = 6
_CALLERS = frozenset({NodeKind.DIRECTOR, NodeKind.SERVICE, NodeKind.SCHEDULE})


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a column of a band: a node's, or that of a long edge passing by."""

    key: str
    band: int
    is_node: bool


@dataclass(frozen=True, slots=True)
class Route:
    """The slots that an edge connects, from left to right; `turned` when it points left."""

    edge: Edge
    slots: tuple[str, ...]
    turned: bool


@dataclass(slots=True)
class Columns:
    """The slots of every column, from top to bottom, and how edges run through them."""

    slots: list[list[Slot]]
    routes: list[Route]
    before: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    after: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def columns_of(graph: SystemGraph) -> Columns:
    """Return the columns of a graph; every group is a band, above or below the others."""
    band_of = {node.id: band for band, group in enumerate(graph.groups) for node in group.nodes}
    edges = [edge for edge in graph.edges if edge.source != edge.target]
    callers = {node.id for node in graph.nodes if node.kind in _CALLERS}
    sequence = _sequence(list(band_of), callers, _one_way(edges))
    rank = {node_id: place for place, node_id in enumerate(sequence)}
    column_of = _assign(rank, edges)
    columns = Columns([[] for _ in range(max(column_of.values(), default=-1) + 1)], [])
    for node_id, band in band_of.items():
        columns.slots[column_of[node_id]].append(Slot(node_id, band, is_node=True))
    for edge in edges:
        turned = rank[edge.source] > rank[edge.target]
        _thread(columns, edge, column_of, band_of, turned=turned)
    _reduce_crossings(columns)
    return columns


def _one_way(edges: Sequence[Edge]) -> list[Edge]:
    """Return the edges without those that lead back: a service stands left of what it reads again.

    A service that writes and reads one bucket is no reason to turn anything else.
    """
    writes = {(edge.source, edge.target) for edge in edges if edge.kind is EdgeKind.WRITES}
    return [edge for edge in edges if (edge.target, edge.source) not in writes]


def _sequence(
    node_ids: Sequence[str], callers: AbstractSet[str], edges: Iterable[Edge]
) -> list[str]:
    """Return the nodes so that as many edges as possible lead forwards, those with data first."""
    after: dict[str, list[Edge]] = defaultdict(list)
    data, calls = dict.fromkeys(node_ids, 0), dict.fromkeys(node_ids, 0)
    for edge in edges:
        after[edge.source].append(edge)
        (data if edge.kind.carries_data else calls)[edge.target] += 1
    place = {node_id: number for number, node_id in enumerate(node_ids)}
    ready = [place[node_id] for node_id in node_ids if not data[node_id] + calls[node_id]]
    heapq.heapify(ready)
    waiting = dict.fromkeys(node_ids)
    done: list[str] = []
    while waiting:
        if ready:
            chosen = node_ids[heapq.heappop(ready)]
        else:
            # A cycle is entered at the service that waits for least.
            chosen = min(waiting, key=lambda n: (n not in callers, data[n], calls[n]))
        if chosen not in waiting:
            continue
        del waiting[chosen]
        done.append(chosen)
        for edge in after[chosen]:
            (data if edge.kind.carries_data else calls)[edge.target] -= 1
            if edge.target in waiting and not data[edge.target] + calls[edge.target]:
                heapq.heappush(ready, place[edge.target])
    return done


def _assign(rank: Mapping[str, int], edges: Iterable[Edge]) -> dict[str, int]:
    """Return each node's column: right of all that lead to it, and close to what it leads to."""
    before, after = defaultdict(list), defaultdict(list)
    for edge in edges:
        first, second = sorted((edge.source, edge.target), key=rank.__getitem__)
        before[second].append(first)
        after[first].append(second)
    column: dict[str, int] = {}
    for node_id in sorted(rank, key=rank.__getitem__):
        column[node_id] = max((column[other] + 1 for other in before[node_id]), default=0)
    for node_id in sorted(rank, key=rank.__getitem__, reverse=True):
        # What has no more before it than behind it moves up to what it leads to.
        if after[node_id] and len(before[node_id]) <= len(after[node_id]):
            column[node_id] = min(column[other] for other in after[node_id]) - 1
    return column


def _thread(
    columns: Columns,
    edge: Edge,
    column_of: Mapping[str, int],
    band_of: Mapping[str, int],
    *,
    turned: bool,
) -> None:
    """Lead an edge through every column between its ends, in the band of its left end."""
    left, right = (edge.target, edge.source) if turned else (edge.source, edge.target)
    keys = [left]
    for column in range(column_of[left] + 1, column_of[right]):
        key = f"{edge.source}>{edge.target}>{edge.kind}@{column}"
        columns.slots[column].append(Slot(key, band_of[left], is_node=False))
        keys.append(key)
    keys.append(right)
    columns.routes.append(Route(edge, tuple(keys), turned))
    for first, second in pairwise(keys):
        columns.after[first].append(second)
        columns.before[second].append(first)


def _reduce_crossings(columns: Columns) -> None:
    """Order every column by where its neighbours are, to and fro; bands stay apart."""
    for slots in columns.slots:
        slots.sort(key=lambda slot: slot.band)
    place = {slot.key: float(row) for slots in columns.slots for row, slot in enumerate(slots)}
    for sweep in range(_SWEEPS):
        forwards = sweep % 2 == 0
        neighbours = columns.before if forwards else columns.after
        for slots in columns.slots if forwards else reversed(columns.slots):
            wanted = {
                slot.key: _mean([place[key] for key in neighbours[slot.key]], place[slot.key])
                for slot in slots
            }
            slots.sort(key=lambda slot: (slot.band, wanted[slot.key], place[slot.key]))
            for row, slot in enumerate(slots):
                place[slot.key] = float(row)


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
