"""Stacks' locks whose owner has died.

Pulumi's lock is a file with the owner's name, host and process id; it has no expiry, so a killed
process leaves it behind for ever. We hold the environment while we work on its stacks: a lock of
one of its stacks whose process is gone from this machine is nobody's.
"""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

# As the engines print it (pulumi `pkg/backend/diy/lock.go`).
OWNER = re.compile(r"created by \S+@(?P<host>\S+) \(pid (?P<pid>\d+)\)")
LOCK_FILE = re.compile(r"file://(?P<path>\S+\.json): created by")


def owners_have_died(message: str) -> bool:
    """Say whether every lock in the engine's message belonged to a dead process of this machine."""
    owners = [(found["host"], int(found["pid"])) for found in OWNER.finditer(message)]
    here = socket.gethostname()
    return bool(owners) and all(host == here and not _lives(pid) for host, pid in owners)


def remove_locks(message: str) -> None:
    """Remove the locks in the engine's message; whoever does so knows that they are nobody's."""
    for found in LOCK_FILE.finditer(message):
        Path(found["path"]).unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_defunct(pid)


def _is_defunct(pid: int) -> bool:
    """Say whether a process has ended, and only its parent has not asked how."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    # Its state comes after its name, which is in parentheses and may hold anything.
    return status.rpartition(")")[2].split()[:1] == ["Z"]
