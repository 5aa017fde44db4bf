"""Why each recommendation was kept or discarded, and what would have turned that around.

What is claimed holds whatever else happens: a change is only named when it leaves nothing that
could beat the recommendation or what it needs. A property test applies every one of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from orchestration.coordination.conflicts.detection import Clash, Findings
from orchestration.coordination.conflicts.lineup import Lineup
from orchestration.coordination.model import MAX_PRIORITY, Recommendation, WouldFlip
from orchestration.coordination.ranking import merit
from orchestration.coordination.resolution import Fate

# A claim about more recommendations than this would explain nothing.
_MOST_NEEDS: Final = 16
_MERITS: Final = ("higher priority", "higher savings", "higher confidence", "lower risk")


@dataclass(frozen=True, slots=True)
class Standing:
    """What the conflicts mean to each place: its rivals, and why it is hopeless if it is."""

    rivals: Mapping[int, Sequence[int]]
    hopeless: Mapping[int, str]
    untimely: frozenset[int]

    @classmethod
    def of(cls, lineup: Lineup, findings: Findings) -> Standing:
        """Collect pairs into rivals, and everything that cannot be kept whatever happens."""
        rivals: dict[int, list[int]] = {}
        hopeless: dict[int, str] = {}
        untimely: set[int] = set()
        before = findings.graph.before
        for clash in findings.clashes:
            if not clash.is_pair:
                hopeless.update(dict.fromkeys(clash.places, _why_hopeless(clash, lineup)))
                if len(clash.places) == 1 and not _is_circle(clash, lineup):
                    untimely.add(clash.places[0])
                continue
            first, second = clash.places
            rivals.setdefault(first, []).append(second)
            rivals.setdefault(second, []).append(first)
            for place, dependent in ((first, second), (second, first)):
                if dependent in before and findings.graph.comes_before(place, dependent):
                    needed = lineup.items[place].id
                    hopeless.setdefault(dependent, f"it conflicts with {needed}, which it needs")
        return cls(rivals, hopeless, frozenset(untimely))


def _why_hopeless(clash: Clash, lineup: Lineup) -> str:
    if len(clash.places) <= _MOST_NEEDS:
        return clash.description[0].lower() + clash.description[1:]
    # Each of them says it: with the whole path, the reply would grow with its square.
    names = " -> ".join(lineup.items[place].id for place in clash.places[:_MOST_NEEDS])
    return f"circular dependency detected among {len(clash.places)}: {names} -> ..."


def _is_circle(clash: Clash, lineup: Lineup) -> bool:
    place = clash.places[0]
    return place in lineup.dependencies.get(place, ())


class Explanation:
    """Answers why, and what if, for one resolved lineup."""

    def __init__(self, lineup: Lineup, standing: Standing, fates: Sequence[Fate]) -> None:
        self._items = lineup.items
        self._dependencies = lineup.dependencies
        self._standing = standing
        self._fates = fates

    def reason(self, place: int) -> str:
        """Say why the recommendation was kept or discarded."""
        if self._fates[place] is Fate.KEPT:
            return f"kept: {self._why_kept(place)}"
        return f"discarded: {self._why_discarded(place)}"

    def _why_kept(self, place: int) -> str:
        rivals = self._standing.rivals.get(place, ())
        if not rivals:
            return "nothing conflicts with it"
        weaker = min((rival for rival in rivals if rival > place), default=None)
        if weaker is not None:
            return self._beats(place, weaker)
        return f"{self._items[min(rivals)].id} outranks it, but was discarded itself"

    def _why_discarded(self, place: int) -> str:
        if place in self._standing.hopeless:
            return self._standing.hopeless[place]
        winner = self._winner_over(place)
        if winner is not None:
            return self._beats(winner, place)
        for dependency in self._dependencies.get(place, ()):
            if self._fates[dependency] is Fate.DISCARDED:
                return f"it needs {self._items[dependency].id}, which was discarded"
        return "keeping it would discard what it needs itself"

    def would_flip(self, place: int) -> WouldFlip | None:
        """Name a change that would turn the outcome around; None when there is none to name."""
        if self._fates[place] is Fate.KEPT:
            return self._drop(place)
        return self._keep(place)

    def _winner_over(self, place: int) -> int | None:
        rivals = self._standing.rivals.get(place, ())
        kept = (r for r in rivals if r < place and self._fates[r] is Fate.KEPT)
        return min(kept, default=None)

    def _beats(self, winner: int, loser: int) -> str:
        first, second = self._items[winner], self._items[loser]
        # The first sides decide nearly always.
        if first.priority != second.priority:
            why = _MERITS[0]
        elif first.estimated_savings != second.estimated_savings:
            why = _MERITS[1]
        else:
            sides = zip(_MERITS, merit(first), merit(second), strict=True)
            why = next((name for name, one, other in sides if one != other), "smaller id")
        return f"{first.id} outranks {second.id} ({why})"

    def _drop(self, place: int) -> WouldFlip | None:
        target = self._first_with_resources(place)
        if target is None:
            return None
        item = self._items[target]
        rivals = self._standing.rivals.get(target, ())
        priority = 1 + max(
            item.priority, max((self._items[r].priority for r in rivals), default=item.priority)
        )
        if priority > MAX_PRIORITY:
            return None
        resource = min(item.affected_resources)
        whose = "" if target == place else f", which {item.id} touches and it needs,"
        text = (
            f"It would be discarded if one more recommendation on {resource}{whose} "
            f"had priority {priority}"
        )
        return WouldFlip.trusted({"text": text, "rival_on": resource, "rival_priority": priority})

    def _first_with_resources(self, place: int) -> int | None:
        found = [place]
        for member in found:
            if self._items[member].affected_resources:
                return member
            needs = self._dependencies.get(member, ())[: _MOST_NEEDS + 1]
            if len(found) <= _MOST_NEEDS:
                found.extend(n for n in needs if n not in found)
        return None

    def _keep(self, place: int) -> WouldFlip | None:
        needs = self._needs(place)
        stays = needs is not None and self._can_stand_together(needs)
        members = needs if needs is not None and stays else [place]
        raised = self._raised(members)
        if any(priority > MAX_PRIORITY for priority in raised.values()):
            return None
        item = self._items[place]
        without = () if stays else tuple(sorted(set(item.dependencies)))
        is_untimely = place in self._standing.untimely
        conditions = [f"{id_} had priority {value}" for id_, value in raised.items()]
        if without:
            conditions.append(f"it did not depend on {', '.join(without)}")
        if is_untimely:
            conditions.append("it had no window")
        return WouldFlip.trusted(
            {
                "text": f"It would be kept if {' and '.join(conditions)}",
                "set_priority": raised or None,
                "without_dependencies": without or None,
                "without_schedule": is_untimely or None,
            }
        )

    def _needs(self, place: int) -> list[int] | None:
        """Give the place and all that it needs; None when that is more than one would read."""
        found = [place]
        for member in found:
            if member in self._standing.hopeless or len(found) > _MOST_NEEDS:
                return None
            # One more than is read is enough to see that it is too many.
            needs = self._dependencies.get(member, ())[: _MOST_NEEDS + 1]
            found.extend(need for need in needs if need not in found)
        return found

    def _can_stand_together(self, members: list[int]) -> bool:
        among = set(members)
        rivals = self._standing.rivals
        return all(among.isdisjoint(rivals.get(member, ())) for member in members)

    def _raised(self, members: list[int]) -> dict[str, int]:
        """Give the priorities with which none of the members would have a stronger rival."""
        raised: dict[str, int] = {}
        for member in members:
            strongest = min(self._standing.rivals.get(member, ()), default=member)
            if strongest < member:
                raised[self._items[member].id] = self._items[strongest].priority + 1
        return raised


def resolution_text(items: Sequence[Recommendation], clash: Clash, fates: Sequence[Fate]) -> str:
    """Say what became of a conflict, in the words of document 004 where one was kept."""
    kept = [items[place] for place in clash.places if fates[place] is Fate.KEPT]
    lost = sorted(items[place].id for place in clash.places if fates[place] is not Fate.KEPT)
    if not kept:
        return f"Discarded {', '.join(lost)}"
    winner = kept[0]
    return (
        f"Kept recommendation {winner.id} (priority: {winner.priority}, "
        f"savings: {winner.estimated_savings:.2f}), discarded {', '.join(lost)}"
    )
