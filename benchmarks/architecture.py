"""How long an architecture file takes from text to planned grants, and how that grows.

    python benchmarks/architecture.py [--services 30 300 3000]

prints one row per size. Each size runs in a process of its own, so that its memory is its own.
The promise: 300 services with 1,000 resources in under 2 s and 200 MB, and near-linear growth.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
SIZES: Final = (30, 300, 3000)
PROMISED_SERVICES: Final = 300
PROMISED_S: Final = 2.0
PROMISED_MB: Final = 200.0
STEPS: Final = ("load", "check", "hydrate", "grants", "generate", "order", "render")


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one size took; `load_s` includes the checks, whose own share is `check_s`."""

    services: int
    resources: int
    file_kb: float
    load_s: float
    check_s: float
    hydrate_s: float
    grants_s: float
    generate_s: float
    order_s: float
    render_s: float
    peak_mb: float

    @property
    def promised_s(self) -> float:
        """Loading, checking, hydrating and planning the grants."""
        return self.load_s + self.hydrate_s + self.grants_s

    @property
    def keeps_promise(self) -> bool:
        """Whether the size takes no more than promised, if anything is promised for it."""
        return self.services > PROMISED_SERVICES or (
            self.promised_s < PROMISED_S and self.peak_mb < PROMISED_MB
        )


def measured(services: int) -> Measurement:
    """Take one size through every step, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.architecture_steps", str(services)],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return Measurement(**json.loads(done.stdout))


def table(measurements: list[Measurement]) -> Iterator[str]:
    """Yield the lines of the table: seconds per step, the promised ones, and those per service."""
    heads = ("services", "resources", "file KB", *STEPS, "promised s", "ms/service", "peak MB")
    yield "".join(f"{head:>11}" for head in heads)
    for row in measurements:
        cells = (
            f"{row.services}",
            f"{row.resources}",
            f"{row.file_kb:.0f}",
            *(f"{getattr(row, f'{step}_s'):.3f}" for step in STEPS),
            f"{row.promised_s:.3f}",
            f"{1000 * row.promised_s / row.services:.2f}",
            f"{row.peak_mb:.0f}",
        )
        yield "".join(f"{cell:>11}" for cell in cells)


def main() -> None:
    """Print the table; exit 1 when a size for which something is promised takes more."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--services", type=int, nargs="+", default=SIZES)
    measurements = [measured(services) for services in parser.parse_args().services]
    sys.stdout.write("\n".join(table(measurements)) + "\n")
    if not all(row.keeps_promise for row in measurements):
        sys.exit(f"promised: {PROMISED_SERVICES} services in {PROMISED_S} s, {PROMISED_MB:.0f} MB")


if __name__ == "__main__":
    main()
