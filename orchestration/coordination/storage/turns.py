"""Turns at writing to SQLite, which has one writer at a time, with one sync for those that queue.

Bringing a transaction to the disk takes longer than most requests' work. So whoever waits for a
turn meanwhile joins the open transaction, each within a savepoint of its own: one that fails undoes
only what it wrote itself. Nobody's turn ends before the transaction of all of them is on disk, and
if that fails, it fails for each of them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import sqlalchemy as sa

# The first one's answer waits for those that join it: not for many, and not for long.
MOST_MEMBERS: Final = 32
LONGEST_S: Final = 0.02


class _Shared:
    """A transaction of several turns."""

    def __init__(self, engine: sa.Engine) -> None:
        self.connection = engine.connect()
        try:
            self._transaction = self.connection.begin()
        except BaseException:
            self.connection.close()
            raise
        self.members = 0
        self._began_at = time.monotonic()
        self._is_over = threading.Event()
        self._failure: BaseException | None = None

    @property
    def has_room(self) -> bool:
        """Say whether one more may join."""
        is_young = time.monotonic() - self._began_at < LONGEST_S
        return is_young and self.members < MOST_MEMBERS

    @property
    def is_lost(self) -> bool:
        """Say whether SQLite gave up the whole transaction, as it does when a disk is full."""
        driver = self.connection.connection.dbapi_connection
        return not getattr(driver, "in_transaction", False)

    def end(self, failure: BaseException | None) -> None:
        """Commit, or undo everything for a reason; then every member goes on."""
        try:
            if failure is None:
                self._transaction.commit()
        except BaseException as error:  # noqa: BLE001 - each member raises it
            failure = error
        self._failure = failure
        try:
            if failure is not None:
                # Whatever is still open in it, nobody else may get this connection.
                self.connection.invalidate(failure)
            self.connection.close()
        finally:
            self._is_over.set()

    def wait(self) -> None:
        """Return once everything is on disk.

        Raises:
            Exception: what kept it from getting there.
        """
        self._is_over.wait()
        if self._failure is not None:
            raise self._failure


class WriteTurns:
    """Gives turns at writing, one after the other."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._turn = threading.Lock()
        self._counting = threading.Lock()
        self._waiting = 0
        # Who has the turn has this too.
        self._shared: _Shared | None = None

    @contextmanager
    def take(self) -> Iterator[sa.Connection]:
        """Run the block as a transaction; after it, what it wrote is on disk."""
        self._queue()
        try:
            shared = self._shared = self._shared or _Shared(self._engine)
        except BaseException:
            self._turn.release()
            raise
        shared.members += 1
        failure: BaseException | None = None
        try:
            shared.connection.exec_driver_sql("SAVEPOINT turn")
            yield shared.connection
            shared.connection.exec_driver_sql("RELEASE turn")
        except BaseException as error:
            if shared.is_lost:
                failure = error
            else:
                shared.connection.exec_driver_sql("ROLLBACK TO turn")
            raise
        finally:
            self._pass_on(shared, failure)
        shared.wait()

    def _queue(self) -> None:
        with self._counting:
            self._waiting += 1
        try:
            self._turn.acquire()
        finally:
            with self._counting:
                self._waiting -= 1

    def _pass_on(self, shared: _Shared, failure: BaseException | None) -> None:
        """Let the next one join; the last one ends the transaction for all."""
        with self._counting:
            is_joined = failure is None and self._waiting > 0 and shared.has_room
        try:
            if not is_joined:
                self._shared = None
                shared.end(failure)
        finally:
            self._turn.release()
