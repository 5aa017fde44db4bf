"""Functions of BigQuery's SQL, aggregates and windows among them, as SQLite's.

What they do is `sql_functions`' matter, where SQLite does not know it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from sqlglot import exp

from rehearsal.cloud.bigquery.sql_kinds import (
    NUMBERS,
    QueryError,
    kind_of,
    not_covered,
    standard,
    written_constant,
)
from rehearsal.cloud.bigquery.sql_writing import Rule, Writer, constant
from rehearsal.cloud.bigquery.values import DECIMALS

# Functions whose arguments, all texts, go as they are: (name, arguments).
_TEXT_FUNCTIONS: Final[Mapping[type[exp.Expr], tuple[str, tuple[str, ...]]]] = {
    exp.Upper: ("bq_upper", ("this",)),
    exp.Lower: ("bq_lower", ("this",)),
    exp.Reverse: ("bq_reverse", ("this",)),
    exp.Length: ("length", ("this",)),
    exp.StartsWith: ("bq_starts_with", ("this", "expression")),
    exp.EndsWith: ("bq_ends_with", ("this", "expression")),
    exp.RegexpLike: ("bq_regexp_contains", ("this", "expression")),
    exp.RegexpExtract: ("bq_regexp_extract", ("this", "expression")),
    exp.RegexpReplace: ("bq_regexp_replace", ("this", "expression", "replacement")),
    exp.Replace: ("replace", ("this", "expression", "replacement")),
    exp.Like: ("bq_like", ("this", "expression")),
}
_AGGREGATES: Final[Mapping[type[exp.Expr], str]] = {
    exp.Min: "min",
    exp.Max: "max",
    exp.AnyValue: "max",
    exp.LogicalAnd: "min",
    exp.LogicalOr: "max",
}
_SHIFTS: Final[Mapping[type[exp.Expr], tuple[str, int]]] = {
    exp.DateAdd: ("DATE", 1),
    exp.DateSub: ("DATE", -1),
    exp.TimestampAdd: ("TIMESTAMP", 1),
    exp.TimestampSub: ("TIMESTAMP", -1),
    exp.DatetimeAdd: ("DATETIME", 1),
    exp.DatetimeSub: ("DATETIME", -1),
}
_DIFFERENCES: Final[Mapping[type[exp.Expr], str]] = {
    exp.DateDiff: "DATE",
    exp.TimestampDiff: "TIMESTAMP",
    exp.DatetimeDiff: "DATETIME",
}
_SCALES: Final[Mapping[str, str]] = {"": "SECONDS", "0": "SECONDS", "3": "MILLIS", "6": "MICROS"}
# Arguments of functions that have no rule.
_REFUSED: Final = ("zone", "position", "occurrence", "having_max", "modifiers")
_UNITS: Final = frozenset(
    [
        "MICROSECOND",
        "MILLISECOND",
        "SECOND",
        "MINUTE",
        "HOUR",
        "DAY",
        "WEEK",
        "ISOWEEK",
        "MONTH",
        "QUARTER",
        "YEAR",
    ]
)
_PARTS: Final = (_UNITS | {"DAYOFWEEK", "DAYOFYEAR", "ISOYEAR", "DATE"}) - {"WEEK"}


def _text_function(writer: Writer, node: exp.Expr, *, name: str, fields: tuple[str, ...]) -> str:
    _check_arguments(node)
    arguments = [node.args[field] for field in fields]
    for argument in arguments:
        if not isinstance(argument, exp.Null) and kind_of(argument) != "STRING":
            told = ", ".join(standard(kind_of(one)) for one in arguments)
            raise QueryError(
                f"No matching signature for function {node.key.upper()} for argument types: {told}"
            )
    return f"{name}({', '.join(map(writer.text, arguments))})"


def _aggregated(writer: Writer, node: exp.Expr, *, name: str) -> str:
    return f"{name}({writer.text(node.this)})"


def _shifted(writer: Writer, node: exp.Expr, *, kind: str, sign: int) -> str:
    if node.this.type is not None and kind_of(node.this) in {"TIMESTAMP", "DATETIME", "DATE"}:
        kind = kind_of(node.this)
    count = node.expression
    unit = _unit(node)
    if isinstance(count, exp.Interval):
        count = count.this
    number = count.name if isinstance(count, exp.Literal) else writer.text(count)
    moved = writer.as_kind(node.this, kind)
    return f"bq_add('{kind}', '{unit}', {moved}, {sign} * {number})"


def _difference(writer: Writer, node: exp.Expr, *, kind: str) -> str:
    later, earlier = node.this, node.expression
    unit = _unit(node)
    if kind == "TIMESTAMP" and unit in {"WEEK", "ISOWEEK", "MONTH", "QUARTER", "YEAR"}:
        raise QueryError(f"TIMESTAMP_DIFF does not support the {unit} date part")
    sides = f"{writer.as_kind(later, kind)}, {writer.as_kind(earlier, kind)}"
    return f"bq_difference('{kind}', '{unit}', {sides})"


def _check_arguments(node: exp.Expr) -> None:
    """Refuse arguments that change what a function means."""
    given = [name for name in _REFUSED if node.args.get(name)]
    if given:
        told = ", ".join(given)
        raise QueryError(f"{not_covered()} {node.sql('bigquery')} (its {told})")


def _sum(writer: Writer, node: exp.Expr) -> str:
    name = "sum" if isinstance(node, exp.Sum) else "avg"
    distinct = isinstance(node.this, exp.Distinct)
    inner = node.this.expressions[0] if distinct else node.this
    kind = kind_of(inner)
    if kind not in NUMBERS or (distinct and kind in DECIMALS):
        raise QueryError(
            f"No matching signature for aggregate function {name.upper()} for argument types:"
            f" {standard(kind)}"
        )
    if kind in DECIMALS:
        return f"bq_{name}('{kind}', {writer.text(inner)})"
    return f"{name}({'DISTINCT ' if distinct else ''}{writer.text(inner)})"


def _count(writer: Writer, node: exp.Expr) -> str:
    inner = node.this
    if isinstance(inner, exp.Star):
        return "count(*)"
    if isinstance(inner, exp.Distinct):
        if len(inner.expressions) != 1:
            raise QueryError(f"{not_covered()} {node.sql('bigquery')}")
        return f"count(DISTINCT {writer.text(inner.expressions[0])})"
    return f"count({writer.text(inner)})"


def _string_agg(writer: Writer, node: exp.Expr) -> str:
    inner, order = node.this, ""
    if isinstance(inner, (exp.Order, exp.Distinct)) or order:
        raise QueryError(f"{not_covered()} STRING_AGG with ORDER BY or DISTINCT")
    separator = node.args.get("separator")
    return (
        f"group_concat({writer.text(inner)}, {writer.text(separator) if separator else repr(',')})"
    )


def _window(writer: Writer, node: exp.Expr) -> str:
    pieces = []
    if partitions := node.args.get("partition_by"):
        pieces.append(f"PARTITION BY {', '.join(map(writer.text, partitions))}")
    if order := node.args.get("order"):
        pieces.append(f"ORDER BY {', '.join(map(writer.ordered, order.expressions))}")
    if node.args.get("spec") is not None:
        pieces.append(str(node.args["spec"].sql("sqlite")))
    return f"{writer.text(node.this)} OVER ({' '.join(pieces)})"


def _moment_kind(node: exp.Expr, value: exp.Expr) -> str:
    """The type of a value that must be a day or a moment."""
    kind = kind_of(value)
    if kind not in {"DATE", "DATETIME", "TIMESTAMP"}:
        raise QueryError(
            f"No matching signature for function {node.key.upper()} for argument types:"
            f" {standard(kind)}"
        )
    return kind


def _formatted(writer: Writer, node: exp.Expr) -> str:
    inner = node.this
    if type(inner) in {exp.TsOrDsToTimestamp, exp.TsOrDsToDatetime, exp.TsOrDsToDate}:
        inner = inner.this
    _check_arguments(node)
    kind, pattern = _moment_kind(node, inner), writer.text(node.args["format"])
    return f"bq_format('{kind}', {pattern}, {writer.text(inner)})"


def _made_of(writer: Writer, node: exp.Expr, kind: str) -> str:
    """`DATE(…)`, `TIMESTAMP(…)` and `DATETIME(…)` of one argument."""
    _check_arguments(node)
    if node.this is None or node.args.get("expressions"):
        raise QueryError(f"{not_covered()} {node.sql('bigquery')}")
    written = written_constant(node.this, kind)
    if written is not None:
        return constant(written)
    return f"bq_cast('{kind_of(node.this)}', '{kind}', {writer.text(node.this)})"


def _trim(writer: Writer, node: exp.Expr) -> str:
    name = {"": "trim", "BOTH": "trim", "LEADING": "ltrim", "TRAILING": "rtrim"}
    position = str(node.args.get("position") or "").upper()
    what = node.args.get("expression")
    return f"{name[position]}({writer.text(node.this)}{', ' + writer.text(what) if what else ''})"


def _from_unix(writer: Writer, node: exp.Expr) -> str:
    scale = node.args.get("scale")
    unit = _SCALES[scale.name if scale is not None else ""]
    return f"bq_from_unix('{unit}', {writer.text(node.this)})"


def _round(writer: Writer, node: exp.Expr) -> str:
    if kind_of(node.this) in DECIMALS:
        raise QueryError(f"{not_covered()} ROUND of {kind_of(node.this)}")
    digits = node.args.get("decimals")
    return f"bq_round({writer.text(node.this)}{', ' + writer.text(digits) if digits else ''})"


def _of_number(writer: Writer, node: exp.Expr, name: str) -> str:
    if kind_of(node.this) not in {"INTEGER", "FLOAT"}:
        raise QueryError(f"{not_covered()} {node.sql('bigquery')}")
    return f"{name}({writer.text(node.this)})"


def _truncated(writer: Writer, node: exp.Expr) -> str:
    _check_arguments(node)
    kind = _moment_kind(node, node.this)
    return f"bq_truncate('{kind}', '{_unit(node)}', {writer.text(node.this)})"


def _extracted(writer: Writer, node: exp.Expr) -> str:
    part = node.this.name.upper()
    if part not in _PARTS:
        raise QueryError(f"{not_covered()} EXTRACT({part} FROM …)")
    kind = _moment_kind(node, node.expression)
    return f"bq_extract('{kind}', '{part}', {writer.text(node.expression)})"


def _unit(node: exp.Expr) -> str:
    found = node.args.get("unit")
    unit = found.name.upper() if found is not None else "DAY"
    if unit not in _UNITS:
        raise QueryError(f"{not_covered()} the date part {unit}")
    return unit


def _path(node: exp.Expr) -> str:
    """A JSON path without its root."""
    return str(node.sql("bigquery")).strip("'").removeprefix("$")


def _neighbour(writer: Writer, node: exp.Expr, *, name: str) -> str:
    """The value of another row of a window."""
    parts = [writer.text(node.this)]
    if node.args.get("offset") is not None:
        parts.append(writer.text(node.args["offset"]))
    if node.args.get("default") is not None:
        default = writer.as_kind(node.args["default"], kind_of(node.this))
        parts = [*parts, *([] if len(parts) > 1 else ["1"]), default]
    return f"{name}({', '.join(parts)})"


FUNCTIONS: Final[Mapping[type[exp.Expr], Rule]] = {
    **{
        kind: partial(_text_function, name=name, fields=fields)
        for kind, (name, fields) in _TEXT_FUNCTIONS.items()
    },
    **{kind: partial(_aggregated, name=name) for kind, name in _AGGREGATES.items()},
    **{kind: partial(_shifted, kind=of, sign=sign) for kind, (of, sign) in _SHIFTS.items()},
    **{kind: partial(_difference, kind=of) for kind, of in _DIFFERENCES.items()},
    exp.Trim: _trim,
    exp.Substring: lambda writer, node: "bq_substring({})".format(
        ", ".join(
            writer.text(node.args[name])
            for name in ("this", "start", "length")
            if node.args.get(name)
        )
    ),
    exp.Sum: _sum,
    exp.Avg: _sum,
    exp.Count: _count,
    exp.CountIf: lambda writer, node: f"count(CASE WHEN {writer.text(node.this)} THEN 1 END)",
    exp.ApproxDistinct: lambda writer, node: f"count(DISTINCT {writer.text(node.this)})",
    exp.GroupConcat: _string_agg,
    exp.Window: _window,
    exp.RowNumber: lambda _writer, _node: "row_number()",
    exp.Lag: partial(_neighbour, name="lag"),
    exp.Lead: partial(_neighbour, name="lead"),
    exp.FirstValue: partial(_neighbour, name="first_value"),
    exp.LastValue: partial(_neighbour, name="last_value"),
    exp.Rank: lambda _writer, _node: "rank()",
    exp.DenseRank: lambda _writer, _node: "dense_rank()",
    exp.CurrentTimestamp: lambda writer, _node: str(writer.now_us),
    exp.CurrentDate: lambda writer, _node: str(writer.now_us // 86_400_000_000),
    exp.Date: lambda writer, node: _made_of(writer, node, "DATE"),
    exp.TsOrDsToDate: lambda writer, node: _made_of(writer, node, "DATE"),
    exp.Timestamp: lambda writer, node: _made_of(writer, node, "TIMESTAMP"),
    exp.DateTrunc: _truncated,
    exp.TimestampTrunc: _truncated,
    exp.DatetimeTrunc: _truncated,
    exp.Extract: _extracted,
    exp.TimeToStr: _formatted,
    exp.UnixToTime: _from_unix,
    exp.UnixSeconds: lambda writer, node: f"bq_to_unix('SECONDS', {writer.text(node.this)})",
    exp.UnixMillis: lambda writer, node: f"bq_to_unix('MILLIS', {writer.text(node.this)})",
    exp.UnixMicros: lambda writer, node: f"bq_to_unix('MICROS', {writer.text(node.this)})",
    exp.Abs: lambda writer, node: _of_number(writer, node, "abs"),
    exp.Floor: lambda writer, node: _of_number(writer, node, "bq_floor"),
    exp.Ceil: lambda writer, node: _of_number(writer, node, "bq_ceil"),
    exp.Round: _round,
    exp.ArraySize: lambda writer, node: f"bq_array_length({writer.text(node.this)})",
    exp.JSONExtractScalar: lambda writer, node: (
        f"bq_json_value({writer.text(node.this)}, {constant('$' + _path(node.expression))})"
    ),
}
