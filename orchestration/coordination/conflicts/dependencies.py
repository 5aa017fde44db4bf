"""What follows from dependencies: circles, and everything that must run before something."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

Graph = Mapping[int, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class DependencyGraph:
    """Circles, and for each place with dependencies the set (as bits) of what comes first."""

    cycles: tuple[frozenset[int], ...]
    before: Mapping[int, int]

    @classmethod
    def of(cls, graph: Graph) -> DependencyGraph:
        """Follow all dependencies once, however deep they go."""
        cycles: list[frozenset[int]] = []
        before: dict[int, int] = {}
        for component in components(graph):
            bits = 0
            for place in component:
                for dependency in graph.get(place, ()):
                    bits |= 1 << dependency | before.get(dependency, 0)
            if bits:
                before.update(dict.fromkeys(component, bits))
            first = component[0]
            if len(component) > 1 or first in graph.get(first, ()):
                cycles.append(frozenset(component))
        return cls(tuple(cycles), before)

    def comes_before(self, place: int, dependent: int) -> bool:
        """Whether `dependent` needs `place`, directly or through others."""
        bits = self.before.get(dependent)
        return bits is not None and bool(bits >> place & 1)


def cycle_path(graph: Graph, members: frozenset[int], start: int) -> list[int]:
    """Give a shortest way from `start` through `members` back to it, without its end."""
    came_from: dict[int, int] = {}
    waiting = deque([start])
    while waiting:
        place = waiting.popleft()
        for following in graph.get(place, ()):
            if following == start:
                path = [place]
                while path[-1] != start:
                    path.append(came_from[path[-1]])
                return path[::-1]
            if following in members and following not in came_from:
                came_from[following] = place
                waiting.append(following)
    raise AssertionError("every member of a circle leads back to itself")


def components(graph: Graph) -> Iterator[list[int]]:
    """Give groups of places that need one another, those needed first (Tarjan's algorithm)."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    on_stack: set[int] = set()
    for root in graph:
        if root in index:
            continue
        trail: list[tuple[int, Iterator[int]]] = []
        entering: int | None = root
        while entering is not None or trail:
            if entering is not None:
                index[entering] = low[entering] = len(index)
                stack.append(entering)
                on_stack.add(entering)
                trail.append((entering, iter(graph.get(entering, ()))))
                entering = None
            place, remaining = trail[-1]
            for following in remaining:
                if following not in index:
                    entering = following
                    break
                if following in on_stack:
                    low[place] = min(low[place], index[following])
            else:
                trail.pop()
                if trail:
                    low[trail[-1][0]] = min(low[trail[-1][0]], low[place])
                if low[place] == index[place]:
                    component = _popped(stack, place)
                    on_stack.difference_update(component)
                    yield component


def _popped(stack: list[int], last: int) -> list[int]:
    found = [stack.pop()]
    while found[-1] != last:
        found.append(stack.pop())
    return found[::-1]
