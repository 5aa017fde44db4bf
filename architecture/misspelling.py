"""Guess which word was meant by one that nobody knows."""

from __future__ import annotations

import bisect
import difflib
import functools
from typing import Final

_MOST_SHOWN: Final = 12
_MOST_COMPARED: Final = 400
"""Comparing takes its time; among more words only those next in the alphabet are compared."""


@functools.lru_cache(maxsize=1024)
def nearest(word: str, known: tuple[str, ...]) -> str | None:
    """Return the known word that was probably meant."""
    if len(known) > _MOST_COMPARED:
        ordered = sorted(known)
        start = max(0, bisect.bisect(ordered, word) - _MOST_COMPARED // 2)
        known = tuple(ordered[start : start + _MOST_COMPARED])
    close = difflib.get_close_matches(word[:100], known, n=1, cutoff=0.6)
    return close[0] if close else None


def suggestion(word: str, known: tuple[str, ...]) -> str:
    """Return `did you mean …?`, or the words to choose from."""
    close = nearest(word, known)
    if close:
        return f"did you mean `{close}`?"
    shown = sorted(filter(None, known))
    if not shown:
        return "there is none"
    more = ", …" if len(shown) > _MOST_SHOWN else ""
    return f"known here: {', '.join(shown[:_MOST_SHOWN])}{more}"
