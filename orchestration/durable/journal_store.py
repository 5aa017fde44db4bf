"""Where journal entries are kept: one table, written before and after each step."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import sqlalchemy as sa

from orchestration.conductor.journal import JournalEntry, StepEvent, StepStatus, next_status
from orchestration.durable.database import journal_table, translated
from orchestration.durable.lease import Lease


class JournalStore:
    """The journals of one environment's runs; safe from any thread.

    Whoever writes one that others may write too holds the environment's lease: once it is lost,
    nothing is added any more.
    """

    def __init__(self, engine: sa.Engine, environment: str, lease: Lease | None = None) -> None:
        self._engine = engine
        self._environment = environment
        self._lease = lease
        self._lock = threading.Lock()
        self._url = engine.url.render_as_string(hide_password=False)

    def add(self, run_id: str, step: str, event: StepEvent, note: str = "") -> StepStatus:
        """Add an event to a step's journal and give the step's status after it.

        Raises:
            IllegalTransitionError: the event cannot happen to the step now.
            Fenced: somebody else has taken the environment over.
            DatabaseUnusable: it was not stored.
        """
        with self._lock, translated(self._url), self._engine.begin() as connection:
            if self._lease is not None:
                # In the same transaction: whoever takes over waits for its end.
                self._lease.renew(connection)
            status = StepStatus.NEVER_STARTED
            for known in connection.execute(
                sa.select(journal_table.c.event)
                .where(*self._of(run_id), journal_table.c.step == step)
                .order_by(journal_table.c.position)
            ):
                status = next_status(status, StepEvent(known.event))
            status = next_status(status, event)
            connection.execute(
                journal_table.insert().values(
                    environment=self._environment,
                    run_id=run_id,
                    step=step,
                    event=event.value,
                    at=datetime.now(UTC).isoformat(),
                    note=note,
                )
            )
        return status

    def read(self, run_id: str) -> tuple[JournalEntry, ...]:
        """Read a run's journal in order.

        Raises:
            DatabaseUnusable: it cannot be read.
        """
        with translated(self._url), self._engine.connect() as connection:
            rows = connection.execute(
                sa.select(journal_table).where(*self._of(run_id)).order_by(journal_table.c.position)
            ).all()
        return tuple(
            JournalEntry(
                run_id=row.run_id,
                step=row.step,
                event=StepEvent(row.event),
                at=datetime.fromisoformat(row.at),
                note=row.note,
            )
            for row in rows
        )

    def _of(self, run_id: str) -> tuple[sa.ColumnElement[bool], ...]:
        return (
            journal_table.c.environment == self._environment,
            journal_table.c.run_id == run_id,
        )
