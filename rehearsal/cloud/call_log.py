"""The call log: one JSON line for every call that reached the local cloud."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.faults.injector import ConnectionDroppedError

_LARGE: Final = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class CallRecord:
    """What became of one call.

    Attributes:
        at: When it arrived, in seconds since the epoch.
        method: The method's id, or HTTP method and path where there is none.
        principal: Who called.
        resource: What the permission was checked on, else the path.
        decision: `allowed`, `denied`, or `unchecked` where no permission is needed.
        code: The HTTP status of the answer; 0 where there was none.
        ms: How long it took.
        message: The error's message.
        fault: What a fault rule injected; empty for an undisturbed call.
    """

    at: float
    method: str
    principal: str
    resource: str
    decision: str
    code: int
    ms: float
    message: str = ""
    fault: str = ""


@dataclass(slots=True)
class OpenCall:
    """A call on its way; what is known of it when it ends becomes its record."""

    method: str
    principal: str
    resource: str
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


class CallLog:
    """Appends records to a file; a large one is put aside when a new log begins."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.exists() and path.stat().st_size > _LARGE:
            path.replace(path.with_suffix(".previous.jsonl"))
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

    def write(self, record: CallRecord) -> None:
        """Append one record."""
        self._file.write(json.dumps(asdict(record)) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()
