"""Queries understood: parsed, names resolved, types found, and written for SQLite.

Running a plan is `queries`' matter. Importing this takes most of a second: sqlglot is large.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import OptimizeError, ParseError, SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.qualify_tables import qualify_tables
from sqlglot.schema import MappingSchema
from sqlglot.transforms import eliminate_qualify

from rehearsal.cloud.bigquery.columns import columns_of
from rehearsal.cloud.bigquery.sql_kinds import (
    NUMBERS,
    QueryError,
    column_of,
    not_covered,
    standard,
)
from rehearsal.cloud.bigquery.sql_selects import QueryWriter
from rehearsal.cloud.bigquery.sql_writing import quoted
from rehearsal.cloud.bigquery.values import Kept
from rehearsal.cloud.calls import JsonObject

_DIALECT: Final = "bigquery"
_UNRESOLVED: Final = re.compile(
    r"Column '[`\"]?([^'`\"]+)[`\"]?' could not be|Unknown column: (\w+)"
)
# It warns of what it cannot parse; whoever asked is told anyway.
logging.getLogger("sqlglot").setLevel(logging.ERROR)
# Named by `projects/…`; returns a table's metadata or raises.
FindTable = Callable[[str], JsonObject]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter: its kept value, and its type in standard SQL."""

    type_name: str
    value: Kept


