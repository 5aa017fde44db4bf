"""Where a server of the coordination engine is, for the lease that decides who runs plans."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ServerPlace:
    """The name that servers of one database and environment compete for, and this one's folder.

    The name is no environment's: those have no spaces in theirs.
    """

    name: str
    folder: Path

    @classmethod
    def of(cls, environment: str, folder: Path) -> ServerPlace:
        """Name the place of the plans of an environment, or of those on none of our resources."""
        return cls(f"plans of {environment or 'agents'}", folder)
