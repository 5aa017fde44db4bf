"""Which compatible recommendations are worth the most: `strategy: optimal`.

Priority tiers come first: no gain in a lower one pays for a loss in a higher one. Within a tier,
savings count, then the number of recommendations. Each group of recommendations that conflict with
or need each other is a problem of its own for an exact solver (HiGHS). What it has not proved when
the time is over is kept only where that is better than the documented order.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from orchestration.coordination.conflicts.lineup import Lineup
from orchestration.coordination.model import MAX_PRIORITY, Gain, Recommendation, WouldFlip
from orchestration.coordination.resolution import Fate

# How far rounding may be off, as a part of the largest savings of a tier.
TOLERANCE: Final = 1e-6
# A claim about more recommendations than this would explain nothing.
MOST_NEEDS: Final = 16

Worth = tuple[tuple[float, int], ...]
"""Savings and number of what is kept of each tier, the highest priority first."""


@dataclass(frozen=True, slots=True)
class Solution:
    """The best set that was found, and what it is worth beside the documented order's."""

    fates: Sequence[Fate]
    gain: Gain


@dataclass(frozen=True, slots=True)
class _Problem:
    """What can be kept together: rivals exclude each other, dependents need what they name."""

    items: Sequence[Recommendation]
    rivals: Mapping[int, Sequence[int]]
    dependencies: Mapping[int, tuple[int, ...]]
    hopeless: Collection[int]

    def worth(self, places: Sequence[int], kept: Collection[int]) -> Worth:
        """Say what a choice among places is worth."""
        return tuple(
            (
                sum(_savings(self.items[place]) for place in tier if place in kept),
                sum(place in kept for place in tier),
            )
            for tier in self.tiers(places)
        )

    def tiers(self, places: Sequence[int]) -> list[list[int]]:
        """Part places by priority, the highest first."""
        by_priority: dict[int, list[int]] = {}
        for place in places:
            by_priority.setdefault(self.items[place].priority, []).append(place)
        return [by_priority[priority] for priority in sorted(by_priority, reverse=True)]

    def groups(self) -> Iterator[list[int]]:
        """Yield the places that hang together, in groups in which something is to be decided."""
        neighbours: dict[int, set[int]] = {}
        for place, others in (*self.rivals.items(), *self.dependencies.items()):
            for other in others:
                neighbours.setdefault(place, set()).add(other)
                neighbours.setdefault(other, set()).add(place)
        seen: set[int] = set()
        for start in sorted(neighbours):
            if start in seen:
                continue
            group, waiting = [], [start]
            seen.add(start)
            while waiting:
                place = waiting.pop()
                group.append(place)
                new = neighbours[place] - seen
                seen |= new
                waiting.extend(new)
            yield sorted(group)


def best(
    lineup: Lineup,
    rivals: Mapping[int, Sequence[int]],
    hopeless: Collection[int],
    documented: Sequence[Fate],
    *,
    time_limit_s: float,
) -> Solution:
    """Find the compatible set that is worth the most; never one that is worth less than documented.

    Args:
        lineup: the recommendations.
        rivals: the places that each one is in conflict with.
        hopeless: those that cannot be kept whatever becomes of the others.
        documented: what the winner order of document 004 keeps.
        time_limit_s: how long is looked for something better.
    """
    problem = _Problem(lineup.items, rivals, lineup.dependencies, frozenset(hopeless))
    ends_at = time.monotonic() + time_limit_s
    kept = {place for place, fate in enumerate(documented) if fate is Fate.KEPT}
    before = set(kept)
    is_proved = True
    for group in problem.groups():
        found, is_best = _solve(problem, group, ends_at)
        is_proved = is_proved and is_best
        known = before.intersection(group)
        if found is not None and _is_better(
            problem.worth(group, found), problem.worth(group, known)
        ):
            kept = kept.difference(group) | found
    fates = [Fate.KEPT if place in kept else Fate.DISCARDED for place in range(len(documented))]
    return Solution(fates, _gain(lineup.items, kept, before, is_proved=is_proved))


