"""The rows of all tables, in one SQLite file beside the cloud's store.

Rows are on disk before an insertion is answered. What may be in a row is `insertion`'s matter.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rehearsal.cloud.calls import JsonObject

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS rows (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    table_name TEXT NOT NULL,
    row TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    insert_id TEXT,
    inserted_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS rows_of_table ON rows (table_name, id);
CREATE INDEX IF NOT EXISTS recent_rows ON rows (table_name, insert_id);
CREATE TABLE IF NOT EXISTS results (job TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
"""
# "at least one minute": how long BigQuery remembers an insertion's id.
_REMEMBERED_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Row:
    """A row to append.

    Attributes:
        values: Kept values by column; columns without one are left out.
        size: The bytes it counts for.
        insert_id: What tells it from a repeated one; empty for none.
    """

    values: JsonObject
    size: int
    insert_id: str = ""

    def to_json(self) -> str:
        """The row as it is kept."""
        return json.dumps(self.values, separators=(",", ":"), ensure_ascii=False)


class Rows:
    """All rows of one local cloud."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._clock = cloud.clock
        self.path = cloud.data_dir / "rows.sqlite"
        self.database = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        self.database.execute("PRAGMA journal_mode=WAL")
        self.database.execute("PRAGMA synchronous=NORMAL")
        self.database.executescript(_SCHEMA)

    async def start(self) -> None:
        """Nothing to begin: the file is open."""

    async def stop(self) -> None:
        """Close the file."""
        self.database.close()

    def append(self, table: str, rows: Sequence[Row], *, truncates: bool = False) -> None:
        """Append rows, all or none; those inserted already a moment ago are left out.

        `truncates` removes those that were there, in the same step.
        """
        now = self._clock()
        fresh = [row for row in rows if not self._is_known(table, row.insert_id, now)]
        self._change(
            "INSERT INTO rows (table_name, row, bytes, insert_id, inserted_at)"
            " VALUES (?, ?, ?, ?, ?)",
            [(table, row.to_json(), row.size, row.insert_id or None, now) for row in fresh],
            emptied=table if truncates else "",
        )

    def replace(self, changed: Iterable[tuple[int, Row]]) -> None:
        """Replace rows by id, all or none."""
        self._change(
            "UPDATE rows SET row = ?, bytes = ? WHERE id = ?",
            [(row.to_json(), row.size, row_id) for row_id, row in changed],
        )

    def remove(self, row_ids: Iterable[int]) -> None:
        """Remove rows by id, all or none."""
        self._change("DELETE FROM rows WHERE id = ?", [(row_id,) for row_id in row_ids])

    def drop(self, table: str) -> None:
        """Remove all rows of a table."""
        self.database.execute("DELETE FROM rows WHERE table_name = ?", (table,))

    def count(self, table: str) -> tuple[int, int]:
        """Return how many rows a table has, and the bytes that they count for."""
        counted: tuple[int, int] = self.database.execute(
            "SELECT count(*), coalesce(sum(bytes), 0) FROM rows WHERE table_name = ?", (table,)
        ).fetchone()
        return counted

    def page(self, table: str, start: int, limit: int) -> Iterator[JsonObject]:
        """Yield rows of a table in the order of their insertion."""
        found = self.database.execute(
            "SELECT row FROM rows WHERE table_name = ? ORDER BY id LIMIT ? OFFSET ?",
            (table, limit, start),
        )
        for (row,) in found:
            yield json.loads(row)

    def by_id(self, row_ids: Iterable[int]) -> dict[int, JsonObject]:
        """Return the kept values of rows."""
        return {
            row_id: json.loads(row)
            for one in row_ids
            for row_id, row in self.database.execute(
                "SELECT id, row FROM rows WHERE id = ?", (one,)
            )
        }

    def forget_columns(self, table: str, columns: Iterable[str]) -> None:
        """Remove the values of dropped columns."""
        for column in columns:
            self.database.execute(
                "UPDATE rows SET row = json_remove(row, ?) WHERE table_name = ?",
                (f"$.{column}", table),
            )

    def keep_result(self, job: str, body: JsonObject) -> None:
        """Keep what a query found."""
        self.database.execute("INSERT INTO results VALUES (?, ?)", (job, json.dumps(body)))

    def result(self, job: str) -> JsonObject:
        """Return what a query found; a job without rows has an empty result."""
        found = self.database.execute("SELECT body FROM results WHERE job = ?", (job,)).fetchone()
        body: JsonObject = json.loads(found[0]) if found else {}
        return body

    def _is_known(self, table: str, insert_id: str, now: float) -> bool:
        if not insert_id:
            return False
        found = self.database.execute(
            "SELECT 1 FROM rows WHERE table_name = ? AND insert_id = ? AND inserted_at > ?",
            (table, insert_id, now - _REMEMBERED_S),
        )
        return found.fetchone() is not None

    def _change(
        self, statement: str, rows: Sequence[tuple[object, ...]], *, emptied: str = ""
    ) -> None:
        self.database.execute("BEGIN IMMEDIATE")
        try:
            if emptied:
                self.drop(emptied)
            self.database.executemany(statement, rows)
        except BaseException:
            self.database.execute("ROLLBACK")
            raise
        self.database.execute("COMMIT")
