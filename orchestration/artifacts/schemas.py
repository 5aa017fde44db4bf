"""The columns of tables, looked at before any cloud is touched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from architecture.model import Architecture, BigQueryTable
from architecture.schemas import (
    BadSchemaError,
    assumed_schema,
    parse_schema,
    tables_without_columns,
)
from orchestration.errors import UsageError


def check_schemas(architecture: Architecture) -> None:
    """Read the `schema_file` of every table.

    Raises:
        UsageError: naming every table whose file cannot be read, or is no schema of it.
    """
    problems = [
        f"table {table.dataset}.{table.name}: schema_file {table.schema_file} {problem}"
        for flow in architecture.dataflows.values()
        for table in flow.resources.bigquery_tables
        if table.schema_file and (problem := _problem(table))
    ]
    if problems:
        raise UsageError(
            "; ".join(problems),
            hint="`bq show --schema --format=prettyjson DATASET.TABLE` prints what it should hold",
        )


def schema_warnings(architecture: Architecture) -> Iterator[str]:
    """Say of which tables the columns are not known here, what they get, and the way out."""
    for table in tables_without_columns(architecture):
        why = (
            f"its columns are those of the Go type {table.schema_type}, which cannot be read here"
            if table.schema_type
            else "nothing says which columns it has"
        )
        made = (
            "only the columns that its layout names"
            if assumed_schema(table)
            else "no columns until the first load"
        )
        yield (
            f"table {table.dataset}.{table.name}: {why}; it gets {made};"
            " give `schema_file:`, a JSON file of its columns"
        )


def _problem(table: BigQueryTable) -> str:
    try:
        parse_schema(table, Path(table.schema_file).read_text(encoding="utf-8"))
    except BadSchemaError as error:
        return str(error)
    except (OSError, UnicodeDecodeError) as error:
        return f"cannot be read: {getattr(error, 'strerror', None) or error}"
    return ""
