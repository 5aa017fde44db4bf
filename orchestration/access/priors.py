"""What earlier runs have measured of each role's propagation, kept with the environment.

It makes waiting more to the point and nothing depends on it: a store that is lost or damaged
costs the prior, no more. How a prior is used is `orchestration.access.pacing`'s matter.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import quantiles
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestration.access.pacing import Prior
from orchestration.access.waiting import EffectiveGrant, TestedBy
from orchestration.environments import write_atomically

# The newest delays of a role; older ones may be of a cloud that has changed since.
MOST_DELAYS: Final = 200
# No wait is longer than an hour: whoever says so has damaged the file.
_LONGEST_S: Final = 3600.0

Delay = Annotated[float, Field(ge=0, le=_LONGEST_S, allow_inf_nan=False)]


class MeasuredDelays(BaseModel):
    """Seconds until grants worked, by role, the newest last."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    delays_s: Mapping[str, tuple[Delay, ...]] = {}

    def priors(self) -> dict[str, Prior]:
        """Give what is to be expected of each role that was measured."""
        return {role: Prior(*percentiles(found)) for role, found in self.delays_s.items() if found}

    def with_more(self, delays_s: Mapping[str, Sequence[float]]) -> MeasuredDelays:
        """Add newer delays; the oldest of a role that has too many are forgotten."""
        merged = dict(self.delays_s)
        for role, newer in delays_s.items():
            merged[role] = (*merged.get(role, ()), *newer)[-MOST_DELAYS:]
        return MeasuredDelays(delays_s=merged)


class PriorStore:
    """The delays measured in one environment; safe from any thread of the run that holds it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._turn = threading.Lock()

    def priors(self) -> dict[str, Prior]:
        """Give the prior of every role that was measured; none from what cannot be read."""
        return self._read().priors()

    def learn(self, effective: Iterable[EffectiveGrant]) -> None:
        """Record the delays of a wait.

        A grant that worked at the first try had begun to before the wait, and one that was only
        read back may not work yet: neither tells how long it takes. A store that cannot be
        written is left as it is.
        """
        delays_s: dict[str, list[float]] = {}
        for item in effective:
            if item.was_awaited and item.tested_by is not TestedBy.POLICY:
                delays_s.setdefault(item.grant.role, []).append(min(item.delay_s, _LONGEST_S))
        if not delays_s:
            return
        with self._turn:
            learned = self._read().with_more(delays_s)
            try:
                write_atomically(self._file, learned.model_dump_json(indent=2) + "\n")
            except OSError:
                return

    def _read(self) -> MeasuredDelays:
        try:
            return MeasuredDelays.model_validate_json(self._file.read_bytes())
        except (OSError, ValidationError):
            return MeasuredDelays()


def percentiles(values: Sequence[float]) -> tuple[float, float]:
    """Give the median and the 99th percentile of at least one value, to the millisecond."""
    if len(values) == 1:
        return round(values[0], 3), round(values[0], 3)
    cuts = quantiles(values, n=100, method="inclusive")
    return round(cuts[49], 3), round(cuts[98], 3)
