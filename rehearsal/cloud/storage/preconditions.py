"""Conditions of a request on an object's or a bucket's generation and metageneration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rehearsal.cloud.errors import ApiError, invalid_argument

# The generation of an object that does not exist.
NONE: Final = "0"


def check_generation(
    query: Mapping[str, str],
    current: Mapping[str, str] | None,
    *,
    prefix: str = "if",
    is_read: bool = False,
) -> None:
    """Refuse a request whose conditions on an object do not hold.

    Args:
        query: The request's parameters.
        current: The object's metadata; None where there is none.
        prefix: How the parameters begin: `ifSource` for those of a copy's source.
        is_read: Answer 304 instead of 412 where the object is the one that is not wanted.

    Raises:
        ApiError: 304, 412; 400 for a condition that is no number.
    """
    generation, metageneration = (
        (current["generation"], current["metageneration"]) if current else (NONE, None)
    )
    _check(query, f"{prefix}Generation", generation, is_read=is_read)
    _check(query, f"{prefix}Metageneration", metageneration, is_read=is_read)


def check_metageneration(query: Mapping[str, str], current: str, *, is_read: bool = False) -> None:
    """Refuse a request whose conditions on a bucket do not hold.

    Raises:
        ApiError: 304, 412; 400 for a condition that is no number.
    """
    _check(query, "ifMetageneration", current, is_read=is_read)


def not_held(code: int = 412) -> ApiError:
    """A condition did not hold."""
    return ApiError(
        code,
        "FAILED_PRECONDITION",
        "At least one of the pre-conditions you specified did not hold.",
        reason="conditionNotMet",
    )


def _check(query: Mapping[str, str], name: str, current: str | None, *, is_read: bool) -> None:
    for parameter in (f"{name}Match", f"{name}NotMatch"):
        wanted = query.get(parameter)
        if wanted is None:
            continue
        if not wanted.isdecimal():
            raise invalid_argument(f"Invalid value at '{parameter}': \"{wanted}\"")
        is_same = current is not None and int(wanted) == int(current)
        if parameter.endswith("NotMatch") and is_same:
            raise not_held(304 if is_read else 412)
        if not parameter.endswith("NotMatch") and not is_same:
            raise not_held()
