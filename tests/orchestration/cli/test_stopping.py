"""What Ctrl-C and SIGTERM do to a command."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os, signal, time
from orchestration.cli.console import reported
from orchestration.concurrency import is_stopping, stopped_by_request

with reported():
    with stopped_by_request():
        os.kill(os.getpid(), signal.SIGTERM)
        while not is_stopping():
            time.sleep(0.01)
        print("wrote its record", flush=True)
    os.kill(os.getpid(), signal.SIGTERM)
    print("went on", flush=True)
"""


def test_a_signal_is_a_request_where_an_exception_would_lose_a_record() -> None:
    """Within such a block a stop is seen and nothing is raised; behind it the command ends."""
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.stdout == "wrote its record\n", ended.stderr
    assert ended.returncode == 130
    assert "interrupted" in ended.stderr
