"""The local cloud's state: named JSON bodies of many kinds, in one SQLite file.

Every write is on disk before it returns, so a killed process loses nothing that it acknowledged.
Reads come from memory. What the bodies mean is each service's matter.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rehearsal.cloud.calls import JsonObject

_SCHEMA = """
CREATE TABLE IF NOT EXISTS bodies (
    kind TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID
"""


class Store:
    """Bodies by kind and full resource name; callers own the copies they get."""

    def __init__(self, path: Path) -> None:
        # One event loop writes; a test may close the store from another thread.
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.execute(_SCHEMA)
        # Serialised bodies: a caller who changes what it got changes nothing here.
        self._bodies: dict[str, dict[str, str]] = {}
        for kind, name, body in self._database.execute("SELECT kind, name, body FROM bodies"):
            self._bodies.setdefault(kind, {})[name] = body

    def get(self, kind: str, name: str) -> JsonObject | None:
        """Return one body, or None."""
        body = self._bodies.get(kind, {}).get(name)
        return None if body is None else _parsed(body)

    def put(self, kind: str, name: str, body: JsonObject) -> None:
        """Create or replace one body."""
        self.put_many(kind, [(name, body)])

    def put_many(self, kind: str, bodies: Iterable[tuple[str, JsonObject]]) -> None:
        """Create or replace several bodies, all or none."""
        rows = [(kind, name, json.dumps(body, separators=(",", ":"))) for name, body in bodies]
        self._write("INSERT OR REPLACE INTO bodies VALUES (?, ?, ?)", rows)
        index = self._bodies.setdefault(kind, {})
        index.update((name, body) for _, name, body in rows)

    def delete(self, kind: str, name: str) -> bool:
        """Remove one body; tell whether it was there."""
        return bool(self.delete_many(kind, [name]))

    def delete_many(self, kind: str, names: Iterable[str]) -> int:
        """Remove several bodies, all or none; return how many were there."""
        index = self._bodies.get(kind, {})
        present = [name for name in names if name in index]
        self._write(
            "DELETE FROM bodies WHERE kind = ? AND name = ?", [(kind, name) for name in present]
        )
        for name in present:
            del index[name]
        return len(present)

    def items(self, kind: str, prefix: str = "") -> Iterator[tuple[str, JsonObject]]:
        """All bodies of a kind whose names begin with the prefix, ordered by name."""
        index = self._bodies.get(kind, {})
        for name in sorted(name for name in index if name.startswith(prefix)):
            yield name, _parsed(index[name])

    def close(self) -> None:
        """Close the file; the store is of no use afterwards."""
        self._database.close()

    def _write(self, statement: str, rows: Sequence[tuple[str, ...]]) -> None:
        if len(rows) == 1:
            self._database.execute(statement, rows[0])
        elif rows:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                self._database.executemany(statement, rows)
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")


def _parsed(body: str) -> JsonObject:
    parsed: JsonObject = json.loads(body)
    return parsed
