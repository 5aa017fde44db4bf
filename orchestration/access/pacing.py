"""How often to try whether a grant works, and for how long it must before it counts.

Nothing here waits: `orchestration.access.waiting` does. What earlier runs have measured makes the
tries sparser while success is unlikely and denser while it is expected. It changes nothing else:
whatever a prior says, when a grant counts and when the wait ends stays the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# Google documents no longest false start. IAM's reads are eventually consistent (reference of
# IAMClient), and the official provider takes a new account for real after three successful reads
# in a row, half a second apart at least (magic-modules#10813): so do we, for as long.
CONFIRMATIONS: Final = 3
CONFIRM_S: Final = 1.0
# Successes of a role begin about here, as a part of the median that earlier runs have measured.
_EXPECTED_FROM: Final = 0.5
# Between there and the 99th percentile tries come so much more often.
_EXPECTED_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Prior:
    """When half and nearly all of a role's grants worked in earlier runs, in seconds."""

    p50_s: float
    p99_s: float


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to try and when to give up; times in seconds.

    An interval is about a tenth of the time waited so far, and that is how much too late a grant
    is noticed at most. A grant counts once it has worked at every try for the confirmation
    window, `confirm_s`: a false start that is no longer than the window is no go.
    """

    first_s: float = 0.2
    # What is tried in vain for a while, because a prior says so, is tried after a second already.
    early_s: float = 1.0
    growth: float = 0.1
    longest_s: float = 10.0
    confirmations: int = CONFIRMATIONS
    confirm_s: float = CONFIRM_S
    deadline_s: float = 600.0

    def interval_s(self, waited_s: float, prior: Prior | None = None) -> float:
        """Say how long to pause before the next try, after a wait in vain so far."""
        plain_s = min(self.first_s + self.growth * waited_s, self.longest_s)
        if prior is None:
            return plain_s
        begins_s = prior.p50_s * _EXPECTED_FROM
        if waited_s < begins_s:
            sparse_s = min(self.early_s + self.growth * waited_s, self.longest_s)
            return max(self.first_s, min(sparse_s, begins_s - waited_s))
        if waited_s <= prior.p99_s:
            return max(self.first_s, plain_s * _EXPECTED_SHARE)
        return plain_s
