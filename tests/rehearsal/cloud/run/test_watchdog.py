"""The watchdog ends what the cloud can no longer end."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator

import pytest

from rehearsal.cloud.run.watchdog import Watchdog

SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own."""
    with subprocess.Popen(SLEEP, start_new_session=True) as process:
        yield process
        process.kill()


def test_watched_groups_end_with_the_pipe(sleeper: subprocess.Popen[bytes]) -> None:
    """When the cloud's end of the pipe closes, what was watched is killed."""
    watchdog = Watchdog()
    watchdog.watch(sleeper.pid)
    asyncio.run(watchdog.stop())
    assert sleeper.wait(10) == -9


def test_a_released_group_is_left_alone(sleeper: subprocess.Popen[bytes]) -> None:
    """A group that was released is none of the watchdog's business any more."""
    watchdog = Watchdog()
    watchdog.watch(sleeper.pid)
    watchdog.release(sleeper.pid)
    asyncio.run(watchdog.stop())
    assert sleeper.poll() is None


def test_a_watchdog_that_was_ended_is_replaced(sleeper: subprocess.Popen[bytes]) -> None:
    """The next one knows everything its predecessor knew."""
    watchdog = Watchdog()
    watchdog.watch(sleeper.pid)
    first = watchdog._process
    assert first is not None
    first.kill()
    first.wait()
    # The first did not come to ending anything.
    assert sleeper.poll() is None
    with subprocess.Popen(SLEEP, start_new_session=True) as other:
        watchdog.watch(other.pid)
        asyncio.run(watchdog.stop())
        assert (sleeper.wait(10), other.wait(10)) == (-9, -9)
