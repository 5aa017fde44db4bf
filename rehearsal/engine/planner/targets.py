"""Which resources an operation may touch: `--target`, `--exclude` and what depends on them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


def _matcher(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*|\*)", pattern)
    return re.compile(
        "".join({"**": ".*", "*": "[^:]*"}.get(part, re.escape(part)) for part in parts)
    )


def is_literal(pattern: str) -> bool:
    """Tell a URN from a pattern of URNs."""
    return "*" not in pattern


@dataclass(slots=True)
class Targets:
    """The selection; without targets and excludes it is everything."""

    targets: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    with_dependents: bool = False
    _chosen: set[str] = field(default_factory=set)

    @property
    def restricts(self) -> bool:
        """Tell whether anything is left out."""
        return bool(self.targets or self.excludes)

    def allows(self, urn: str, requires: Iterable[str] = ()) -> bool:
        """Tell whether a resource may be touched; `requires` are the URNs it depends on."""
        if not self.restricts:
            return True
        if self.targets:
            chosen = _matches(self.targets, urn) or (
                self.with_dependents and any(required in self._chosen for required in requires)
            )
        else:
            chosen = not _matches(self.excludes, urn) and not (
                self.with_dependents and any(required in self._chosen for required in requires)
            )
            if not chosen:
                self._chosen.add(urn)
            return chosen
        if chosen:
            self._chosen.add(urn)
        return chosen

    def is_named(self, urn: str) -> bool:
        """Tell whether a resource is a target by name, not by dependency."""
        return _matches(self.targets, urn)

    def unknown(self, known: Iterable[str]) -> list[str]:
        """Return the literal targets that no resource has."""
        present = set(known)
        return [
            target
            for target in (*self.targets, *self.excludes)
            if is_literal(target) and target not in present
        ]


def _matches(patterns: Sequence[str], urn: str) -> bool:
    return any(_matcher(pattern).fullmatch(urn) for pattern in patterns)
