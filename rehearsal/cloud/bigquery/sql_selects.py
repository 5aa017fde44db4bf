"""Whole queries of BigQuery's SQL, as SQLite's, over the rows as they are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sqlglot import exp

from rehearsal.cloud.bigquery.columns import columns_of
from rehearsal.cloud.bigquery.sql_calls import FUNCTIONS
from rehearsal.cloud.bigquery.sql_kinds import QueryError, kind_of, not_covered, standard
from rehearsal.cloud.bigquery.sql_operators import OPERATORS
from rehearsal.cloud.bigquery.sql_writing import Writer, constant, quoted
from rehearsal.cloud.calls import JsonObject

_DIALECT: Final = "bigquery"
_SET_OPERATIONS: Final = {exp.Union: "UNION", exp.Intersect: "INTERSECT", exp.Except: "EXCEPT"}
_SELECT_PARTS: Final = frozenset(
    {
        "with_",
        "with",
        "distinct",
        "expressions",
        "from_",
        "from",
        "joins",
        "where",
        "group",
        "having",
        "order",
        "limit",
        "offset",
        "kind",
        "hint",
        "operation_modifiers",
    }
)


class QueryWriter(Writer):
    """Writes whole queries for SQLite."""

    def __init__(self, now_us: int, tables: Mapping[str, JsonObject]) -> None:
        """Write queries over tables, given by their full names."""
        super().__init__({**OPERATORS, **FUNCTIONS}, now_us)
        self._tables = tables

    def query(self, node: exp.Expr) -> str:
        """Return a query as SQLite's.

        Raises:
            QueryError: a part of it is not covered, or wrong.
        """
        if isinstance(node, exp.Subquery):
            return self.query(node.this)
        head = self._with(node)
        if isinstance(node, exp.SetOperation):
            word = _SET_OPERATIONS[type(node)]
            is_all = not node.args.get("distinct")
            if is_all and word != "UNION":
                raise QueryError(f"{not_covered()} {word} ALL")
            _check_alike(node)
            sides = [
                f"SELECT * FROM ({self.query(side)})"  # noqa: S608 - made of checked parts
                for side in (node.left, node.right)
            ]
            joined = f" {word} ALL ".join(sides) if is_all else f" {word} ".join(sides)
            return f"{head}{joined}{self._tail(node)}"
        if not isinstance(node, exp.Select):
            raise QueryError(f"{not_covered()} {node.sql(_DIALECT)}")
        unknown = [name for name, value in node.args.items() if value and name not in _SELECT_PARTS]
        if unknown or node.args.get("kind"):
            raise QueryError(f"{not_covered()} {', '.join(unknown) or 'SELECT AS STRUCT'}")
        return head + self._select(node)

    def _with(self, node: exp.Expr) -> str:
        clause = node.args.get("with_") or node.args.get("with")
        if clause is None:
            return ""
        if clause.args.get("recursive"):
            raise QueryError(f"{not_covered()} WITH RECURSIVE")
        parts = [f"{quoted(cte.alias)} AS ({self.query(cte.this)})" for cte in clause.expressions]
        return f"WITH {', '.join(parts)} "

    def _select(self, node: exp.Select) -> str:
        for unnested in node.find_all(exp.Unnest):
            self._note_elements(unnested)
        if not node.expressions:
            raise QueryError("Syntax error: SELECT list must not be empty")
        selected = [self._selected(one) for one in node.expressions]
        pieces = [f"SELECT {'DISTINCT ' if node.args.get('distinct') else ''}{', '.join(selected)}"]
        source = node.args.get("from_") or node.args.get("from")
        if source is not None:
            pieces.append(f"FROM {self._source(source.this)}")
        pieces += [self._join(join) for join in node.args.get("joins") or ()]
        if where := node.args.get("where"):
            pieces.append(f"WHERE {self.text(where.this)}")
        if group := node.args.get("group"):
            if any(value for name, value in group.args.items() if name != "expressions"):
                raise QueryError(f"{not_covered()} {group.sql(_DIALECT).strip()}")
            if not group.expressions:
                raise QueryError("Syntax error: GROUP BY names nothing")
            names = [one.alias_or_name for one in node.expressions]
            keys = [self._group_key(key, names) for key in group.expressions]
            pieces.append(f"GROUP BY {', '.join(keys)}")
        if having := node.args.get("having"):
            pieces.append(f"HAVING {self.text(having.this)}")
        return " ".join(pieces) + self._tail(node)

    def _tail(self, node: exp.Expr) -> str:
        pieces = []
        if order := node.args.get("order"):
            pieces.append(f"ORDER BY {', '.join(map(self.ordered, order.expressions))}")
        limit, offset = node.args.get("limit"), node.args.get("offset")
        if limit is not None:
            pieces.append(f"LIMIT {self.text(limit.expression)}")
        if offset is not None:
            pieces.append(f"OFFSET {self.text(offset.expression)}")
        return "".join(f" {piece}" for piece in pieces)

    def _selected(self, node: exp.Expr) -> str:
        return f"{self.text(node.unalias())} AS {quoted(node.alias_or_name)}"

    def _group_key(self, key: exp.Expr, names: Sequence[str]) -> str:
        # An alias goes before a column of the same name; SQLite means it the other way.
        if isinstance(key, exp.Column) and not key.table and key.name in names:
            return str(names.index(key.name) + 1)
        return self.key(key)

    def _join(self, join: exp.Join) -> str:
        words = " ".join(
            word for word in (join.args.get("method"), join.side, join.kind) if word
        ).upper()
        if words not in {"", "INNER", "CROSS", "LEFT", "RIGHT", "FULL", "LEFT OUTER", "FULL OUTER"}:
            raise QueryError(f"{not_covered()} {words} JOIN")
        condition = join.args.get("on")
        on = f" ON {self.text(condition)}" if condition is not None else ""
        return f"{words or 'CROSS' if not on else words} JOIN {self._source(join.this)}{on}".strip()

    def _note_elements(self, node: exp.Unnest) -> None:
        alias = node.args.get("alias")
        if alias is None or not alias.columns:
            return
        offset = node.args.get("offset")
        names = {alias.columns[0].name: "value"}
        names |= {offset.name: "key"} if isinstance(offset, exp.Identifier) else {}
        self.elements[alias.name] = names

    def _elements(self, node: exp.Unnest) -> str:
        """An array as a table of its elements."""
        if len(node.expressions) != 1 or not self.elements.get(node.alias):
            raise QueryError(f"{not_covered()} {node.sql(_DIALECT)}")
        return f"json_each({self.text(node.expressions[0])}) AS {quoted(node.alias)}"

    def _source(self, node: exp.Expr) -> str:
        alias = quoted(node.alias_or_name)
        if isinstance(node, exp.Subquery):
            return f"({self.query(node.this)}) AS {alias}"
        if isinstance(node, exp.Unnest):
            return self._elements(node)
        if not isinstance(node, exp.Table):
            raise QueryError(f"{not_covered()} FROM {node.sql(_DIALECT)}")
        if not node.db:
            return f"{quoted(node.name)} AS {alias}"
        name = f"projects/{node.catalog}/datasets/{node.db}/tables/{node.name}"
        # Names of columns do not differ by case, and are lower case from here on.
        columns = [
            f"row ->> {constant('$.' + column['name'])} AS {quoted(column['name'].lower())}"
            for column in columns_of(self._tables[name])
        ]
        fields = ", ".join(["id AS _id", *columns])
        chosen = f"SELECT {fields} FROM rows WHERE table_name = {constant(name)}"  # noqa: S608 - as above
        return f"({chosen}) AS {alias}"


def _check_alike(node: exp.SetOperation) -> None:
    """Refuse sides of a set operation whose columns differ in type."""
    for position, (one, other) in enumerate(
        zip(node.left.selects, node.right.selects, strict=False), 1
    ):
        nodes = [one.unalias(), other.unalias()]
        kinds = {kind_of(node) for node in nodes if not isinstance(node, exp.Null)}
        if len(kinds) > 1 and kinds != {"INTEGER", "FLOAT"}:
            told = " and ".join(sorted(standard(kind) for kind in kinds))
            raise QueryError(f"Column {position} in set operation has types {told}")
