"""Queries at work: who may run them, their parameters, and their results or changes."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rehearsal.cloud.bigquery.access import access_denied
from rehearsal.cloud.bigquery.columns import columns_of
from rehearsal.cloud.bigquery.insertion import RowError, kept_row
from rehearsal.cloud.bigquery.rows import Row, Rows
from rehearsal.cloud.bigquery.sql_functions import Functions
from rehearsal.cloud.bigquery.state import Datasets
from rehearsal.cloud.bigquery.values import BadValueError, Kept, keep, text_of
from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import ApiError

if TYPE_CHECKING:
    from rehearsal.cloud.bigquery.sql_plans import Parameter, Plan
    from rehearsal.cloud.local_cloud import LocalCloud

_DROPPED: Final = re.compile(r"(?i)DROP COLUMN `?(\w+)`?")
_DROP_COLUMNS: Final = re.compile(
    r"(?i)ALTER TABLE `([\w-]+\.\w+\.[\w-]+)` (DROP COLUMN `?\w+`?(?:, *DROP COLUMN `?\w+`?)*);?"
)
_LONGEST_S: Final = 60.0
# SQLite asks after so many of its instructions whether to go on.
_INSTRUCTIONS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a statement.

    Attributes:
        kind: SELECT, INSERT, UPDATE or DELETE.
        columns: The schema of the rows; empty for a change.
        rows: Kept values by column.
        changed: How many rows a change changed.
        tables: The full names of the tables read.
    """

    kind: str
    columns: Sequence[JsonObject]
    rows: Sequence[Sequence[Kept]]
    changed: int | None
    tables: Sequence[str]


class Queries:
    """Runs statements for one local cloud."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._datasets = cloud.part(Datasets)
        self._rows = cloud.part(Rows)
        # Changes are made one after another: each sees what the one before left.
        self._changing = asyncio.Lock()

    async def run(self, principal: str, config: JsonObject, *, is_dry: bool) -> Outcome:
        """Run a statement as a principal; `is_dry` only looks at it.

        Raises:
            ApiError: 400 `invalidQuery`; 403 and 404 for its tables.
        """
        if (dropped := _DROP_COLUMNS.fullmatch(str(config.get("query")).strip())) is not None:
            self._drop_columns(principal, dropped, is_dry=is_dry)
            return Outcome("ALTER_TABLE", (), (), None, ())
        plan = self._planned(principal, config)
        for table in plan.tables:
            self._require(principal, "bigquery.tables.getData", table)
        if plan.change:
            self._require(principal, "bigquery.tables.updateData", plan.target)
        if is_dry:
            return Outcome(plan.change or "SELECT", plan.columns, (), None, plan.tables)
        if not plan.change:
            rows = await asyncio.to_thread(_found, self._rows.path, plan)
            return Outcome("SELECT", plan.columns, rows, None, plan.tables)
        async with self._changing:
            rows = await asyncio.to_thread(_found, self._rows.path, plan)
            try:
                self._apply(plan, rows)
            except RowError as problem:
                raise invalid_query(str(problem)) from problem
        return Outcome(plan.change, (), (), len(rows), plan.tables)

    def _drop_columns(self, principal: str, statement: re.Match[str], *, is_dry: bool) -> None:
        """The one change of a table's columns that its update cannot make."""
        table = self._cloud.canonical(
            "projects/{}/datasets/{}/tables/{}".format(*statement[1].split("."))
        )
        self._cloud.iam.require(principal, "bigquery.tables.update", table)
        if not is_dry:
            self._datasets.drop_columns(table, _DROPPED.findall(statement[2]))

    def _planned(self, principal: str, config: JsonObject) -> Plan:
        # sqlglot takes most of a second to import, and few rehearsals query.
        from rehearsal.cloud.bigquery.sql_kinds import QueryError  # noqa: PLC0415
        from rehearsal.cloud.bigquery.sql_plans import Settings, planned  # noqa: PLC0415

        text = str(config.get("query") or "")
        if config.get("useLegacySql", True) and "#standardsql" not in text.lower():
            raise invalid_query(
                "not implemented in the local cloud: legacy SQL (set useLegacySql to false)"
            )
        if config.get("destinationTable"):
            raise invalid_query("not implemented in the local cloud: destinationTable")
        home = config.get("defaultDataset") or {}
        settings = Settings(
            project=self._cloud.project_id,
            dataset=str(home.get("datasetId") or ""),
            parameters=_parameters(config.get("queryParameters") or ()),
            now_us=int(self._cloud.clock() * 1e6),
        )
        try:
            return planned(text, settings, lambda name: self._table(principal, name))
        except QueryError as problem:
            raise invalid_query(str(problem)) from problem

    def _table(self, principal: str, name: str) -> JsonObject:
        """A table that a query names; who may do nothing with it does not hear that it is there."""
        may = ("bigquery.tables.getData", "bigquery.tables.updateData")
        if not any(self._cloud.iam.allows(principal, one, name) for one in may):
            raise access_denied(name)
        project, dataset = name.split("/")[1], name.split("/")[3]
        if project != self._cloud.project_id:
            raise access_denied(name)
        self._datasets.get(f"projects/{project}/datasets/{dataset}")
        return self._datasets.table(name)

    def _require(self, principal: str, permission: str, table: str) -> None:
        if not self._cloud.iam.allows(principal, permission, table):
            raise access_denied(table)

    def _apply(self, plan: Plan, rows: Sequence[Sequence[Kept]]) -> None:
        """Change a table by what the statement's query found."""
        columns = columns_of(self._datasets.table(plan.target))
        if plan.change == "DELETE":
            self._rows.remove(row[0] for row in rows)
        elif plan.change == "INSERT":
            made = [_row(columns, plan, row, {}) for row in rows]
            self._rows.append(plan.target, made)
        else:
            before = self._rows.by_id([row[0] for row in rows])
            self._rows.replace(
                [(row[0], _row(columns, plan, row[1:], before[row[0]])) for row in rows]
            )


