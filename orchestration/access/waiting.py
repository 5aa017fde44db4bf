"""Wait until a grant works, not merely until it was accepted.

Setting a policy returns at once; its effect lags: typically 2 minutes, potentially 7 or more
(Google, "Access change propagation"). Planning the grants is `architecture.grants`' job; how a
grant is tried is the probe's. This module only watches.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from architecture.grants import Grant, GrantResource
from orchestration.access.pacing import Pace, Prior
from orchestration.concurrency import pause, stop_waiting
from orchestration.errors import GrantsNotEffective

# Calls at once. Every group has a thread of its own, so that none waits for another's grants.
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
class Clock:
    """Time and waiting, so that tests can do without either."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = pause


@dataclass(frozen=True, slots=True)
class EffectiveGrant:
    """A grant that works, and the seconds from the start of the wait until it first did.

    `was_awaited`: it did not work at the first try. `prior` is what was expected of its role.
    """

    grant: Grant
    delay_s: float
    tested_by: TestedBy
    attempts: int
    was_awaited: bool
    prior: Prior | None


OnEffective = Callable[[EffectiveGrant], None]


def wait_until_effective(
    grants: Sequence[Grant],
    probe: GrantProbe,
    pace: Pace,
    on_effective: OnEffective = lambda _effective: None,
    clock: Clock = Clock(),
    *,
    priors: Mapping[str, Prior] = MappingProxyType({}),
) -> tuple[EffectiveGrant, ...]:
    """Return once every grant has worked, time and again, for the pace's confirmation window.

    `priors` say by role when grants worked in earlier runs; they only shape the intervals.

    Raises:
        GrantsNotEffective: the pace ran out; carries the grants still missing.
    """
    groups = _grouped(grants)
    if not groups:
        return ()
    wait = _Wait(probe, pace, on_effective, clock, priors, started_s=clock.now())
    with ThreadPoolExecutor(max_workers=len(groups)) as pool:
        watches = [_Watch(group, wait) for group in groups]
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


@dataclass(frozen=True, slots=True)
class _Wait:
    """What the watches of one wait share: one start, so that the deadline is that of all."""

    probe: GrantProbe
    pace: Pace
    on_effective: OnEffective
    clock: Clock
    priors: Mapping[str, Prior]
    started_s: float
    calling: AbstractContextManager[object] = field(
        default_factory=lambda: threading.BoundedSemaphore(MOST_AT_ONCE)
    )
    # Set when one watch broke: the others need not go on to the deadline.
    abandoned: threading.Event = field(default_factory=threading.Event)

    def waited_s(self) -> float:
        """Give the time since the wait began."""
        return self.clock.now() - self.started_s


class _Watch:
    """Tries one group until all of its grants work or the deadline has passed."""

    def __init__(self, group: GrantGroup, wait: _Wait) -> None:
        self.effective: list[EffectiveGrant] = []
        self._group = group
        self._wait = wait
        # How often in a row each grant has worked, and since when.
        self._streaks: dict[Grant, int] = dict.fromkeys(group.grants, 0)
        self._since: dict[Grant, float] = {}
        # Those that were tried in vain.
        self._awaited: set[Grant] = set()

    def run(self) -> list[tuple[Grant, Tried]]:
        """Watch to the end; give what is still missing then, with the last reason."""
        try:
            return self._run()
        except BaseException:
            self._wait.abandoned.set()
            raise

    def _run(self) -> list[tuple[Grant, Tried]]:
        pace, clock = self._wait.pace, self._wait.clock
        attempts = 0
        while not self._wait.abandoned.is_set():
            waiting = tuple(self._streaks)
            with self._wait.calling:
                tried_at_s = self._wait.waited_s()
                tried = self._wait.probe.try_group(
                    GrantGroup(self._group.member, self._group.resource, waiting)
                )
            attempts += 1
            for grant in waiting:
                self._note(grant, tried[grant], attempts, tried_at_s)
            if not self._streaks:
                return []
            left = pace.deadline_s - self._wait.waited_s()
            # What works at the deadline is confirmed before it is judged: it came in time.
            if left <= 0 and not any(self._worked_in_time(grant) for grant in self._streaks):
                return [(grant, tried[grant]) for grant in self._streaks]
            # A grant that has just worked is confirmed soon: nothing is expected of it any more.
            if any(self._streaks.values()):
                clock.sleep(pace.first_s)
            else:
                clock.sleep(min(self._interval_s(), left))
        return []

    def _interval_s(self) -> float:
        """Say how long to pause: as the grant that is expected soonest wants it."""
        pace, waited_s = self._wait.pace, self._wait.waited_s()
        return min(
            pace.interval_s(waited_s, self._wait.priors.get(grant.role)) for grant in self._streaks
        )

    def _note(self, grant: Grant, tried: Tried, attempts: int, tried_at_s: float) -> None:
        if not tried.works:
            self._streaks[grant] = 0
            self._awaited.add(grant)
            return
        if self._streaks[grant] == 0:
            self._since[grant] = self._wait.waited_s()
        self._streaks[grant] += 1
        if not self._is_confirmed(grant, tried_at_s):
            return
        del self._streaks[grant]
        found = EffectiveGrant(
            grant=grant,
            delay_s=round(self._since[grant], 3),
            tested_by=tried.tested_by,
            attempts=attempts,
            was_awaited=grant in self._awaited,
            prior=self._wait.priors.get(grant.role),
        )
        self.effective.append(found)
        self._wait.on_effective(found)

    def _worked_in_time(self, grant: Grant) -> bool:
        return self._streaks[grant] > 0 and self._since[grant] <= self._wait.pace.deadline_s

    def _is_confirmed(self, grant: Grant, tried_at_s: float) -> bool:
        """Whether the window lies between the first success's answer and the last one's call.

        A call that is answered late thus never makes the window look longer than it was.
        """
        pace = self._wait.pace
        worked_for_s = tried_at_s - self._since[grant]
        return self._streaks[grant] >= pace.confirmations and worked_for_s >= pace.confirm_s


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
        hint="check that the policy still holds them, that the accounts exist and their APIs are"
        " enabled, and that no deny policy or condition is in the way; then run `conductor up`"
        " again",
    )
