"""Locks of a stack: one update at a time, across processes and machines sharing the folder."""

from __future__ import annotations

import getpass
import json
import os
import random
import re
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rehearsal.engine import clock
from rehearsal.engine.errors import CommandFailedError
from rehearsal.engine.files import write_atomically
from rehearsal.engine.values import gojson
from rehearsal.engine.values.gojson import JsonObject

# Who meets others while taking the lock tries again this often, after up to this long.
_ATTEMPTS: Final = 6
_PAUSE_S: Final = 0.02


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a stack's lock: look, write our own, look again.

    Raises:
        CommandFailedError: somebody else holds it, in the words the Automation API looks for.
    """
    own = folder / f"{uuid.uuid4()}.json"
    _acquire(folder, own)
    try:
        yield
    finally:
        own.unlink(missing_ok=True)


def _acquire(folder: Path, own: Path) -> None:
    """Take the lock; of several who come at the same moment one gets it, not none."""
    content: JsonObject = {
        "pid": os.getpid(),
        "username": getpass.getuser(),
        "hostname": socket.gethostname(),
        "timestamp": clock.rfc3339(),
    }
    for attempts_left in reversed(range(_ATTEMPTS)):
        _refuse_others(folder, own)
        write_atomically(own, gojson.dumps(content))
        try:
            _refuse_others(folder, own)
        except BaseException as error:
            own.unlink(missing_ok=True)
            if not attempts_left or not isinstance(error, CommandFailedError):
                raise
            # They came between our two looks, and may have given way to us as we do to them.
            time.sleep(random.uniform(0, _PAUSE_S))  # noqa: S311 (no secret, only a spread)
        else:
            return


def release_all(folder: Path) -> int:
    """Delete every lock of a stack, whoever holds it; return how many there were."""
    locks = _locks(folder)
    for lock in locks:
        lock.unlink(missing_ok=True)
    return len(locks)


def _locks(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json")) if folder.is_dir() else []


def _refuse_others(folder: Path, own: Path) -> None:
    others = [lock for lock in _locks(folder) if lock != own]
    if not others:
        return
    lines = [
        (
            f"the stack is currently locked by {len(others)} lock(s). Either wait for the other"
            " process(es) to end or delete the lock file with `pulumi cancel`."
        ),
        *(_describe(lock) for lock in others),
    ]
    raise CommandFailedError("\n".join(lines))


def _describe(lock: Path) -> str:
    try:
        content = json.loads(lock.read_text(encoding="utf-8"))
        holder = f"{content['username']}@{content['hostname']} (pid {content['pid']})"
        # As in the real engine to the second.
        at = re.sub(r"\.\d+", "", str(content["timestamp"]))
        return f"  {lock.as_uri()}: created by {holder} at {at}"
    except (OSError, ValueError, KeyError, TypeError):
        return f"  {lock.as_uri()}: unreadable"
