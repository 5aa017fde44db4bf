"""A process that dies where it is told to, and what of it a database keeps: for any workflow."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from orchestration.conductor.journal import StepEvent, StepStatus, next_status

T = TypeVar("T")


class Died(BaseException):
    """The process ends here, as by `kill -9`."""


@dataclass
class Deaths:
    """Counts the moments at which a process may die; it dies at one of them, once."""

    at: int = -1
    seen: int = 0

    def moment(self) -> None:
        """Pass one moment, unless it is the one."""
        self.seen += 1
        if self.seen == self.at:
            raise Died


@dataclass
class Memory:
    """Step results by their place, as a database keeps them: JSON, in the order of the steps."""

    deaths: Deaths
    results: list[tuple[str, str]] = field(default_factory=list)
    is_twice: bool = False

    def runner(self) -> Callable[..., T]:
        """Make what one process runs its steps with."""
        places = iter(range(10_000))

        def run_step(name: str, do: Callable[..., T], *arguments: str) -> T:
            place = next(places)
            if place < len(self.results):
                known, result = self.results[place]
                assert known == name, "another step than before the crash"
            else:
                self.deaths.moment()
                if self.is_twice:
                    do(*arguments)
                result = json.dumps(do(*arguments))
                self.deaths.moment()
                self.results.append((name, result))
            value: T = json.loads(result)
            return value

        return run_step


@dataclass
class MemoryJournal:
    """A journal that checks every transition; the process may die before and after each write."""

    deaths: Deaths = field(default_factory=Deaths)
    statuses: dict[str, StepStatus] = field(default_factory=dict)

    def add(self, _run_id: str, step: str, event: StepEvent, _note: str = "") -> None:
        """Add an event."""
        self.deaths.moment()
        before = self.statuses.get(step, StepStatus.NEVER_STARTED)
        self.statuses[step] = next_status(before, event)
        self.deaths.moment()
