"""How much too late, or too early, a wait for grants goes on: ours beside a fixed 5 s poll.

Ours is shown without priors, and with such as are right, are of other grants, or are absurd.

    python benchmarks/access.py [--schedules 1200] [--seed 6]

Delays are drawn from 5 s to 7 min on a logarithmic scale; before a part of them the grant works
for a moment and then no more (a false start). Time is virtual: the result does not depend on the
machine.
"""

from __future__ import annotations

import argparse
import itertools
import math
import random
import statistics
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from architecture.grants import Grant, GrantResource, ResourceKind
from orchestration.access.pacing import Pace, Prior
from orchestration.access.priors import percentiles
from orchestration.access.waiting import (
    Clock,
    GrantGroup,
    TestedBy,
    Tried,
    wait_until_effective,
)

SHORTEST_S: Final = 5.0
LONGEST_S: Final = 420.0
MOST_FALSE_STARTS: Final = 3
PACE: Final = Pace()
# How many runs a right prior was learned from, and how much a role's delays differ among them.
LEARNED_FROM: Final = 30
SPREAD: Final = 0.4
ABSURD: Final = (
    Prior(0.0, 0.0),
    Prior(-5.0, -1.0),
    Prior(1e9, 1e12),
    Prior(300.0, 2.0),
    Prior(0.0, 1e9),
    Prior(math.inf, math.inf),
    Prior(math.nan, math.nan),
)
GRANT: Final = Grant(
    "serviceAccount:cart@p1.iam.gserviceaccount.com",
    "roles/pubsub.publisher",
    GrantResource(ResourceKind.TOPIC, "orders"),
    "dataflow",
    "shop",
    "to be waited for",
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a grant works: in spans that end, and for good after its delay."""

    delay_s: float
    false_starts: tuple[tuple[float, float], ...]

    def works_at(self, seconds: float) -> bool:
        """Say whether a try at a time succeeds."""
        return seconds >= self.delay_s or any(a <= seconds < b for a, b in self.false_starts)


@dataclass(frozen=True, slots=True)
class Waited:
    """When a wait went on, and how often it had asked."""

    go_s: float
    calls: int


@dataclass(frozen=True, slots=True)
class FixedPoll:
    """What others do: look every so often, the first time after one interval, and go on at once."""

    every_s: float = 5.0


def schedules(seed: int, count: int, pace: Pace = PACE) -> Iterator[Schedule]:
    """Draw schedules, always the same for a seed.

    False starts are shorter than the pace's confirmation window, and the pause after each is one
    that the tries within the window notice.
    """
    draw = random.Random(seed)  # noqa: S311 - must repeat itself
    for _ in range(count):
        delay_s = SHORTEST_S * (LONGEST_S / SHORTEST_S) ** draw.random()
        starts = []
        at_s = 0.0
        for _ in range(draw.randint(0, MOST_FALSE_STARTS)):
            begins_s = at_s + draw.uniform(0, delay_s / MOST_FALSE_STARTS)
            ends_s = begins_s + draw.uniform(0, pace.confirm_s)
            at_s = ends_s + pace.first_s
            if at_s < delay_s:
                starts.append((begins_s, ends_s))
        yield Schedule(delay_s, tuple(starts))


def right_priors(seed: int, drawn: Sequence[Schedule]) -> Iterator[Prior]:
    """Draw what earlier runs would have taught of the role of each schedule's grant."""
    draw = random.Random(seed)  # noqa: S311 - must repeat itself
    for schedule in drawn:
        yield Prior(
            *percentiles(
                [schedule.delay_s * draw.lognormvariate(0, SPREAD) for _ in range(LEARNED_FROM)]
            )
        )


def wrong_priors(seed: int, drawn: Sequence[Schedule]) -> Iterator[Prior]:
    """Give each schedule the prior of another one."""
    learned = list(right_priors(seed, drawn))
    return itertools.chain(learned[1:], learned[:1])


def go_of_product(schedule: Schedule, pace: Pace = PACE, prior: Prior | None = None) -> Waited:
    """Wait as the product does.

    Raises:
        GrantsNotEffective: the grant does not work before the pace's deadline.
    """
    now_s = 0.0
    calls = 0

    def sleep(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds

    class Probe:
        def try_group(self, group: GrantGroup) -> Mapping[Grant, Tried]:
            nonlocal calls
            calls += 1
            works = schedule.works_at(now_s)
            return {item: Tried(works, TestedBy.IMPERSONATION) for item in group.grants}

    wait_until_effective(
        [GRANT],
        Probe(),
        pace,
        clock=Clock(now=lambda: now_s, sleep=sleep),
        priors={GRANT.role: prior} if prior is not None else {},
    )
    return Waited(now_s, calls)


def go_of_fixed_poll(schedule: Schedule, poll: FixedPoll = FixedPoll()) -> Waited:
    """Wait as a fixed poll does: the first success is a go."""
    now_s = poll.every_s
    calls = 1
    while not schedule.works_at(now_s):
        now_s += poll.every_s
        calls += 1
    return Waited(now_s, calls)


def ways(seed: int, drawn: Sequence[Schedule]) -> Iterator[tuple[str, list[Waited]]]:
    """Wait for all schedules in every way there is, and give each with its name."""
    priors: Mapping[str, Iterable[Prior | None]] = {
        "conductor": itertools.repeat(None),
        "  right priors": right_priors(seed, drawn),
        "  wrong priors": wrong_priors(seed, drawn),
        "  absurd priors": itertools.cycle(ABSURD),
    }
    for name, known in priors.items():
        told = zip(drawn, known, strict=False)
        yield name, [go_of_product(schedule, prior=prior) for schedule, prior in told]
    yield "fixed 5 s poll", [go_of_fixed_poll(schedule) for schedule in drawn]


def table(seed: int, drawn: Sequence[Schedule]) -> Iterator[str]:
    """Yield the lines of the table."""
    yield (
        f"{'':<16}{'too early':>10}{'median late':>13}{'p99 late s':>12}{'median late s':>15}"
        f"{'calls':>8}"
    )
    for name, waited in ways(seed, drawn):
        found = list(zip(drawn, waited, strict=True))
        late = [(s.delay_s, w.go_s - s.delay_s) for s, w in found if w.go_s >= s.delay_s]
        seconds = [late_s for _, late_s in late]
        part = statistics.median(late_s / delay_s for delay_s, late_s in late)
        calls = statistics.mean(w.calls for w in waited)
        yield (
            f"{name:<16}{len(found) - len(late):>10}{part:>12.1%} "
            f"{statistics.quantiles(seconds, n=100)[98]:>12.2f}"
            f"{statistics.median(seconds):>15.2f}{calls:>8.1f}"
        )


def main() -> None:
    """Draw the schedules and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--schedules", type=int, default=1_200, help="how many; 1200 unless told")
    parser.add_argument("--seed", type=int, default=6, help="what they are drawn from")
    options = parser.parse_args()
    drawn = list(schedules(options.seed, options.schedules))
    sys.stdout.write("\n".join(table(options.seed, drawn)) + "\n")


if __name__ == "__main__":
    main()
