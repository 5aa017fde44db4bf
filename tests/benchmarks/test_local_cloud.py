"""What is promised about the local cloud's speed holds, and the benchmark shows it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.long
def test_the_local_cloud_is_as_fast_and_small_as_promised() -> None:
    """Step 8, item 8: start, 500 creations, idle memory."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "local_cloud.py")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
