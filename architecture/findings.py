"""What is wrong in an architecture file, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

_SHOWN_CHARACTERS = 60


class Severity(StrEnum):
    """Whether a file with the finding can be used."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong; line and column count from 1 and are 0 where there is no place."""

    rule: str
    severity: Severity
    path: Path
    line: int
    column: int
    message: str
    fix: str = ""

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}:{self.column}" if self.line else f"{self.path}"
        fix = f" ({self.fix})" if self.fix else ""
        return f"{place}: {self.severity}[{self.rule}] {self.message}{fix}"


class InvalidArchitecture(Exception):  # noqa: N818 - named after what it reports, not a mishap
    """The architecture cannot be used; `findings` says why, warnings among them."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(map(str, self.findings)))


Report = Callable[[Severity, str, tuple[int, int], str, str], None]
"""Takes severity, rule, (line, column), message and fix of what was found."""


def shown(text: str) -> str:
    """Return foreign text as a message quotes it."""
    return f"`{one_line(text, _SHOWN_CHARACTERS)}`"


def one_line(text: str, most_characters: int) -> str:
    """Return foreign text on one line, short and printable."""
    short = text if len(text) <= most_characters else f"{text[:most_characters]}…"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in short)
