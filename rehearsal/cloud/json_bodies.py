"""Bodies of requests as bytes: JSON as strictly read as Google does.

What the members mean is checked against the discovery documents later.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from rehearsal.cloud.errors import invalid_argument

# Protobuf's JSON parser goes no deeper.
_MOST_LEVELS: Final = 100
_LONE_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
# The contents of strings, and what nests around them.
_STRINGS: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_BRACKETS: Final = re.compile(r"[\[{\]}]")


def parsed_body(content: bytes) -> Any:
    """Return the JSON value of a request's body; of an empty one an empty object.

    Raises:
        ApiError: 400; no JSON, no Unicode, or too deep.
    """
    if not content.strip():
        return {}
    try:
        text = content.decode("utf-8-sig")
        _check_depth(text)
        body = json.loads(text, parse_constant=_refuse_constant)
    except ValueError as error:
        raise invalid_argument(f"Invalid JSON payload received. {error}") from error
    if "\\u" in text and _LONE_SURROGATE.search(json.dumps(body, ensure_ascii=False)):
        raise invalid_argument("Invalid JSON payload received. Illegal unicode escape sequence.")
    return body


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= _MOST_LEVELS:
        return
    level = 0
    for bracket in _BRACKETS.finditer(_STRINGS.sub("", text)):
        level += 1 if bracket.group() in "[{" else -1
        if level > _MOST_LEVELS:
            raise ValueError("Message too deep. Max recursion depth reached.")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"Unexpected token: {name}")
