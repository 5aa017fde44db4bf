"""How long the coordination engine takes to decide, and how that grows.

    python benchmarks/coordination.py [--counts 10 100 1000 10000] [--shapes rich mixed sparse free]

prints one row per shape and size, best of several: finding the conflicts, resolving them, the
whole decision, the reply as JSON (processor time of the engine alone, no storage), and the most
memory that its process ever had. Each row runs in a process of its own. Ends with 1 when a promise
is broken: 1,000 mixed recommendations under 40 ms, 10,000 under 0.6 s and 200 MB.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.coordination_requests import Shape, request
from orchestration.api.memory import collect_rarely
from orchestration.coordination.conflicts.detection import find_clashes
from orchestration.coordination.conflicts.lineup import Lineup
from orchestration.coordination.engine import decide
from orchestration.coordination.explanation import Standing
from orchestration.coordination.resolution import resolve
from orchestration.coordination.rules import Rules
from orchestration.coordination.validation import check_request

COUNTS: Final = (10, 100, 1_000, 10_000)
NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
KNOWN_ACTIONS: Final = frozenset({"right_size"})
PROMISED_MS: Final = {1_000: 40.0, 10_000: 600.0}
PROMISED_MB: Final = 200.0
MEASURED_FOR_S: Final = 2.0
MOST_REPEATS: Final = 20


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one request took; times in milliseconds of processor time."""

    shape: Shape
    count: int
    conflicts: int
    kept: int
    detect_ms: float
    resolve_ms: float
    decide_ms: float
    reply_ms: float
    peak_mb: float

    @property
    def keeps_promise(self) -> bool:
        """Whether it takes no more than promised, if anything is promised for it."""
        if self.shape is Shape.RICH or self.count not in PROMISED_MS:
            return True
        return self.decide_ms < PROMISED_MS[self.count] and self.peak_mb < PROMISED_MB

    def row(self) -> str:
        """Give the row of the table."""
        return (
            f"{self.shape:<8}{self.count:>8}{self.conflicts:>11}{self.kept:>8}"
            f"{self.detect_ms:>11.2f}{self.resolve_ms:>12.2f}{self.decide_ms:>11.2f}"
            f"{self.reply_ms:>10.2f}{self.peak_mb:>10.0f}"
        )


HEAD: Final = (
    f"{'shape':<8}{'count':>8}{'conflicts':>11}{'kept':>8}{'detect ms':>11}{'resolve ms':>12}"
    f"{'decide ms':>11}{'reply ms':>10}{'peak MB':>10}"
)


def measure(shape: Shape, count: int) -> Measurement:
    """Decide on one request, again and again."""
    asked, rules = request(shape, count), Rules()
    windows = check_request(asked, now=NOW, rules=rules, known_actions=KNOWN_ACTIONS)
    lineup = Lineup.of(asked.recommendations, windows)

    def resolve_found() -> None:
        standing = Standing.of(lineup, findings)
        resolve(count, standing.rivals, lineup.dependencies, standing.hopeless)

    def decide_all() -> None:
        decide(asked, decision_id="id", now=NOW, rules=rules, known_actions=KNOWN_ACTIONS)

    # As the server does.
    collect_rarely()
    decide_ms = _best_ms(decide_all)
    findings = find_clashes(lineup, rules)
    decided = decide(asked, decision_id="id", now=NOW, rules=rules, known_actions=KNOWN_ACTIONS)
    # The promise is about the decision: up to here nothing else took memory.
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Measurement(
        shape=shape,
        count=count,
        conflicts=len(decided.conflicts),
        kept=len(decided.kept),
        detect_ms=_best_ms(lambda: find_clashes(lineup, rules)),
        resolve_ms=_best_ms(resolve_found),
        decide_ms=decide_ms,
        reply_ms=_best_ms(lambda: decided.response.model_dump_json(exclude_none=True)),
        peak_mb=peak_mb,
    )


def _best_ms(work: Callable[[], object]) -> float:
    best, until = float("inf"), time.monotonic() + MEASURED_FOR_S
    for turn in range(MOST_REPEATS):
        gc.collect()
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
        if turn and time.monotonic() > until:
            break
    return best * 1000


def main() -> int:
    """Measure every shape and size and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS, metavar="N")
    parser.add_argument("--shapes", type=Shape, nargs="+", default=list(Shape), metavar="SHAPE")
    options = parser.parse_args()
    sys.stdout.write(f"{HEAD}\n")
    is_kept = True
    with ProcessPoolExecutor(
        max_workers=1, mp_context=multiprocessing.get_context("spawn"), max_tasks_per_child=1
    ) as processes:
        for shape in options.shapes:
            for count in options.counts:
                measured = processes.submit(measure, shape, count).result()
                is_kept = is_kept and measured.keeps_promise
                sys.stdout.write(f"{measured.row()}\n")
                sys.stdout.flush()
    return 0 if is_kept else 1


if __name__ == "__main__":
    sys.exit(main())
