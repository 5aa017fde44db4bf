"""Who is killed, and at which moment: by a line that a run prints, or a call that the cloud saw."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

from end_to_end.project import Rehearsal

PATIENCE_S = 60.0
POLL_S = 0.01
QUICK = ("--propagation", "none")


def kill_cloud(rehearsal: Rehearsal) -> None:
    """Kill the local cloud; its services end with it."""
    os.kill(int(rehearsal.cloud_record()["pid"]), signal.SIGKILL)


def kill_service(rehearsal: Rehearsal, name: str) -> int:
    """Kill a deployed service's process; gives the id that it had."""
    pid = wait_for(lambda: rehearsal.service_process(name))
    os.kill(pid, signal.SIGKILL)
    return pid


def until_called(rehearsal: Rehearsal, method: str, principal: str = "*") -> None:
    """Wait until the local cloud has answered such a call that was not there before."""

    def count() -> int:
        return sum(
            fnmatchcase(call["method"], method) and fnmatchcase(call["principal"], principal)
            for call in rehearsal.calls()
        )

    before = count()
    wait_for(lambda: count() > before)


def wait_for(look: Callable[[], Any]) -> Any:
    """Look until there is something; give it."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(POLL_S)
    raise AssertionError(f"nothing came of {look} within {PATIENCE_S:.0f} s")
