"""Why a request to weigh recommendations is refused, item by item.

A problem's category is no HTTP status: the edge translates it once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from orchestration.errors import UsageError


class Category(StrEnum):
    """What is wrong with a request."""

    MALFORMED = "malformed"  # It is not what it claims to be.
    SEMANTIC = "semantic"  # It can be read, but not meant.
    TOO_LARGE = "too-large"
    FORBIDDEN = "forbidden"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to put right: where (`item`: a recommendation's id, `field`: its place) and why."""

    category: Category
    code: str
    message: str
    item: str = ""
    field: str = ""


class RequestRefused(UsageError):  # noqa: N818 - the house's tree names states, not mishaps
    """A request has problems; nothing was weighed. The first problem stands for all."""

    code = "request-refused"

    def __init__(self, problems: Sequence[Problem]) -> None:
        first, *others = problems
        more = f" (and {len(others)} more)" if others else ""
        super().__init__(
            first.message + more, details="\n".join(problem.message for problem in others)
        )
        self.problems = tuple(problems)

    @property
    def category(self) -> Category:
        """The first problem's category."""
        return self.problems[0].category
