"""Lists in pages: `limit` and `after`, with the place of the next page in the answer."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

LARGEST_PAGE = 500

Limit = Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="How many at most.")]
After = Annotated[
    int, Query(ge=0, le=2**63 - 1, description="The `next` of the page before; 0 begins.")
]
Identifier = Annotated[str, Path(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")]
CustomerFilter = Annotated[str, Query(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")]


def next_place(places: list[int], limit: int) -> int | None:
    """Say where the next page begins; None when this one was the last."""
    return places[-1] if len(places) == limit else None
