"""How expressions of BigQuery's SQL are written for SQLite: each kind by a rule of its own.

An expression without a rule is refused by name: nothing is answered that only looks right.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TypeAlias

from sqlglot import exp

from rehearsal.cloud.bigquery.sql_kinds import (
    NUMBERS,
    QueryError,
    kind_of,
    not_covered,
    standard,
    written_constant,
)
from rehearsal.cloud.bigquery.values import Kept

Rule: TypeAlias = Callable[["Writer", exp.Expr], str]


def quoted(name: str) -> str:
    """A name in SQLite's quotes."""
    return '"' + name.replace('"', '""') + '"'


def constant(value: Kept) -> str:
    """A kept value as SQLite's literal."""
    if value is None:
        return "NULL"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


class Writer(ABC):
    """Writes expressions by rules.

    `now_us` is what CURRENT_TIMESTAMP is, in microseconds.
    """

    def __init__(self, rules: Mapping[type[exp.Expr], Rule], now_us: int) -> None:
        self._rules = rules
        self.now_us = now_us
        # Arrays as tables: of each, which of SQLite's columns its elements and offsets are.
        self.elements: dict[str, dict[str, str]] = {}

    @abstractmethod
    def query(self, node: exp.Expr) -> str:
        """Return a whole query as SQLite's."""

    def text(self, node: exp.Expr) -> str:
        """Return an expression as SQLite's.

        Raises:
            QueryError: it is not covered, or wrong.
        """
        rule = self._rules.get(type(node))
        if rule is None:
            told = f"{node.sql('bigquery')} ({type(node).__name__})"
            raise QueryError(f"{not_covered()} {told}")
        return rule(self, node)

    def as_kind(self, node: exp.Expr, kind: str) -> str:
        """Return an expression as one of another type, as BigQuery coerces by itself.

        Raises:
            QueryError: it is none.
        """
        if isinstance(node, exp.Null):
            return "NULL"
        written = written_constant(node, kind)
        if written is not None:
            return constant(written)
        source = kind_of(node)
        if source == kind or (source, kind) == ("INTEGER", "FLOAT"):
            return self.text(node)
        if source in NUMBERS and kind in NUMBERS[NUMBERS.index(source) :]:
            return f"bq_cast('{source}', '{kind}', {self.text(node)})"
        raise QueryError(f"{node.sql('bigquery')} is of type {standard(source)}, not {kind}")

    def ordered(self, node: exp.Expr) -> str:
        """Return one key of an order."""
        direction = "DESC" if node.args.get("desc") else "ASC"
        nulls = node.args.get("nulls_first")
        where = "" if nulls is None else f" NULLS {'FIRST' if nulls else 'LAST'}"
        return f"{self.key(node.this)} {direction}{where}"

    def key(self, node: exp.Expr) -> str:
        """Return an expression to group or order by; a number alone is a column's position."""
        text = self.text(node)
        is_position = isinstance(node, exp.Literal)
        return text if is_position or not text.isdecimal() else f"CAST({text} AS INTEGER)"
