"""How many instances a revision shall have: the rules, and what its service asks for.

Starting and ending them is `fleet`'s matter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from rehearsal.cloud.calls import JsonObject

_MANUAL: Final = "MANUAL"
_WHOLE: Final = 100


@dataclass(frozen=True, slots=True)
class Scaling:
    """The bounds of a revision's instances.

    Attributes:
        least: How many there always are, as far as this machine bears it.
        most: How many there are at most; 0 where the service is switched off.
        concurrency: How many requests an instance answers at a time.
        utilization: Which part of that may be in use before another instance is started.
        promised: How many the service itself asks for at least.
    """

    least: int
    most: int
    concurrency: int
    utilization: float = 1.0
    promised: int = 0

    def wanted(self, requests: int) -> int:
        """Return how many instances so many requests at a time need."""
        needed = math.ceil(requests / (self.concurrency * self.utilization))
        return min(self.most, max(self.least, needed))


def scaling_of(
    service: JsonObject, template: JsonObject, percent: int, *, is_kept_warm: bool
) -> Scaling:
    """Return the bounds of one of a service's revisions.

    What the service sets for all its revisions is divided by their traffic, rounded up.

    Args:
        service: The service, with its own `scaling`.
        template: The revision's template, with its defaults.
        percent: The revision's share of the traffic.
        is_kept_warm: Whether one instance stays where the minimum is 0.
    """
    whole: JsonObject = service.get("scaling") or {}
    own: JsonObject = template["scaling"]
    concurrency = int(template["maxInstanceRequestConcurrency"])
    if is_manual(whole):
        count = _part(whole.get("manualInstanceCount"), percent)
        return Scaling(count, count, concurrency, promised=count)
    most = int(own["maxInstanceCount"])
    if whole.get("maxInstanceCount"):
        # A revision that only a tag reaches still answers.
        most = min(most, max(1, _part(whole["maxInstanceCount"], percent)))
    asked = int(own.get("minInstanceCount") or 0), _part(whole.get("minInstanceCount"), percent)
    promised = min(most, max(asked))
    utilization = float(own.get("concurrencyUtilization") or 1.0)
    least = max(promised, 1 if is_kept_warm else 0)
    return Scaling(least, most, concurrency, utilization, promised)


def is_manual(scaling: JsonObject) -> bool:
    """Return whether a service's own scaling fixes the number of its instances."""
    return scaling.get("scalingMode") == _MANUAL


def _part(count: object, percent: int) -> int:
    return math.ceil(int(str(count or 0)) * percent / _WHOLE)
