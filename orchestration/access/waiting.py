"""Wait until a grant works, not merely until it was accepted.

Setting a policy returns at once; its effect lags: typically 2 minutes, potentially 7 or more
(Google, "Access change propagation"). Planning the grants is `architecture.grants`' job; how a
grant is tried is the probe's. This module only watches.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from architecture.grants import Grant, GrantResource
from orchestration.concurrency import pause, stop_waiting
from orchestration.errors import GrantsNotEffective

# Groups that are tried at once; each waits for the network most of its time.
MOST_AT_ONCE = 32
SHOWN_MISSING = 5


class TestedBy(StrEnum):
    """How it was found that a grant works; the report says which."""

    __test__ = False  # not a test class, whatever pytest makes of its name

    IMPERSONATION = "testing the permission as the member"
    DEPLOYER = "testing the permission as the deployer"
    POLICY = "reading the policy back (no proof of effect)"


@dataclass(frozen=True, slots=True)
class Tried:
    """What one try of a grant showed; `why` says what stood against it."""

    works: bool
    tested_by: TestedBy
    why: str = ""


@dataclass(frozen=True, slots=True)
class GrantGroup:
    """Grants of one member on one resource: one call tries all of them."""

    member: str
    resource: GrantResource
    grants: tuple[Grant, ...]


class GrantProbe(Protocol):
    """Tries grants for real; must be safe to use from several threads."""

    def try_group(self, group: GrantGroup) -> Mapping[Grant, Tried]:
        """Try every grant of a group once.

        Raises:
            CloudUnreachable: the cloud does not answer at all.
        """
        ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to try and when to give up; times in seconds.

    An interval that grows by a tenth stays about a tenth of the time waited so far, and that is
    how much too late a grant is noticed at most.
    """

    first_s: float = 0.2
    growth: float = 1.1
    longest_s: float = 10.0
    confirmations: int = 2
    deadline_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Clock:
    """Time and waiting, so that tests can do without either."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = pause


@dataclass(frozen=True, slots=True)
class EffectiveGrant:
    """A grant that works, and the seconds from the start of the wait until it first did."""

    grant: Grant
    delay_s: float
    tested_by: TestedBy
    attempts: int


OnEffective = Callable[[EffectiveGrant], None]


def wait_until_effective(
    grants: Sequence[Grant],
    probe: GrantProbe,
    pace: Pace,
    on_effective: OnEffective = lambda _effective: None,
    clock: Clock = Clock(),
) -> tuple[EffectiveGrant, ...]:
    """Return once every grant has worked `pace.confirmations` times in a row.

    Raises:
        GrantsNotEffective: the pace ran out; carries the grants still missing.
    """
    groups = _grouped(grants)
    if not groups:
        return ()
    with ThreadPoolExecutor(max_workers=min(len(groups), MOST_AT_ONCE)) as pool:
        watches = [_Watch(group, probe, pace, on_effective, clock) for group in groups]
        try:
            missing = [found for watched in pool.map(_Watch.run, watches) for found in watched]
        except KeyboardInterrupt:
            stop_waiting()
            raise
    if missing:
        raise _not_effective(missing, pace)
    effective = {item.grant: item for watch in watches for item in watch.effective}
    return tuple(effective[grant] for grant in grants)


def _grouped(grants: Sequence[Grant]) -> tuple[GrantGroup, ...]:
    groups: dict[tuple[str, GrantResource], list[Grant]] = {}
    for grant in grants:
        groups.setdefault((grant.member, grant.resource), []).append(grant)
    return tuple(
        GrantGroup(member, resource, tuple(found)) for (member, resource), found in groups.items()
    )


class _Watch:
    """Tries one group until all of its grants work or the deadline has passed."""

    def __init__(
        self,
        group: GrantGroup,
        probe: GrantProbe,
        pace: Pace,
        on_effective: OnEffective,
        clock: Clock,
    ) -> None:
        self.effective: list[EffectiveGrant] = []
        self._group = group
        self._probe = probe
        self._pace = pace
        self._on_effective = on_effective
        self._clock = clock
        # How often in a row each grant has worked, and since when.
        self._streaks: dict[Grant, int] = dict.fromkeys(group.grants, 0)
        self._since: dict[Grant, float] = {}

    def run(self) -> list[tuple[Grant, Tried]]:
        """Watch to the end; give what is still missing then, with the last reason."""
        started = self._clock.now()
        interval_s = self._pace.first_s
        attempts = 0
        while True:
            waiting = tuple(self._streaks)
            tried = self._probe.try_group(
                GrantGroup(self._group.member, self._group.resource, waiting)
            )
            attempts += 1
            for grant in waiting:
                self._note(grant, tried[grant], started, attempts)
            if not self._streaks:
                return []
            left = self._pace.deadline_s - (self._clock.now() - started)
            if left <= 0:
                return [(grant, tried[grant]) for grant in self._streaks]
            # A grant that has just worked is confirmed soon: the interval need not grow for it.
            confirming = all(self._streaks.values())
            self._clock.sleep(min(self._pace.first_s if confirming else interval_s, left))
            interval_s = min(interval_s * self._pace.growth, self._pace.longest_s)

    def _note(self, grant: Grant, tried: Tried, started: float, attempts: int) -> None:
        if not tried.works:
            self._streaks[grant] = 0
            return
        if self._streaks[grant] == 0:
            self._since[grant] = self._clock.now() - started
        self._streaks[grant] += 1
        if self._streaks[grant] < self._pace.confirmations:
            return
        del self._streaks[grant]
        found = EffectiveGrant(
            grant=grant,
            delay_s=round(self._since[grant], 3),
            tested_by=tried.tested_by,
            attempts=attempts,
        )
        self.effective.append(found)
        self._on_effective(found)


def _not_effective(missing: Sequence[tuple[Grant, Tried]], pace: Pace) -> GrantsNotEffective:
    lines = tuple(
        f"{grant.role} on {grant.resource.kind.value} {grant.resource.name} for {grant.member}"
        + (f" ({tried.why})" if tried.why else "")
        for grant, tried in missing
    )
    shown = "; ".join(lines[:SHOWN_MISSING])
    more = f"; and {len(lines) - SHOWN_MISSING} more" if len(lines) > SHOWN_MISSING else ""
    return GrantsNotEffective(
        f"{len(lines)} grants had no effect after {pace.deadline_s:.0f} s: {shown}{more}",
        missing=lines,
        hint="check that the policy still holds them and that no deny policy or condition is in"
        " the way, then run `conductor up` again",
    )