class OptimalExplanation:
    """Answers why, and what if, where the best set was looked for.

    A recommendation that is alone in the highest tier is kept if it can be kept at all: that is
    what the claims rest on.
    """

    def __init__(
        self,
        lineup: Lineup,
        rivals: Mapping[int, Sequence[int]],
        hopeless: Mapping[int, str],
        fates: Sequence[Fate],
    ) -> None:
        self._items = lineup.items
        self._dependencies = lineup.dependencies
        self._rivals = rivals
        self._hopeless = hopeless
        self._fates = fates
        highest = max((item.priority for item in lineup.items), default=0)
        self._above_all = highest + 1 if highest < MAX_PRIORITY else None

    def reason(self, place: int) -> str:
        """Say why the recommendation was kept or discarded."""
        rivals = self._rivals.get(place, ())
        if self._fates[place] is Fate.KEPT:
            if not rivals:
                return "kept: nothing conflicts with it"
            return "kept: it belongs to the compatible set that is worth the most"
        if place in self._hopeless:
            return f"discarded: {self._hopeless[place]}"
        winner = next((rival for rival in rivals if self._fates[rival] is Fate.KEPT), None)
        if winner is not None:
            return f"discarded: the set with {self._items[winner].id} is worth more"
        for dependency in self._dependencies.get(place, ()):
            if self._fates[dependency] is Fate.DISCARDED:
                return f"discarded: it needs {self._items[dependency].id}, which was discarded"
        return "discarded: the compatible set that is worth the most goes without it"

    def would_flip(self, place: int) -> WouldFlip | None:
        """Name a change that would turn the outcome around; None when there is none to name."""
        if self._above_all is None:
            return None
        item = self._items[place]
        if self._fates[place] is Fate.KEPT:
            if not item.affected_resources:
                return None
            resource = min(item.affected_resources)
            return WouldFlip(
                text=f"It would be discarded if one more recommendation on {resource} had priority"
                f" {self._above_all}",
                rival_on=resource,
                rival_priority=self._above_all,
            )
        if not self._can_be_kept(place):
            return None
        return WouldFlip(
            text=f"It would be kept if {item.id} had priority {self._above_all}",
            set_priority={item.id: self._above_all},
        )

    def _can_be_kept(self, place: int) -> bool:
        """Say whether a recommendation and all that it needs can be kept together."""
        found = [place]
        for member in found:
            if member in self._hopeless or len(found) > MOST_NEEDS:
                return False
            found.extend(n for n in self._dependencies.get(member, ()) if n not in found)
        among = set(found)
        return all(among.isdisjoint(self._rivals.get(member, ())) for member in found)


def _solve(problem: _Problem, group: list[int], ends_at: float) -> tuple[set[int] | None, bool]:
    """Find the best of a group, tier by tier; says whether it was proved to be."""
    from orchestration.coordination.solving import Choice  # noqa: PLC0415 - the solver takes a second to import, and only this strategy needs it

    choice = Choice(group, problem.rivals, problem.dependencies, problem.hopeless)
    kept: set[int] | None = None
    for tier in problem.tiers(group):
        largest = max(_savings(problem.items[place]) for place in tier)
        for weights in (
            {p: _savings(problem.items[p]) / largest for p in tier} if largest else {},
            dict.fromkeys(tier, 1.0),
        ):
            if not weights:
                continue
            left_s = ends_at - time.monotonic()
            found = choice.maximize(weights, left_s) if left_s > 0 else None
            if found is None:
                return kept, False
            kept = found.kept
            if not found.is_proved:
                return kept, False
            # What comes later must not cost anything of this.
            choice.require(weights, found.value - TOLERANCE)
    return kept, True


def _is_better(found: Worth, known: Worth) -> bool:
    """Compare tier by tier; what rounding alone could explain is no difference."""
    for (savings, count), (known_savings, known_count) in zip(found, known, strict=True):
        allowed = TOLERANCE * max(abs(savings), abs(known_savings))
        if abs(savings - known_savings) > allowed:
            return savings > known_savings
        if count != known_count:
            return count > known_count
    return False


def _gain(
    items: Sequence[Recommendation],
    kept: Collection[int],
    before: Collection[int],
    *,
    is_proved: bool,
) -> Gain:
    def savings(places: Collection[int]) -> float:
        return sum(items[place].estimated_savings for place in sorted(places))

    return Gain(
        savings=savings(kept),
        documented_savings=savings(before),
        gained_savings=savings(kept) - savings(before),
        kept=len(kept),
        documented_kept=len(before),
        is_proved=is_proved,
    )


def _savings(item: Recommendation) -> float:
    # One that costs something is worth having for another reason: it counts by its presence.
    return max(0.0, item.estimated_savings)
