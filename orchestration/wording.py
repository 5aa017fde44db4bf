"""Small words for people: counts with their nouns."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Give a count with its noun: `1 service`, `3 services`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
