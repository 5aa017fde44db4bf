"""Names, constants, operators and conditions of BigQuery's SQL, as SQLite's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from sqlglot import exp

from rehearsal.cloud.bigquery.sql_kinds import (
    NUMBERS,
    QueryError,
    common_kind,
    kind_of,
    not_covered,
    standard,
)
from rehearsal.cloud.bigquery.sql_writing import Rule, Writer, constant, quoted
from rehearsal.cloud.bigquery.values import DECIMALS, keep

_COMPARISONS: Final[Mapping[type[exp.Expr], str]] = {
    exp.EQ: "=",
    exp.NEQ: "!=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.NullSafeEQ: "IS",
    exp.NullSafeNEQ: "IS NOT",
}
_ARITHMETIC: Final[Mapping[type[exp.Expr], str]] = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.IntDiv: "DIV",
    exp.Mod: "MOD",
}


def _compared(writer: Writer, node: exp.Expr, *, operator: str) -> str:
    left, right = node.this, node.expression
    kind = common_kind(operator, left, right)
    if kind in {"ARRAY", "RECORD", "JSON"}:
        raise QueryError(f"{not_covered()} comparisons of {standard(kind)}")
    return f"({writer.as_kind(left, kind)} {operator} {writer.as_kind(right, kind)})"


def _calculated(writer: Writer, node: exp.Expr, *, operator: str) -> str:
    left, right = node.this, node.expression
    kind = common_kind(operator, left, right)
    if operator == "/" and kind == "INTEGER":
        kind = "FLOAT"
    if kind not in NUMBERS:
        told = ", ".join(standard(kind_of(operand)) for operand in (left, right))
        raise QueryError(
            f"No matching signature for operator {operator} for argument types: {told}"
        )
    sides = f"{writer.as_kind(left, kind)}, {writer.as_kind(right, kind)}"
    return f"bq_calculate('{kind}', '{operator}', {sides})"


def _column(writer: Writer, node: exp.Expr) -> str:
    table = node.text("table")
    name = writer.elements.get(table, {}).get(node.name, node.name)
    return f"{quoted(table)}.{quoted(name)}" if table else quoted(name)


def _field(writer: Writer, node: exp.Expr) -> str:
    path = constant(f'$."{node.expression.name}"')
    return f"({writer.text(node.this)} ->> {path})"


def _literal(_writer: Writer, node: exp.Expr) -> str:
    if node.args.get("is_string"):
        return constant(node.name)
    return node.name if "." in node.name or "e" in node.name.lower() else str(int(node.name))


def _cast(writer: Writer, node: exp.Expr, *, name: str = "bq_cast") -> str:
    inner = node.this
    if isinstance(inner, (exp.Parameter, exp.Placeholder)):
        return f":{inner.name}"
    target = kind_of(node)
    if isinstance(inner, exp.Null):
        return "NULL"
    if node.args.get("format"):
        raise QueryError(f"{not_covered()} CAST with FORMAT")
    source = kind_of(inner)
    if "ARRAY" in {source, target} or "RECORD" in {source, target}:
        raise QueryError(f"{not_covered()} {node.sql('bigquery')}")
    return f"{name}('{source}', '{target}', {writer.text(inner)})"


def _in(writer: Writer, node: exp.Expr) -> str:
    if (unnested := node.args.get("unnest")) is not None:
        (array,) = unnested.expressions
        return f"({writer.text(node.this)} IN (SELECT value FROM json_each({writer.text(array)})))"  # noqa: S608 - made of checked parts
    if (query := node.args.get("query")) is not None:
        inner = query.this if isinstance(query, exp.Subquery) else query
        kind = common_kind("IN", node.this, inner.selects[0])
        return f"({writer.as_kind(node.this, kind)} IN ({writer.query(inner)}))"
    kind = common_kind("IN", node.this, *node.expressions)
    choices = ", ".join(writer.as_kind(choice, kind) for choice in node.expressions)
    return f"({writer.as_kind(node.this, kind)} IN ({choices}))"


def _between(writer: Writer, node: exp.Expr) -> str:
    parts = (node.this, node.args["low"], node.args["high"])
    kind = common_kind("BETWEEN", *parts)
    value, low, high = (writer.as_kind(part, kind) for part in parts)
    return f"({value} BETWEEN {low} AND {high})"


def _case(writer: Writer, node: exp.Expr) -> str:
    results = [branch.args["true"] for branch in node.args["ifs"]]
    results += [node.args["default"]] if node.args.get("default") is not None else []
    kind = common_kind("CASE", *results)
    pieces = ["CASE"]
    for branch in node.args["ifs"]:
        condition = branch.this
        if node.this is not None:
            meets = common_kind("CASE", node.this, condition)
            test = f"{writer.as_kind(node.this, meets)} = {writer.as_kind(condition, meets)}"
        else:
            test = writer.text(condition)
        pieces.append(f"WHEN {test} THEN {writer.as_kind(branch.args['true'], kind)}")
    if node.args.get("default") is not None:
        pieces.append(f"ELSE {writer.as_kind(node.args['default'], kind)}")
    return f"({' '.join(pieces)} END)"


def _if(writer: Writer, node: exp.Expr) -> str:
    yes, no = node.args["true"], node.args.get("false") or exp.Null()
    kind = common_kind("IF", yes, no)
    choices = f"THEN {writer.as_kind(yes, kind)} ELSE {writer.as_kind(no, kind)}"
    return f"(CASE WHEN {writer.text(node.this)} {choices} END)"


def _first(writer: Writer, node: exp.Expr, name: str) -> str:
    choices = [node.this, *node.expressions]
    kind = common_kind(name, *choices)
    if len(choices) == 1:
        return writer.as_kind(choices[0], kind)
    return f"{name}({', '.join(writer.as_kind(choice, kind) for choice in choices)})"


def _null_if(writer: Writer, node: exp.Expr) -> str:
    kind = common_kind("NULLIF", node.this, node.expression)
    return f"nullif({writer.as_kind(node.this, kind)}, {writer.as_kind(node.expression, kind)})"


def _concat(writer: Writer, parts: Sequence[exp.Expr]) -> str:
    for part in parts:
        if not isinstance(part, exp.Null) and kind_of(part) not in {"STRING", "BYTES"}:
            told = ", ".join(standard(kind_of(one)) for one in parts)
            raise QueryError(
                f"No matching signature for function CONCAT for argument types: {told}"
            )
    return f"({' || '.join(map(writer.text, parts))})"


def _safe_divide(writer: Writer, node: exp.Expr) -> str:
    kind = common_kind("SAFE_DIVIDE", node.this, node.expression)
    kind = "FLOAT" if kind == "INTEGER" else kind
    sides = f"{writer.as_kind(node.this, kind)}, {writer.as_kind(node.expression, kind)}"
    return f"bq_safe_divide('{kind}', {sides})"


def _negative(writer: Writer, node: exp.Expr) -> str:
    kind = kind_of(node.this)
    zero = constant(keep(kind, 0)) if kind in DECIMALS else "0"
    return f"bq_calculate('{kind}', '-', {zero}, {writer.text(node.this)})"


def _element(writer: Writer, node: exp.Expr) -> str:
    """`array[OFFSET(n)]`, `array[SAFE_ORDINAL(n)]` and the like."""
    if kind_of(node.this) != "ARRAY" or len(node.expressions) != 1:
        raise QueryError(f"{not_covered()} {node.sql('bigquery')}")
    first = int(node.args.get("offset") or 0)
    is_safe = int(bool(node.args.get("safe")))
    index = writer.as_kind(node.expressions[0], "INTEGER")
    return f"bq_element({writer.text(node.this)}, {index} - {first}, {is_safe})"


def _array(writer: Writer, node: exp.Expr) -> str:
    kind = common_kind("ARRAY", *node.expressions)
    if kind in {"ARRAY", "RECORD", "JSON"} or any(
        isinstance(one, exp.Null) for one in node.expressions
    ):
        raise QueryError(f"{not_covered()} {node.sql('bigquery')}")
    return f"json_array({', '.join(writer.as_kind(one, kind) for one in node.expressions)})"


OPERATORS: Final[Mapping[type[exp.Expr], Rule]] = {
    **{kind: partial(_compared, operator=operator) for kind, operator in _COMPARISONS.items()},
    **{kind: partial(_calculated, operator=operator) for kind, operator in _ARITHMETIC.items()},
    exp.Column: _column,
    exp.Dot: _field,
    exp.Bracket: _element,
    exp.Array: _array,
    exp.Literal: _literal,
    exp.RawString: lambda _writer, node: constant(node.name),
    exp.Boolean: lambda _writer, node: "1" if node.this else "0",
    exp.Null: lambda _writer, _node: "NULL",
    exp.Paren: lambda writer, node: f"({writer.text(node.this)})",
    exp.And: lambda writer, node: f"({writer.text(node.this)} AND {writer.text(node.expression)})",
    exp.Or: lambda writer, node: f"({writer.text(node.this)} OR {writer.text(node.expression)})",
    exp.Not: lambda writer, node: f"(NOT {writer.text(node.this)})",
    exp.Is: lambda writer, node: f"({writer.text(node.this)} IS {writer.text(node.expression)})",
    exp.Neg: _negative,
    exp.In: _in,
    exp.Between: _between,
    exp.Case: _case,
    exp.If: _if,
    exp.Coalesce: lambda writer, node: _first(writer, node, "coalesce"),
    exp.Greatest: lambda writer, node: _first(writer, node, "max"),
    exp.Least: lambda writer, node: _first(writer, node, "min"),
    exp.Nullif: _null_if,
    exp.Cast: _cast,
    exp.TryCast: lambda writer, node: _cast(writer, node, name="bq_safe_cast"),
    exp.Concat: lambda writer, node: _concat(writer, node.expressions),
    exp.DPipe: lambda writer, node: _concat(writer, [node.this, node.expression]),
    exp.Exists: lambda writer, node: f"EXISTS ({writer.query(node.this)})",
    exp.Subquery: lambda writer, node: f"({writer.query(node.this)})",
    exp.SafeDivide: _safe_divide,
}
