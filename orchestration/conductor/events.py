"""What happens in a run, as it happens: for the terminal, for `--json` and for the record."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from orchestration.automation.results import Json
from orchestration.conductor.phases import Phase


class RunEventKind(StrEnum):
    """The events, named as past-tense facts."""

    RUN_STARTED = "run_started"
    RUN_RESUMED = "run_resumed"
    RUN_FINISHED = "run_finished"
    RUN_FAILED = "run_failed"
    PHASE_STARTED = "phase_started"
    PHASE_FINISHED = "phase_finished"
    PHASE_FAILED = "phase_failed"
    RESOURCE_STARTED = "resource_started"
    RESOURCE_FINISHED = "resource_finished"
    RESOURCE_FAILED = "resource_failed"
    STACK_FINISHED = "stack_finished"
    GRANT_EFFECTIVE = "grant_effective"
    COMMAND_SENT = "command_sent"
    COMMAND_COMPLETED = "command_completed"
    SERVICE_HEALTHY = "service_healthy"
    UNDO_STARTED = "undo_started"
    UNDO_FINISHED = "undo_finished"
    UNDO_FAILED = "undo_failed"
    NOTED = "noted"
    WARNED = "warned"


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One fact of a run."""

    sequence: int
    at: datetime
    run_id: str
    kind: RunEventKind
    phase: Phase | None
    fields: Mapping[str, Json]

    def to_json(self) -> dict[str, Json]:
        """Give the event as one flat JSON object."""
        return {
            "sequence": self.sequence,
            "at": self.at.isoformat(),
            "run_id": self.run_id,
            "event": self.kind.value,
            "phase": None if self.phase is None else int(self.phase),
            **self.fields,
        }


Observer = Callable[[RunEvent], None]


class RunLog:
    """Numbers the events of one run and hands them to its observers, one at a time."""

    def __init__(self, run_id: str, observers: Sequence[Observer]) -> None:
        self.run_id = run_id
        self.phase: Phase | None = None
        self._observers = tuple(observers)
        self._lock = threading.Lock()
        self._sequence = 0

    def emit(self, kind: RunEventKind, **fields: Json) -> None:
        """Tell every observer of one fact; safe from any thread."""
        with self._lock:
            event = RunEvent(
                sequence=self._sequence,
                at=datetime.now(UTC),
                run_id=self.run_id,
                kind=kind,
                phase=self.phase,
                fields=fields,
            )
            self._sequence += 1
            for observer in self._observers:
                observer(event)
