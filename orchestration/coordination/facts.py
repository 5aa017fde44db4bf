"""What agents may write freely: JSON objects that every part of the engine can keep and give back.

Python reads more than JSON allows (NaN, halves of surrogate pairs), and more than can be written
again (lists within lists without end). Such values are refused where they come in.
"""

from __future__ import annotations

import math
from typing import Annotated, Final

from pydantic import BeforeValidator, JsonValue

MOST_LEVELS: Final = 64


def checked(value: object) -> object:
    """Pass a value on if all of it is JSON that can be written again.

    Raises:
        ValueError: it holds a number, a text or a depth that JSON does not carry.
    """
    waiting: list[tuple[object, int]] = [(value, 0)]
    while waiting:
        inner, level = waiting.pop()
        if level > MOST_LEVELS:
            raise ValueError(f"is nested deeper than {MOST_LEVELS} levels")
        if isinstance(inner, dict):
            waiting.extend((part, level + 1) for part in (*inner.keys(), *inner.values()))
        elif isinstance(inner, list):
            waiting.extend((part, level + 1) for part in inner)
        elif isinstance(inner, float) and not math.isfinite(inner):
            raise ValueError("holds NaN or an infinity, which are no JSON")
        elif isinstance(inner, str) and not inner.isascii():
            _refuse_half_characters(inner)
    return value


def _refuse_half_characters(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("holds half of a surrogate pair, which is no character") from error


Facts = Annotated[dict[str, JsonValue], BeforeValidator(checked)]