@dataclass(frozen=True, slots=True)
class Settings:
    """What a query is understood with.

    Attributes:
        project: The project of names that name none.
        dataset: The dataset of names that name none; empty for none.
        parameters: By name; positional ones by `p0`, `p1`, ….
        now_us: The current time, in microseconds.
    """

    project: str
    dataset: str
    parameters: Mapping[str, Parameter]
    now_us: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A query ready to run.

    Attributes:
        sql: SQLite's SQL; the first column of a change's is the row's id.
        values: Kept values of parameters.
        columns: The schema of what is found.
        tables: The full names of the tables that are read.
        change: INSERT, UPDATE or DELETE; empty for a query.
        target: The table that is changed.
        fields: Which columns an INSERT or UPDATE sets.
    """

    sql: str
    values: Mapping[str, Kept]
    columns: Sequence[JsonObject]
    tables: Sequence[str]
    change: str = ""
    target: str = ""
    fields: Sequence[str] = ()


def planned(text: str, settings: Settings, find: FindTable) -> Plan:
    """Understand a statement.

    Raises:
        QueryError: it is wrong, or not covered.
        ApiError: 404; it names a table that is not there.
    """
    try:
        return _understood(text, settings, find)
    except QueryError:
        raise
    except ParseError as error:
        first = error.errors[0] if error.errors else {"description": error}
        where = f" at [{first['line']}:{first.get('col')}]" if "line" in first else ""
        told = str(first.get("description")).partition(" but got")[0]
        raise QueryError(f"Syntax error: {told}{where}") from error
    except OptimizeError as error:
        raise QueryError(_told(error)) from error
    except SqlglotError as error:
        raise QueryError(f"Syntax error: {error}") from error
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        # Damaged statements break sqlglot in many ways.
        raise QueryError(f"{not_covered()} a statement of this form ({error})") from error


def _understood(text: str, settings: Settings, find: FindTable) -> Plan:
    named = _with_names(text)
    statements = [one for one in sqlglot.parse(named, read=_DIALECT) if one is not None]
    if len(statements) != 1:
        raise QueryError(f"{not_covered()} scripts of several statements")
    return _Planner(settings, find).plan(statements[0])


def _with_names(text: str) -> str:
    """A statement whose positional parameters have names: `@p0` and on."""
    tokens = sqlglot.tokenize(text, read=_DIALECT)
    marks = [token for token in tokens if text[token.start : token.end + 1] == "?"]
    for position, token in reversed(list(enumerate(marks))):
        text = f"{text[: token.start]}@p{position}{text[token.end + 1 :]}"
    return text


def _told(error: OptimizeError) -> str:
    text = str(error)
    found = _UNRESOLVED.search(text)
    return f"Unrecognized name: {found[1] or found[2]}" if found else text


class _Planner:
    """Understands one statement."""

    def __init__(self, settings: Settings, find: FindTable) -> None:
        self._settings = settings
        self._find = find
        self._tables: dict[str, JsonObject] = {}
        self._schema = MappingSchema(dialect=_DIALECT)
        # Names as they were written, by their lower case.
        self._spelling: dict[str, str] = {}

    def plan(self, statement: exp.Expr) -> Plan:
        if isinstance(statement, exp.Query):
            sql, columns = self._query(statement)
            return self._made(sql, columns)
        if isinstance(statement, exp.Insert):
            return self._insert(statement)
        if isinstance(statement, (exp.Update, exp.Delete)):
            return self._change(statement)
        raise QueryError(f"{not_covered()} statements of the kind {statement.key.upper()}")

    def _made(self, sql: str, columns: Sequence[JsonObject], **change: object) -> Plan:
        values = {name: given.value for name, given in self._settings.parameters.items()}
        return Plan(sql, values, columns, sorted(self._tables), **change)  # type: ignore[arg-type]

    def _query(self, query: exp.Query) -> tuple[str, list[JsonObject]]:
        """The SQL of a query, and the columns of what it finds."""
        resolved = self._resolved(query)
        writer = QueryWriter(self._settings.now_us, self._tables)
        columns = []
        for position, selected in enumerate(resolved.selects):
            name = selected.alias_or_name
            spelled = self._spelling.get(name.lower(), name)
            columns.append(column_of(spelled or f"f{position}_", selected.unalias()))
        return writer.query(resolved), columns

    def _resolved(self, query: exp.Query) -> exp.Query:
        query = query.copy()
        self._name_columns(query)
        query = self._with_parameters(query)
        project, dataset = self._settings.project, self._settings.dataset
        query = qualify_tables(query, db=dataset or None, catalog=project, dialect=_DIALECT)
        for table in query.find_all(exp.Table):
            self._note(table, query)
        for select in list(query.find_all(exp.Select)):
            if select.args.get("qualify"):
                changed = eliminate_qualify(select.copy())
                if select is not query:
                    select.replace(changed)
                elif isinstance(changed, exp.Query):
                    query = changed
        query = qualify(query, schema=self._schema, dialect=_DIALECT)
        return annotate_types(query, schema=self._schema, dialect=_DIALECT)

    def _name_columns(self, query: exp.Query) -> None:
        """Give columns without a name BigQuery's: `f0_` and on."""
        first = query
        while isinstance(first, exp.SetOperation):
            first = first.left
        count = 0
        if not isinstance(first, exp.Select):
            return
        for selected in list(first.expressions):
            if isinstance(selected, (exp.Alias, exp.Column, exp.Star, exp.Dot)):
                self._spelling[selected.alias_or_name.lower()] = selected.alias_or_name
                continue
            selected.replace(exp.alias_(selected.copy(), f"f{count}_"))
            count += 1

    def _with_parameters(self, query: exp.Query) -> exp.Query:
        """Give each parameter its type."""
        for node in list(query.find_all(exp.Parameter)):
            name = node.name
            given = self._settings.parameters.get(name)
            if given is None:
                raise QueryError(f"Query parameter '{name}' not found")
            kind = exp.DataType.build(given.type_name, dialect=_DIALECT)
            node.replace(exp.Cast(this=exp.Placeholder(this=name), to=kind))
        return query

    def _note(self, table: exp.Table, query: exp.Query) -> None:
        """Find a table that a query names, and tell the schema its columns."""
        if not isinstance(table.this, exp.Identifier):
            raise QueryError(f"{not_covered()} {table.sql(_DIALECT)}")
        if not table.db:
            names = {cte.alias_or_name for cte in query.find_all(exp.CTE)}
            if table.name in names:
                return
            raise QueryError(
                f'Table "{table.name}" must be qualified with a dataset (e.g. dataset.table).'
            )
        name = f"projects/{table.catalog}/datasets/{table.db}/tables/{table.name}"
        if "INFORMATION_SCHEMA" in table.sql().upper() or "*" in table.name:
            raise QueryError(f"{not_covered()} {table.sql(_DIALECT)}")
        if name in self._tables:
            return
        found = self._find(name)
        if "view" in found:
            raise QueryError(f"{not_covered()} views")
        if not columns_of(found):
            raise QueryError(f"Table {table.catalog}.{table.db}.{table.name} has no schema")
        self._tables[name] = found
        for column in columns_of(found):
            self._spelling.setdefault(column["name"].lower(), column["name"])
        known = exp.table_(table.name, db=table.db, catalog=table.catalog, quoted=True)
        types = {column["name"]: _type_of(column) for column in columns_of(found)}
        self._schema.add_table(known, types, dialect=_DIALECT)

    def _target(self, table: exp.Expr) -> tuple[str, JsonObject]:
        """The table that a change is made in."""
        if not isinstance(table, exp.Table):
            raise QueryError(f"{not_covered()} changes of {table.sql(_DIALECT)}")
        named = qualify_tables(
            exp.select("*").from_(table.copy()),
            db=self._settings.dataset or None,
            catalog=self._settings.project,
            dialect=_DIALECT,
        )
        self._note(found := next(named.find_all(exp.Table)), named)
        name = f"projects/{found.catalog}/datasets/{found.db}/tables/{found.name}"
        return name, self._tables[name]

    def _insert(self, statement: exp.Insert) -> Plan:
        place = statement.this
        table = place.this if isinstance(place, exp.Schema) else place
        name, body = self._target(table)
        # Inserting does not read.
        del self._tables[name]
        known = {column["name"].lower(): column for column in columns_of(body)}
        given = [one.name.lower() for one in place.expressions] or list(known)
        source = statement.expression
        if isinstance(source, exp.Values):
            source = _rows(source, [known.get(field) for field in given])
        sql, columns = self._query(source)
        if len(columns) != len(given):
            raise QueryError(
                f"Inserted row has wrong column count; Has {len(columns)}, expected {len(given)}"
            )
        for field, column in zip(given, columns, strict=True):
            if field not in known:
                raise QueryError(f"Column {field} is not present in table {table.sql(_DIALECT)}")
            _check_assigned(known[field], column, table)
        fields = [known[field]["name"] for field in given]
        return self._made(sql, columns, change="INSERT", target=name, fields=fields)

    def _change(self, statement: exp.Expr) -> Plan:
        """An UPDATE or DELETE: which rows, and what they become."""
        name, body = self._target(statement.this)
        if statement.args.get("from_") or statement.args.get("from"):
            raise QueryError(f"{not_covered()} UPDATE … FROM")
        where = statement.args.get("where")
        if where is None:
            raise QueryError(f"{statement.key.upper()} must have a WHERE clause")
        known = {column["name"].lower(): column for column in columns_of(body)}
        assigned = statement.expressions if isinstance(statement, exp.Update) else []
        fields = [one.this.name.lower() for one in assigned]
        values = [
            _fitted(one.expression, known.get(field))
            for one, field in zip(assigned, fields, strict=True)
        ]
        query = exp.select(*values or [exp.Literal.number(1)])
        query = query.from_(statement.this.copy()).where(where.this.copy())
        sql, columns = self._query(query)
        for field, column in zip(fields, columns, strict=False):
            if field not in known:
                raise QueryError(f"Unrecognized name: {field}")
            _check_assigned(known[field], column, statement.this)
        alias = quoted(statement.this.alias_or_name)
        sql = sql.replace("SELECT ", f"SELECT {alias}._id, ", 1)
        fields = [known[field]["name"] for field in fields]
        return self._made(sql, columns, change=statement.key.upper(), target=name, fields=fields)


