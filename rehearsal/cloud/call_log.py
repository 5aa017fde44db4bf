"""The call log: one JSON line for every call that reached the local cloud."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class CallRecord:
    """What became of one call.

    Attributes:
        at: When it arrived, in seconds since the epoch.
        method: The method's id, or HTTP method and path where there is none.
        principal: Who called.
        resource: What the permission was checked on, else the path.
        decision: `allowed`, `denied`, or `unchecked` where no permission is needed.
        code: The HTTP status of the answer.
        ms: How long it took.
        message: The error's message.
    """

    at: float
    method: str
    principal: str
    resource: str
    decision: str
    code: int
    ms: float
    message: str = ""


class CallLog:
    """Appends records to a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("a", buffering=1, encoding="utf-8")

    def write(self, record: CallRecord) -> None:
        """Append one record."""
        self._file.write(json.dumps(asdict(record)) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()
