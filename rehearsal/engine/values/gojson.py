"""JSON written as the Go engine writes it, so that state files of both engines are the same.

Go prints whole numbers without a fraction, strips exponents of leading zeros, leaves text
unescaped except for the two line separators, and escapes `<`, `>` and `&` only where asked to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
JsonObject: TypeAlias = dict[str, Json]


class Raw(str):
    """JSON text that is serialised already and goes out as it is."""

    __slots__ = ()


_LARGEST_PLAIN = 1e21
_SMALLEST_PLAIN = 1e-6
_quote = json.encoder.encode_basestring


def dumps(value: Json, *, indent: int = 0, html: bool = False) -> str:
    """Serialise a value; without `indent` in the compact form.

    Args:
        value: what to write; mappings keep their order.
        indent: spaces per level.
        html: escape the characters that are special in HTML, as Go's default encoder does.
    """
    parts: list[str] = []
    _write(value, parts, " " * indent, "\n", html=html)
    return "".join(parts)


def loads(text: str | bytes) -> Json:
    """Read JSON so that writing it gives the same text: `-0` is a number of its own.

    Raises:
        ValueError: it is no JSON.
    """
    document: Json = json.loads(text, parse_int=_whole)
    return document


def _whole(text: str) -> float:
    return -0.0 if text == "-0" else int(text)


def number(value: float) -> str:
    """Format a floating point number the way Go's encoder does."""
    size = abs(value)
    if size and not _SMALLEST_PLAIN <= size < _LARGEST_PLAIN:
        digits, _, exponent = f"{Decimal(repr(value)).normalize():e}".partition("e")
        sign = "-" if exponent.startswith("-") else "+"
        return f"{digits}e{sign}{exponent.lstrip('+-').lstrip('0')}"
    text = f"{Decimal(repr(value)):f}"
    return text.removesuffix(".0")


def _text(value: str, *, html: bool) -> str:
    text = _quote(value)
    if not text.isascii():
        text = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    if html:
        text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return text


def _write(value: Json, parts: list[str], indent: str, newline: str, *, html: bool) -> None:
    match value:
        case Raw():
            parts.append(value)
        case None | True | False:
            parts.append({None: "null", True: "true", False: "false"}[value])
        case str():
            parts.append(_text(value, html=html))
        case int():
            parts.append(str(value))
        case float():
            parts.append(number(value))
        case Mapping():
            _write_all(
                [(_text(str(key), html=html), item) for key, item in value.items()],
                parts,
                indent,
                newline,
                brackets="{}",
                html=html,
            )
        case _:
            _write_all(
                [("", item) for item in value], parts, indent, newline, brackets="[]", html=html
            )


def _write_all(
    items: Sequence[tuple[str, Json]],
    parts: list[str],
    indent: str,
    newline: str,
    *,
    brackets: str,
    html: bool,
) -> None:
    parts.append(brackets[0])
    inner = newline + indent
    colon = ": " if indent else ":"
    for position, (key, item) in enumerate(items):
        if position:
            parts.append(",")
        if indent:
            parts.append(inner)
        if key:
            parts.extend((key, colon))
        _write(item, parts, indent, inner, html=html)
    if items and indent:
        parts.append(newline)
    parts.append(brackets[1])
