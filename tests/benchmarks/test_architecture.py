"""What is promised about large architecture files holds, and the benchmark shows it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_large_file_is_understood_in_two_seconds_and_200_mb() -> None:
    """Step 3, item 9: 300 services with 1,000 resources, from text to planned grants."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "architecture.py"), "--services", "30", "300"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    heads, _, large = done.stdout.splitlines()
    assert heads.split()[:2] == ["services", "resources"]
    services, resources = map(int, large.split()[:2])
    assert services == 300
    assert abs(resources - 1000) < 20
