"""Which recommendations are kept.

A recommendation is kept when everything that it needs is kept and nothing that is kept beats it.
So a loser never eliminates anything, and what needs a discarded one goes with it. The definition
is solved by following what is certain. Where it only leads in circles (a keeps b away, b what a
needs, ...), the strongest that is open is tried: it is kept if what follows supports it, else
discarded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Final

# How far the consequences of a trial are followed before it counts as failed: bounds the work
# that a request made to be difficult can cause.
TRIAL_STEPS: Final = 512


class Fate(IntEnum):
    """What is known about a recommendation."""

    OPEN = 0
    KEPT = 1
    DISCARDED = 2


class _TrialFailed(Exception):  # noqa: N818 - a turn of the search, not an error
    """What was tried cannot be, or takes too long to follow."""


def resolve(
    count: int,
    rivals: Mapping[int, Sequence[int]],
    dependencies: Mapping[int, tuple[int, ...]],
    hopeless: Collection[int],
) -> list[Fate]:
    """Decide on `count` places, the strongest first.

    Args:
        count: how many there are.
        rivals: the places that each one is in conflict with.
        dependencies: the places that each one needs.
        hopeless: those that cannot be kept whatever becomes of the others.
    """
    return _Resolver(count, rivals, dependencies, hopeless).run()


class _Resolver:
    def __init__(
        self,
        count: int,
        rivals: Mapping[int, Sequence[int]],
        dependencies: Mapping[int, tuple[int, ...]],
        hopeless: Collection[int],
    ) -> None:
        self.fates = [Fate.OPEN] * count
        self.hopeless = frozenset(hopeless)
        self.rivals = rivals
        self.dependencies = dependencies
        self.dependents: dict[int, list[int]] = {}
        for place, needed in dependencies.items():
            for dependency in needed:
                self.dependents.setdefault(dependency, []).append(place)
        # How many dependencies are not kept yet, and how many stronger rivals not discarded yet.
        self.missing = [len(dependencies.get(place, ())) for place in range(count)]
        self.threats = [0] * count
        for place, others in rivals.items():
            self.threats[place] = sum(other < place for other in others)

    def run(self) -> list[Fate]:
        for place in sorted(self.hopeless):
            self._settle([(place, Fate.DISCARDED)])
        for place in range(len(self.fates)):
            if self._is_certain(place):
                self._settle([(place, Fate.KEPT)])
        for place in range(len(self.fates)):
            if self.fates[place] is Fate.OPEN and not self._try(place):
                self._settle([(place, Fate.DISCARDED)])
        return self.fates

    def _is_certain(self, place: int) -> bool:
        # A hopeless one may lose its last rival before its own turn comes: it is not kept for that.
        return (
            self.fates[place] is Fate.OPEN
            and place not in self.hopeless
            and not self.missing[place]
            and not self.threats[place]
        )

    def _settle(
        self,
        waiting: list[tuple[int, Fate]],
        *,
        limit: int | None = None,
        trail: list[int] | None = None,
    ) -> None:
        """Follow everything that is certain once `waiting` is.

        Raises:
            _TrialFailed: in a trial, when it contradicts itself or goes beyond the limit.
        """
        while waiting:
            place, fate = waiting.pop()
            if self.fates[place] is not Fate.OPEN:
                if trail is not None and self.fates[place] is not fate:
                    raise _TrialFailed
                continue
            self.fates[place] = fate
            if trail is not None:
                trail.append(place)
                if limit is not None and len(trail) > limit:
                    self._count(place, 1)
                    raise _TrialFailed
            self._count(place, 1)
            waiting.extend(self._consequences(place, fate))

    def _count(self, place: int, sign: int) -> None:
        """Note (or, with -1, take back) what a fate means to the neighbours' counts."""
        if self.fates[place] is Fate.KEPT:
            for other in self.dependents.get(place, ()):
                self.missing[other] -= sign
        else:
            for other in self.rivals.get(place, ()):
                if other > place:
                    self.threats[other] -= sign

    def _consequences(self, place: int, fate: Fate) -> Iterable[tuple[int, Fate]]:
        weaker = [other for other in self.rivals.get(place, ()) if other > place]
        dependents = self.dependents.get(place, ())
        falling, rising = (weaker, dependents) if fate is Fate.KEPT else (dependents, weaker)
        for other in falling:
            if self.fates[other] is not Fate.DISCARDED:
                yield other, Fate.DISCARDED
        for other in rising:
            if self._is_certain(other):
                yield other, Fate.KEPT

    def _try(self, place: int) -> bool:
        """Keep a place and what it needs if all that follows supports them; else undo that."""
        trail: list[int] = []
        assumed = self._open_needs(place)
        try:
            if len(assumed) > TRIAL_STEPS:
                return False
            for member in assumed:
                self._settle([(member, Fate.KEPT)], limit=TRIAL_STEPS, trail=trail)
            if any(self.missing[member] or self.threats[member] for member in assumed):
                raise _TrialFailed  # noqa: TRY301 - the same way back as from below
        except _TrialFailed:
            for settled in reversed(trail):
                self._count(settled, -1)
                self.fates[settled] = Fate.OPEN
            return False
        return True

    def _open_needs(self, place: int) -> list[int]:
        found = {place}
        waiting = [place]
        while waiting and len(found) <= TRIAL_STEPS:
            for dependency in self.dependencies.get(waiting.pop(), ()):
                if dependency not in found and self.fates[dependency] is Fate.OPEN:
                    found.add(dependency)
                    waiting.append(dependency)
        return sorted(found)