def invalid_query(message: str) -> ApiError:
    """A query is wrong, or not covered."""
    return ApiError(400, "INVALID_ARGUMENT", message, reason="invalidQuery")


def _found(path: Path, plan: Plan) -> list[tuple[Kept, ...]]:
    """Run a plan over the rows as they are on disk.

    Raises:
        ApiError: 400; a value cannot be calculated, or it takes too long.
    """
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        functions = Functions(database)
        until_s = time.monotonic() + _LONGEST_S
        database.set_progress_handler(lambda: time.monotonic() > until_s, _INSTRUCTIONS)
        try:
            return database.execute(plan.sql, dict(plan.values)).fetchall()
        except sqlite3.Error as error:
            raise invalid_query(functions.problem or str(error)) from error


def _row(
    columns: Sequence[JsonObject], plan: Plan, values: Sequence[Kept], before: JsonObject
) -> Row:
    """A changed row: what it was, and the fields that are set, checked like an inserted one."""
    given: dict[str, object] = {
        column["name"]: _plain(column, before[column["name"]])
        for column in columns
        if column["name"] in before
    }
    for field, column, value in zip(plan.fields, plan.columns, values, strict=True):
        given[field] = None if value is None else text_of(column["type"], value)
    return kept_row(columns, given)


def _plain(column: JsonObject, kept: Kept) -> object:
    """A kept value as a caller would insert it."""
    if column.get("mode") == "REPEATED":
        one = {**column, "mode": "NULLABLE"}
        return [_plain(one, element) for element in kept]
    if column["type"] == "RECORD":
        fields = {field["name"]: field for field in column["fields"]}
        return {name: _plain(fields[name], value) for name, value in kept.items() if name in fields}
    return text_of(column["type"], kept)


def _parameters(given: Sequence[JsonObject]) -> Mapping[str, Parameter]:
    from rehearsal.cloud.bigquery.sql_plans import Parameter  # noqa: PLC0415 - see `_planned`

    found: dict[str, Parameter] = {}
    for position, one in enumerate(given):
        kind: JsonObject = one.get("parameterType") or {}
        value: JsonObject = one.get("parameterValue") or {}
        name = one.get("name") or f"p{position}"
        is_array = kind.get("type") == "ARRAY"
        scalar = str((kind.get("arrayType") or {}).get("type") if is_array else kind.get("type"))
        try:
            if is_array:
                kept = [_scalar(scalar, one) for one in value.get("arrayValues") or ()]
                found[name] = Parameter(f"ARRAY<{scalar}>", json.dumps(kept))
            else:
                found[name] = Parameter(scalar, _scalar(scalar, value))
        except (BadValueError, KeyError) as error:
            raise invalid_query(f"Invalid value for query parameter '{name}': {error}") from error
    return found


def _scalar(kind: str, value: JsonObject) -> Kept:
    older = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN"}.get(kind, kind)
    if older in {"STRUCT", "RANGE", "INTERVAL", "GEOGRAPHY"}:
        raise BadValueError(f"not implemented in the local cloud: parameters of type {kind}")
    return None if value.get("value") is None else keep(older, value["value"])
