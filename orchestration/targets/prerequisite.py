"""One thing that a run needs: what it is, why, how it stands, and the command that settles it.

Which things these are is told by `local_needs` and `google_needs`; looking is a function of its
own, so that a report can be made of needs that nobody can look at from here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from orchestration.errors import CloudUnreachable


class Standing(StrEnum):
    """How a prerequisite stands."""

    OK = "ok"
    MISSING = "missing"
    UNKNOWN = "cannot be checked here"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look has shown."""

    standing: Standing
    what: str


def ok(what: str) -> Seen:
    """Say that it is there."""
    return Seen(Standing.OK, what)


def missing(what: str) -> Seen:
    """Say that it is not there."""
    return Seen(Standing.MISSING, what)


def unknown(what: str) -> Seen:
    """Say why it cannot be told from here."""
    return Seen(Standing.UNKNOWN, what)


@dataclass(frozen=True, slots=True)
class Prerequisite:
    """One thing that a run needs; `look` finds out how it stands and changes nothing."""

    group: str
    name: str
    why: str
    # What settles it: a command, or where to look.
    remedy: str
    look: Callable[[], Seen]


@dataclass(frozen=True, slots=True)
class Surveyed:
    """A prerequisite, and how it stands."""

    prerequisite: Prerequisite
    seen: Seen

    @property
    def is_missing(self) -> bool:
        """Whether it is known not to be there."""
        return self.seen.standing is Standing.MISSING

    @property
    def finding(self) -> str:
        """Say in one line what is missing and what to do."""
        return f"{self.seen.what}: `{self.prerequisite.remedy}`"


def survey(prerequisite: Prerequisite) -> Surveyed:
    """Look at one prerequisite; a cloud that does not answer is no reason to fail."""
    try:
        return Surveyed(prerequisite, prerequisite.look())
    except CloudUnreachable as error:
        return Surveyed(prerequisite, unknown(error.message))
