"""Which recommendations touch the same resources, found through an index of the resources."""

from __future__ import annotations

from itertools import combinations, product

from orchestration.coordination.conflicts.lineup import Lineup
from orchestration.coordination.errors import Category, Problem, RequestRefused
from orchestration.coordination.rules import ResourceTree


def shared_resources(
    lineup: Lineup, tree: ResourceTree, max_overlaps: int
) -> dict[tuple[int, int], list[str]]:
    """Give what each pair shares: the same resource, or one that lies within the other's.

    The work grows with the number of overlaps, which is the size of the answer.

    Raises:
        RequestRefused: there are more than `max_overlaps`.
    """
    touching: dict[str, list[int]] = {}
    for place, item in enumerate(lineup.items):
        for resource in set(item.affected_resources):
            touching.setdefault(resource, []).append(place)
    within = _containments(touching, tree)
    _refuse_too_many(touching, within, max_overlaps)
    shared: dict[tuple[int, int], list[str]] = {}
    for resource, places in touching.items():
        for pair in combinations(places, 2):
            if pair in shared:
                shared[pair].append(resource)
            else:
                shared[pair] = [resource]
    for resource, outer in within:
        label = f"{resource} (in {outer})"
        for inside, outside in product(touching[resource], touching[outer]):
            if inside != outside:
                pair = (min(inside, outside), max(inside, outside))
                shared.setdefault(pair, []).append(label)
    return shared


def _containments(touching: dict[str, list[int]], tree: ResourceTree) -> list[tuple[str, str]]:
    if not tree.parents:
        return []
    return [
        (resource, outer)
        for resource in touching
        for outer in sorted(tree.ancestors(resource))
        if outer in touching
    ]


def _refuse_too_many(
    touching: dict[str, list[int]], within: list[tuple[str, str]], limit: int
) -> None:
    count = sum(len(places) * (len(places) - 1) // 2 for places in touching.values())
    count += sum(len(touching[inner]) * len(touching[outer]) for inner, outer in within)
    if count > limit:
        busiest = min(touching, key=lambda resource: (-len(touching[resource]), resource))
        message = (
            f"the recommendations overlap {count} times, more than {limit} "
            f"({len(touching[busiest])} of them on {busiest!r}); send fewer at a time"
        )
        problem = Problem(
            Category.TOO_LARGE, "too-many-conflicts", message, field="recommendations"
        )
        raise RequestRefused([problem])
