"""When a change of a grant begins to work, a new account is found, an enabled API serves.

A policy reads back at once, its effect lags: the only lag that Google's provider survives in
rehearsal, and the one that matters. Which grants there are is `rehearsal.cloud.iam.policies`'
matter.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

# Google's minutes in a rehearsal's seconds: 2 min become 4 s, 7 min become 14 s.
TIME_SCALE: Final = 1 / 30
_LONGEST_S: Final = 900.0
# How much slower or faster than others a role may be, as a power of two.
_ROLE_SPREAD: Final = 0.5
# A false start comes this early, as a part of the delay, and lasts that long, but no longer than
# Google's 15 s would be in scaled time: whoever sees a grant work for longer may rely on it.
_FALSE_START_AT: Final = 0.4
_FALSE_START_LASTS: Final = 0.1
LONGEST_FALSE_START_S: Final = 15.0 * TIME_SCALE


class Propagation(StrEnum):
    """How long grants take to become effective."""

    NONE = "none"  # At once.
    SEEDED = "seeded"  # 1 to 3 s: a rehearsal that does not bore.
    # Typically 2 min, now and then 7 or more, as Google documents, in scaled time; new service
    # accounts are not found at first, and APIs just enabled refuse calls for a moment.
    REALISTIC = "realistic"
    # As realistic, and half of the changes take back a first effect before they work for good.
    FLICKERING = "flickering"


@dataclass(slots=True)
class Delays:
    """Draws the delay of each grant, always the same one for the same seed and grant.

    Attributes:
        propagation: How long changes take; another one is for the changes that come after.
        seed: What everything is drawn from.
    """

    propagation: Propagation
    seed: int

    def of(self, resource: str, role: str, member: str) -> float:
        """Return the seconds until a change of this grant works for good."""
        if self.propagation is Propagation.NONE:
            return 0.0
        draw = self._draw(resource, role, member)
        if self.propagation is Propagation.SEEDED:
            return draw.uniform(1.0, 3.0)
        # Median two minutes; one in fifty beyond seven.
        documented_s = draw.lognormvariate(4.787, 0.61)
        pace = 2 ** self._draw(role).uniform(-_ROLE_SPREAD, _ROLE_SPREAD)
        return min(documented_s * pace, _LONGEST_S) * TIME_SCALE

    def steps(
        self, resource: str, role: str, member: str, *, is_granted: bool
    ) -> Sequence[tuple[float, bool]]:
        """Return from when on (in seconds) a change of this grant works, or works no more."""
        delay_s = self.of(resource, role, member)
        has_false_start = (
            self.propagation is Propagation.FLICKERING
            and self._draw("flicker", resource, role, member).random() < 1 / 2
        )
        if not has_false_start:
            return [(delay_s, is_granted)]
        begins_s = delay_s * _FALSE_START_AT
        ends_s = begins_s + min(delay_s * _FALSE_START_LASTS, LONGEST_FALSE_START_S)
        return [(begins_s, is_granted), (ends_s, not is_granted), (delay_s, is_granted)]

    def until_account_is_found(self, email: str) -> float:
        """Return for how many seconds a new service account is not found; often for none."""
        if self.propagation in (Propagation.NONE, Propagation.SEEDED):
            return 0.0
        draw = self._draw("account", email)
        # Up to 20 s with Google, for every other account.
        return draw.uniform(0.0, 20.0) * TIME_SCALE if draw.random() < 1 / 2 else 0.0

    def until_api_is_served(self, service: str) -> float:
        """Return for how many seconds an API just enabled still refuses calls; often for none."""
        if self.propagation in (Propagation.NONE, Propagation.SEEDED):
            return 0.0
        draw = self._draw("api", service)
        # "Wait a few minutes", says Google's refusal; half a minute is what its provider meets.
        return draw.uniform(0.0, 30.0) * TIME_SCALE if draw.random() < 1 / 2 else 0.0

    def _draw(self, *key: str) -> random.Random:
        return random.Random("\n".join((str(self.seed), *key)))  # noqa: S311 - must repeat itself
