"""When a change of a grant begins to work.

A policy reads back at once, its effect lags: the only lag that Google's provider survives in
rehearsal, and the one that matters. Which grants there are is `rehearsal.cloud.iam.policies`'
matter.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum


class Propagation(StrEnum):
    """How long grants take to become effective."""

    NONE = "none"  # At once.
    SEEDED = "seeded"  # 1 to 3 s: a rehearsal that does not bore.
    REALISTIC = "realistic"  # Typically 2 min, now and then 7 or more, as Google documents.


@dataclass(frozen=True, slots=True)
class Delays:
    """Draws the delay of each grant, always the same one for the same seed and grant."""

    propagation: Propagation
    seed: int

    def of(self, resource: str, role: str, member: str) -> float:
        """Return the seconds until a change of this grant works."""
        if self.propagation is Propagation.NONE:
            return 0.0
        key = f"{self.seed}\n{resource}\n{role}\n{member}"
        draw = random.Random(key)  # noqa: S311 - a rehearsal must repeat itself
        if self.propagation is Propagation.SEEDED:
            return draw.uniform(1.0, 3.0)
        # Median two minutes; one in fifty beyond seven.
        return min(draw.lognormvariate(4.787, 0.61), 900.0)
