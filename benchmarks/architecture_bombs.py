"""What texts cost that are made to exhaust the machine: each is refused before it is expanded.

    python -m benchmarks.architecture_bombs

prints, for each bomb, its size, how long the refusal took, the peak of memory beside a file that is
fine, and the rule. The promise (fault case 29): under 1 s and under 200 MB.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
PROMISED_S: Final = 1.0
PROMISED_MB: Final = 200.0


def bombs() -> dict[str, str]:
    """Make the texts: aliases of aliases, depth, size, long keys, many anchors."""
    names = "abcdefghij"
    laughs = [f"a0: &{names[0]} [x, x, x, x, x, x, x, x, x, x]"]
    laughs += [
        f"a{n}: &{names[n]} [{', '.join([f'*{names[n - 1]}'] * 10)}]" for n in range(1, len(names))
    ]
    return {
        "a file that is fine": (ROOT / "testdata/architectures/tracer.yaml").read_text(),
        "10^10 by aliases": "\n".join(laughs),
        "depth 10,000 (flow)": "a: " + "[" * 10_000,
        "depth 10,000 (block)": "\n".join(" " * n + "a:" for n in range(10_000)),
        "20 MB of one text": "name: " + "x" * 20_000_000,
        "9 MB of keys": "\n".join(f"k{n}: {n}" for n in range(600_000)),
        "9 MB of list items": "a: [" + ",".join("x" for _ in range(4_500_000)),
        "merge of merges": "\n".join(
            [
                "m0: &m0 {a: 1}",
                *(f"m{n}: &m{n} {{<<: [*m{n - 1}, *m{n - 1}]}}" for n in range(1, 40)),
            ]
        ),
    }


def measure(path: Path) -> dict[str, float | str]:
    """Load a file in this process and say what that cost."""
    from architecture.findings import InvalidArchitecture  # noqa: PLC0415 - not part of the time
    from architecture.loading import load  # noqa: PLC0415 - as above

    started = time.perf_counter()
    try:
        load(path)
        rule = "accepted"
    except InvalidArchitecture as error:
        rule = error.findings[0].rule
    took = time.perf_counter() - started
    peak = int(re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[0]) / 1024
    return {"seconds": took, "peak_mb": peak, "rule": rule}


def main() -> None:
    """Measure every bomb in a process of its own, so that its memory is its own."""
    if len(sys.argv) > 1:
        sys.stdout.write(json.dumps(measure(Path(sys.argv[1]))))
        return
    sys.stdout.write(f"{'':<24}{'KB':>9}{'s':>8}{'peak MB':>9}  rule\n")
    with tempfile.TemporaryDirectory(prefix="conductor-benchmark-") as folder:
        for name, text in bombs().items():
            path = Path(folder) / "bomb.yaml"
            path.write_text(text)
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.architecture_bombs", str(path)],
                check=True,
                capture_output=True,
                text=True,
                cwd=ROOT,
            )
            found = json.loads(done.stdout)
            keeps = found["seconds"] < PROMISED_S and found["peak_mb"] < PROMISED_MB
            figures = f"{len(text) / 1024:>9.0f}{found['seconds']:>8.3f}{found['peak_mb']:>9.0f}"
            broken = "" if keeps else "  PROMISE BROKEN"
            sys.stdout.write(f"{name:<24}{figures}  {found['rule']}{broken}\n")


if __name__ == "__main__":
    main()
