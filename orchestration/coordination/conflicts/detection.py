"""All conflicts of a lineup, each with every reason for it.

Pairs are found through indexes: who touches a resource, who depends on whom. A pair that touches
nothing in common is never looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from orchestration.coordination.conflicts.dependencies import DependencyGraph, cycle_path
from orchestration.coordination.conflicts.lineup import Lineup
from orchestration.coordination.conflicts.overlaps import shared_resources
from orchestration.coordination.model import ConflictType, RiskLevel, Severity
from orchestration.coordination.rules import Rules
from orchestration.coordination.schedule import earliest_start, frozen_by

# The strongest reason first: it gives a conflict its type.
STRONGEST_FIRST: Final = (
    ConflictType.DEPENDENCY,
    ConflictType.ACTION,
    ConflictType.RESOURCE,
    ConflictType.TIMING,
)
_RISKY: Final = frozenset({RiskLevel.HIGH, RiskLevel.CRITICAL})
_BY_RISK: Final = (Severity.LOW, Severity.MEDIUM, Severity.HIGH)
_RESOURCE_ONLY: Final = (ConflictType.RESOURCE,)
_TIMING_ONLY: Final = (ConflictType.TIMING,)


class Clash(NamedTuple):
    """A conflict between places: one alone, a pair, or a circle in its order."""

    places: tuple[int, ...]
    kinds: tuple[ConflictType, ...]
    severity: Severity
    field: str
    description: str
    is_pair: bool


@dataclass(frozen=True, slots=True)
class Findings:
    """The conflicts of a lineup and the dependencies they were found with."""

    clashes: tuple[Clash, ...]
    graph: DependencyGraph


def find_clashes(lineup: Lineup, rules: Rules) -> Findings:
    """Find every conflict; the strongest ones' come first.

    Raises:
        RequestRefused: there are more overlaps than the rules allow.
    """
    graph = DependencyGraph.of(lineup.dependencies)
    clashes = [
        *_circles(lineup, graph),
        *_untimely(lineup, rules),
        *_pairs(lineup, graph, rules),
    ]
    clashes.sort(key=lambda clash: clash.places)
    return Findings(tuple(clashes), graph)


def _pairs(lineup: Lineup, graph: DependencyGraph, rules: Rules) -> Iterator[Clash]:
    shared = shared_resources(lineup, rules.resources, rules.max_overlaps)
    late = _late_dependencies(lineup)
    contradictory = rules.contradictory()
    actions = [item.action for item in lineup.items]
    risky = [item.risk_level in _RISKY for item in lineup.items]
    windows, before, none = lineup.windows, graph.before, frozenset[str]()
    for pair, resources in shared.items():
        first, second = pair
        severity = _BY_RISK[risky[first] + risky[second]]
        resources.sort()
        common = f"Both recommendations affect resources: [{' '.join(resources)}]"
        contradicts = actions[second] in contradictory.get(actions[first], none)
        overlaps = (
            first in windows and second in windows and windows[first].overlaps(windows[second])
        )
        if contradicts or overlaps or pair in late or first in before or second in before:
            yield _reasoned(
                lineup,
                graph,
                pair,
                common=common,
                severity=severity,
                contradicts=contradicts,
                overlaps=overlaps,
                late=late.get(pair),
            )
        else:
            yield Clash(pair, _RESOURCE_ONLY, severity, "affected_resources", common, True)  # noqa: FBT003 - positions are what makes this fast
    for pair in late.keys() - shared.keys():
        yield Clash(
            pair,
            (ConflictType.DEPENDENCY, ConflictType.TIMING),
            Severity.HIGH,
            "dependencies",
            late[pair],
            is_pair=True,
        )


def _reasoned(
    lineup: Lineup,
    graph: DependencyGraph,
    pair: tuple[int, int],
    *,
    common: str,
    severity: Severity,
    contradicts: bool,
    overlaps: bool,
    late: str | None,
) -> Clash:
    """Describe a pair that shares a resource and has more reasons than that."""
    first, second = (lineup.items[place] for place in pair)
    reasons = {ConflictType.RESOURCE: common}
    if contradicts:
        actions = sorted((first.action, second.action))
        reasons[ConflictType.ACTION] = f"Contradictory actions: {actions[0]} vs {actions[1]}"
    if overlaps:
        reasons[ConflictType.TIMING] = "Their windows overlap"
    if late is not None:
        reasons[ConflictType.TIMING] = late
    for place, dependent in (pair, pair[::-1]):
        if graph.comes_before(place, dependent):
            needs, needed = lineup.items[dependent].id, lineup.items[place].id
            reasons[ConflictType.DEPENDENCY] = (
                f"Violated dependency: {needs} needs {needed} and conflicts with it"
            )
    kinds = tuple(kind for kind in STRONGEST_FIRST if kind in reasons)
    strongest = kinds[0]
    if strongest is not ConflictType.RESOURCE:
        severity = Severity.HIGH
    field = {
        ConflictType.DEPENDENCY: "dependencies",
        ConflictType.ACTION: "action",
        ConflictType.RESOURCE: "affected_resources",
    }[strongest]
    text = "; ".join(reasons[kind] for kind in kinds)
    return Clash(pair, kinds, severity, field, text, is_pair=True)


def _late_dependencies(lineup: Lineup) -> dict[tuple[int, int], str]:
    """Find dependencies that are scheduled after what needs them."""
    late: dict[tuple[int, int], str] = {}
    for dependent, needed in lineup.dependencies.items():
        window = lineup.windows.get(dependent)
        if window is None:
            continue
        for place in needed:
            other = lineup.windows.get(place)
            if other is not None and other.earliest_end > window.latest_start:
                late[min(dependent, place), max(dependent, place)] = (
                    f"Violated dependency: {lineup.items[place].id} is scheduled after "
                    f"{lineup.items[dependent].id}, which needs it"
                )
    return late


def _circles(lineup: Lineup, graph: DependencyGraph) -> Iterator[Clash]:
    for members in graph.cycles:
        start = min(members, key=lambda place: lineup.items[place].id)
        path = cycle_path(lineup.dependencies, members, start)
        names = [lineup.items[place].id for place in [*path, start]]
        others = sorted(members.difference(path))
        yield Clash(
            (*path, *others),
            (ConflictType.DEPENDENCY,),
            Severity.HIGH,
            "dependencies",
            f"Circular dependency detected: {' -> '.join(names)}",
            is_pair=False,
        )


def _untimely(lineup: Lineup, rules: Rules) -> Iterator[Clash]:
    """Find recommendations that their own schedule rules out."""
    freezes = sorted(rules.freezes, key=lambda freeze: (freeze.starts_at, freeze.ends_at))
    for place, window in lineup.windows.items():
        item = lineup.items[place]
        start = earliest_start(window, freezes)
        if start is None:
            names = ", ".join(frozen_by(window, freezes))
            text = f"Its window lies inside a freeze ({names})"
            yield Clash((place,), _TIMING_ONLY, Severity.HIGH, window.field, text, is_pair=False)
        elif item.expires_at is not None and item.expires_at <= start:
            text = f"It expires before its earliest slot ({start.isoformat()})"
            yield Clash((place,), _TIMING_ONLY, Severity.HIGH, "expires_at", text, is_pair=False)
