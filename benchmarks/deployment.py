"""How long the sample system takes from nothing to running, again, to preview, and to nothing.

    python benchmarks/deployment.py [--runs 3] [--propagation none|seeded]

Each run has a project folder and a local cloud of its own, which are gone afterwards. Times depend
on the machine: the last column gives them in starts of a Pulumi program on this one, which is what
every operation on a stack pays at least once.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
SAMPLE: Final = "testdata/architectures/tracer.yaml"
PROGRAM_START: Final = "import pulumi, pulumi_docker; from pulumi_gcp import cloudrunv2, pubsub"
REFERENCE: Final = "start of a Pulumi program"


@dataclass(slots=True)
class Times:
    """Seconds that each thing took, one number a run, in the order of first mention."""

    by_name: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, seconds: float) -> None:
        """Note one more time."""
        self.by_name.setdefault(name, []).append(seconds)


class Project:
    """A project folder of this run's own, and the commands run in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        shutil.copy(ROOT / "Pulumi.yaml", folder)
        for part in ("architecture", "components", "stacks", "testdata"):
            shutil.copytree(
                ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__")
            )

    def conductor(self, *words: str) -> float:
        """Run `conductor WORDS` to its end and give the seconds that it took."""
        return timed(
            [sys.executable, "-m", "orchestration.cli.main", *words, "--env", "local"],
            cwd=self._folder,
            environ={"CONDUCTOR_PROJECT_DIR": str(self._folder)},
        )

    def phases(self) -> Iterator[tuple[str, float]]:
        """Give the phases of the newest run with the seconds that each took."""
        newest = max((self._folder / ".conductor" / "local" / "runs").glob("*/run.json"))
        for phase in json.loads(newest.read_text())["phases"]:
            yield f"{phase['phase']} {phase['title']}", phase["duration_s"]


def timed(
    command: Sequence[str], *, cwd: Path = ROOT, environ: Mapping[str, str] | None = None
) -> float:
    """Run a command that must succeed and give the seconds that it took."""
    started = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **(environ or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    took = time.perf_counter() - started
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed ({done.returncode}):\n{done.stdout}{done.stderr}")
    return took


def measure(times: Times, propagation: str) -> None:
    """Take the sample once through its life."""
    times.add("start of Python", timed([sys.executable, "-c", "pass"]))
    times.add(REFERENCE, timed([sys.executable, "-c", PROGRAM_START]))
    with tempfile.TemporaryDirectory(prefix="conductor-benchmark-") as folder:
        project = Project(Path(folder))
        up = ("up", SAMPLE, "--propagation", propagation)
        try:
            times.add("up from nothing", project.conductor(*up))
            for phase, took in project.phases():
                times.add(f"  {phase}", took)
            times.add("second up", project.conductor(*up))
            for phase, took in project.phases():
                times.add(f"  {phase} (second)", took)
            times.add("preview", project.conductor("preview", SAMPLE))
            times.add("destroy", project.conductor("destroy", "--yes"))
        finally:
            project.conductor("cloud", "stop")


def table(times: Times) -> Iterator[str]:
    """Yield the lines of the table: seconds, and the median in starts of a program."""
    yield f"{'':<40}{'min s':>9}{'median s':>10}{'max s':>9}{'starts':>9}"
    reference = statistics.median(times.by_name[REFERENCE])
    for name, seconds in times.by_name.items():
        median = statistics.median(seconds)
        yield (
            f"{name:<40}{min(seconds):>9.2f}{median:>10.2f}{max(seconds):>9.2f}"
            f"{median / reference:>9.1f}"
        )


def main() -> None:
    """Measure as often as asked for and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3, help="how often; 3 unless told")
    parser.add_argument(
        "--propagation",
        choices=("none", "seeded"),
        default="none",
        help="how the local cloud delays grants; `none` measures the product alone",
    )
    options = parser.parse_args()
    times = Times()
    for _ in range(options.runs):
        measure(times, options.propagation)
    sys.stdout.write("\n".join(table(times)) + "\n")


if __name__ == "__main__":
    main()
