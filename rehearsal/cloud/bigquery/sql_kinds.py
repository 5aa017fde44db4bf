"""The types of a query's expressions: what compares with what, and how one becomes another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlglot import exp

from rehearsal.cloud.bigquery.values import BadValueError, keep
from rehearsal.cloud.calls import JsonObject

_T: Final = exp.DataType.Type
_KINDS: Final[Mapping[object, str]] = {
    _T.TINYINT: "INTEGER",
    _T.SMALLINT: "INTEGER",
    _T.INT: "INTEGER",
    _T.BIGINT: "INTEGER",
    _T.FLOAT: "FLOAT",
    _T.DOUBLE: "FLOAT",
    _T.DECIMAL: "NUMERIC",
    _T.BIGDECIMAL: "BIGNUMERIC",
    _T.TEXT: "STRING",
    _T.VARCHAR: "STRING",
    _T.BINARY: "BYTES",
    _T.VARBINARY: "BYTES",
    _T.BOOLEAN: "BOOLEAN",
    _T.TIMESTAMPTZ: "TIMESTAMP",
    _T.TIMESTAMP: "DATETIME",
    _T.DATETIME: "DATETIME",
    _T.DATE: "DATE",
    _T.TIME: "TIME",
    _T.JSON: "JSON",
    _T.STRUCT: "RECORD",
    _T.NULL: "INTEGER",
}
NUMBERS: Final = ("INTEGER", "NUMERIC", "BIGNUMERIC", "FLOAT")
_WRITTEN: Final = frozenset({"TIMESTAMP", "DATETIME", "DATE", "TIME"})
# Standard SQL's names, as its messages have them.
_STANDARD: Final[Mapping[str, str]] = {
    "INTEGER": "INT64",
    "FLOAT": "FLOAT64",
    "BOOLEAN": "BOOL",
    "RECORD": "STRUCT",
}


class QueryError(ValueError):
    """A query is wrong, or is not covered here; the text says what."""


def kind_of(node: exp.Expr) -> str:
    """Return the type of an expression: a column's type by its older name, or `ARRAY`.

    Raises:
        QueryError: it cannot be told.
    """
    found = node.type
    if found is None or found.this in {_T.UNKNOWN, _T.UNKNOWN}:
        raise QueryError(f"{not_covered()} the type of {node.sql('bigquery')}")
    if found.this == _T.ARRAY:
        return "ARRAY"
    try:
        return _KINDS[found.this]
    except KeyError:
        raise QueryError(f"{not_covered()} values of type {found.sql('bigquery')}") from None


def column_of(name: str, node: exp.Expr) -> JsonObject:
    """Return the column of an answer's schema that an expression becomes."""
    found = node.type
    if kind_of(node) == "ARRAY":
        assert found is not None
        element = exp.Null()
        element.type = found.expressions[0]
        return column_of(name, element) | {"mode": "REPEATED"}
    column: JsonObject = {"name": name, "type": kind_of(node), "mode": "NULLABLE"}
    if column["type"] == "RECORD":
        assert found is not None
        column["fields"] = [_field(definition) for definition in found.expressions]
    return column


def _field(definition: exp.Expr) -> JsonObject:
    value = exp.Null()
    value.type = definition.args["kind"]
    return column_of(definition.name, value)


def standard(kind: str) -> str:
    """A type's name in standard SQL."""
    return _STANDARD.get(kind, kind)


def not_covered() -> str:
    """How a refusal of something that BigQuery can and we cannot begins."""
    return "not implemented in the local cloud:"


def common_kind(operator: str, *nodes: exp.Expr) -> str:
    """Return the type in which an operator's operands meet.

    Raises:
        QueryError: there is none.
    """
    given = [node for node in nodes if not isinstance(node, exp.Null)]
    if not given:
        return "INTEGER"
    firm = [node for node in given if not _is_text(node)] or given
    kinds = {kind_of(node) for node in firm}
    if kinds <= set(NUMBERS) and len(firm) == len(given):
        return max(kinds, key=NUMBERS.index)
    (kind, *others) = kinds
    is_fit = not others and (len(firm) == len(given) or kind in {*_WRITTEN, "STRING"})
    if not is_fit:
        told = ", ".join(standard(kind_of(node)) for node in nodes)
        raise QueryError(
            f"No matching signature for operator {operator} for argument types: {told}"
        )
    return kind


def written_constant(node: exp.Expr, kind: str) -> object:
    """Return a quoted text as the kept value that it stands for; None where it is none."""
    if not _is_text(node) or kind not in _WRITTEN:
        return None
    try:
        return keep(kind, node.name)
    except BadValueError as problem:
        raise QueryError(
            f"Could not cast literal {node.sql('bigquery')} to type {standard(kind)}"
        ) from problem


def _is_text(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and bool(node.is_string)
