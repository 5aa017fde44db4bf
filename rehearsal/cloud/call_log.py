"""The call log: one JSON line for every call that reached the local cloud, also a refused one.

It tells nothing that a caller keeps secret: no token, no query, no body.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.faults.injector import ConnectionDroppedError
from rehearsal.cloud.iam.members import ANONYMOUS

# About 150,000 calls; with the file before it the log never takes more than twice as much.
_LARGEST: Final = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class CallRecord:
    """What became of one call.

    Attributes:
        at: When it arrived, in seconds since the epoch.
        method: The method's id, or HTTP method and path where there is none.
        principal: Who called.
        resource: What the permission was checked on, else the path.
        permission: What the call needed; empty where that was not asked.
        decision: `allowed`, `denied`, or `unchecked` where it did not come to the question.
        code: The HTTP status of the answer; 0 where there was none.
        ms: How long it took.
        message: The error's message; of a call to a service what was asked of it.
        fault: What a fault rule injected; empty for an undisturbed call.
    """

    at: float
    method: str
    principal: str
    resource: str
    decision: str
    code: int
    ms: float
    permission: str = ""
    message: str = ""
    fault: str = ""


@dataclass(slots=True)
class OpenCall:
    """A call on its way; what is known of it when it ends becomes its record."""

    method: str
    principal: str
    resource: str
    permission: str = ""
    decision: str = "unchecked"
    code: int = 500
    message: str = "Internal error"
    fault: str = ""

    def answered(self, code: int, message: str = "") -> None:
        """Note the answer."""
        self.code = code
        self.message = message

    def injected(self, fault: str) -> None:
        """Note what a fault rule injected."""
        self.fault = fault

    @contextmanager
    def decided(self, permission: str) -> Iterator[None]:
        """Note what the block, which asks for a permission, decides."""
        self.permission, self.decision = permission, "denied"
        yield
        self.decision = "allowed"


class CallLog:
    """Appends records to a file; a full one is put aside, in place of the one before it."""

    def __init__(self, path: Path, *, largest: int = _LARGEST) -> None:
        self.path = path
        self._largest = largest
        self._file = path.open("a", buffering=1, encoding="utf-8")

    @contextmanager
    def call(self, method: str, principal: str, resource: str) -> Iterator[OpenCall]:
        """Time a call and append its record when it ends, however it ends."""
        at, clock = time.time(), time.perf_counter()
        call = OpenCall(method, principal, resource)
        try:
            yield call
        except ApiError as error:
            call.answered(error.code, error.message)
            raise
        except ConnectionDroppedError:
            call.answered(0, "The connection was dropped.")
            raise
        finally:
            ms = round((time.perf_counter() - clock) * 1000, 2)
            self.write(CallRecord(at=round(at, 3), ms=ms, **asdict(call)))

    def refused(self, method: str, resource: str, error: ApiError) -> None:
        """Append the record of a call that was refused before anybody knew what it was."""
        with suppress(ApiError), self.call(method, ANONYMOUS, resource) as call:
            call.decision = "denied"
            raise error

    def write(self, record: CallRecord) -> None:
        """Append one record."""
        self._file.write(json.dumps(asdict(record)) + "\n")
        if self._file.tell() > self._largest:
            self._file.close()
            self.path.replace(previous_log(self.path))
            self._file = self.path.open("a", buffering=1, encoding="utf-8")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def previous_log(path: Path) -> Path:
    """Return where the records before those in a log are, if there were so many."""
    return path.with_suffix(".previous.jsonl")