def _rows(values: exp.Values, columns: Sequence[JsonObject | None]) -> exp.Query:
    """`VALUES (…), (…)` as a query."""
    if any(isinstance(node, exp.Column) and node.name == "default" for node in values.walk()):
        raise QueryError(f"{not_covered()} DEFAULT")
    selects = []
    for row in values.expressions:
        if len(row.expressions) != len(columns):
            raise QueryError(
                f"Inserted row has wrong column count; Has {len(row.expressions)}, expected"
                f" {len(columns)}"
            )
        selects.append(exp.select(*map(_fitted, row.expressions, columns)))
    query: exp.Query = selects[0]
    for select in selects[1:]:
        query = exp.union(query, select, distinct=False)
    return query


def _fitted(value: exp.Expr, column: JsonObject | None) -> exp.Expr:
    """A value to assign; a constant gets the type of its column where BigQuery gives it."""
    kind = column["type"] if column is not None else "RECORD"
    is_moment = kind in {"TIMESTAMP", "DATE", "DATETIME", "TIME"}
    is_number = kind in NUMBERS
    is_constant = isinstance(value, exp.Literal) and (is_moment if value.is_string else is_number)
    is_whole = not isinstance(value, exp.Literal) or "." not in value.name
    if kind == "RECORD" or not (isinstance(value, exp.Null) or is_constant):
        return value.copy()
    if is_constant and kind == "INTEGER" and not is_whole:
        return value.copy()
    return exp.cast(value.copy(), standard(kind), dialect=_DIALECT)


def _check_assigned(column: JsonObject, given: JsonObject, table: exp.Expr) -> None:
    """Refuse a value whose type its column cannot take."""
    target, source = column["type"], given["type"]
    is_repeated = "REPEATED" in {column.get("mode"), given.get("mode")}
    is_number = source in NUMBERS and target in NUMBERS[NUMBERS.index(source) :]
    is_text = source == "STRING" and target in {"TIMESTAMP", "DATE", "DATETIME", "TIME", "JSON"}
    if is_repeated or target == "RECORD" or not (target == source or is_number or is_text):
        raise QueryError(
            f"Value of type {standard(source)} cannot be assigned to {column['name']}, which has"
            f" type {standard(target)}, in {table.sql(_DIALECT)}"
        )


def _type_of(column: JsonObject) -> str:
    kind = standard(column["type"])
    if column["type"] == "RECORD":
        fields = ", ".join(f"`{field['name']}` {_type_of(field)}" for field in column["fields"])
        kind = f"STRUCT<{fields}>"
    return f"ARRAY<{kind}>" if column.get("mode") == "REPEATED" else kind
