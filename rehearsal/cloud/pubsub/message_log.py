"""Unacknowledged messages on disk, so that a publish once confirmed is never lost.

One row per message and subscription. Topics and subscriptions themselves live in the cloud's
store; leases live in memory only: after a restart every unacknowledged message is delivered again.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rehearsal.cloud.pubsub.messages import Message

_SCHEMA = """
CREATE TABLE IF NOT EXISTS backlog (
    subscription TEXT NOT NULL,
    message_id TEXT NOT NULL,
    message BLOB NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (subscription, message_id)
) WITHOUT ROWID
"""


class MessageLog:
    """The backlog of every subscription, in one SQLite file."""

    def __init__(self, path: Path) -> None:
        # Each statement commits by itself. With a write-ahead log and NORMAL syncing a commit
        # survives the end of this process, though not a power failure.
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute(_SCHEMA)

    def append(self, owed: Mapping[str, Sequence[Message]]) -> None:
        """Record messages as owed to subscriptions (the keys), all or nothing."""
        self._many(
            "INSERT OR REPLACE INTO backlog (subscription, message_id, message) VALUES (?, ?, ?)",
            [
                (subscription, message.message_id, message.to_bytes())
                for subscription, messages in owed.items()
                for message in messages
            ],
        )

    def settle(self, subscription: str, message_ids: Sequence[str]) -> None:
        """Forget messages that were acknowledged, dead-lettered or outlived their retention."""
        self._many(
            "DELETE FROM backlog WHERE subscription = ? AND message_id = ?",
            [(subscription, message_id) for message_id in message_ids],
        )

    def record_attempts(self, subscription: str, attempts: Sequence[tuple[str, int]]) -> None:
        """Remember how often messages were delivered in vain."""
        self._many(
            "UPDATE backlog SET attempts = ? WHERE subscription = ? AND message_id = ?",
            [(count, subscription, message_id) for message_id, count in attempts],
        )

    def drop(self, subscription: str) -> None:
        """Forget everything owed to a subscription."""
        self._connection.execute("DELETE FROM backlog WHERE subscription = ?", (subscription,))

    def read(self, subscription: str) -> Iterator[tuple[Message, int]]:
        """Yield the messages owed to a subscription with their attempts, oldest first."""
        rows = self._connection.execute(
            "SELECT message, attempts FROM backlog WHERE subscription = ?"
            " ORDER BY CAST(message_id AS INTEGER)",
            (subscription,),
        )
        for stored, attempts in rows:
            yield Message.from_bytes(stored), attempts

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _many(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        if not rows:
            return
        self._connection.execute("BEGIN")
        try:
            self._connection.executemany(statement, rows)
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
