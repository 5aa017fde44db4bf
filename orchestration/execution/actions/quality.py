"""Quality: whether services answer as well as they did before the plan began.

Probes go to the service's health route, as a caller with the deployer's identity. The thresholds
are parameters of the step.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestration.execution.actions.action import (
    Done,
    Facts,
    Live,
    Measurement,
    StepOrder,
    number,
    whole_number,
)
from orchestration.execution.errors import StepFailed
from orchestration.execution.services import Services

DEFAULT_PROBES: Final = 20
MOST_PROBES: Final = 500
DEFAULT_MAX_ERROR_RATE: Final = 0.0
# Compared with before, unless a limit is given.
DEFAULT_MAX_LATENCY_FACTOR: Final = 3.0
# Below this nobody notices, and quick services vary by factors.
UNNOTICED_MS: Final = 500.0


class QualityCheck:
    """Sends probes; fails the step where too many fail, or take too long."""

    def objections(self, parameters: Facts, services: Services) -> Iterator[str]:
        """Require thresholds that can be met."""
        del services
        probes = parameters.get("probes")
        if probes is not None:
            count = whole_number(parameters, "probes")
            if count is None or not 1 <= count <= MOST_PROBES:
                yield f"`probes` must be a whole number, 1 to {MOST_PROBES}"
        for name, most in (
            ("max_error_rate", 1.0),
            ("max_p95_ms", None),
            ("max_latency_factor", None),
        ):
            if parameters.get(name) is None:
                continue
            value = number(parameters, name, -1.0)
            if value < 0 or (most is not None and value > most):
                yield f"`{name}` must be a number from 0{f' to {most:g}' if most else ''}"

    def do(self, order: StepOrder, live: Live) -> Done:
        """Send the probes and judge them.

        Raises:
            StepFailed: the services answer worse than they may.
        """
        found = live.measure(
            order.services, whole_number(order.parameters, "probes") or DEFAULT_PROBES
        )
        most_errors = number(order.parameters, "max_error_rate", DEFAULT_MAX_ERROR_RATE)
        slowest_ms = _slowest_ms(order.parameters, order.before)
        is_passed = found.error_rate <= most_errors and found.p95_ms <= slowest_ms
        speed = min(1.0, slowest_ms / found.p95_ms) if found.p95_ms > 0 else 1.0
        result: dict[str, bool | float | int] = {
            "quality_score": round((1 - found.error_rate) * speed, 4),
            "passed": is_passed,
            "probes": found.probes,
            "error_rate": round(found.error_rate, 4),
            "p95_ms": round(found.p95_ms, 2),
            "max_error_rate": most_errors,
            "max_p95_ms": round(slowest_ms, 2),
        }
        if order.before is not None:
            result["before_error_rate"] = round(order.before.error_rate, 4)
            result["before_p95_ms"] = round(order.before.p95_ms, 2)
        if not is_passed:
            raise StepFailed(
                f"{', '.join(order.services)}: {found.failed} of {found.probes} probes failed"
                f" (allowed: {most_errors:.0%}), the slow ones took {found.p95_ms:.0f} ms"
                f" (allowed: {slowest_ms:.0f} ms)",
                result=result,
            )
        return Done(result)

    def undo(self, order: StepOrder, live: Live) -> None:
        """Do nothing: looking changes nothing."""
        del order, live


def _slowest_ms(parameters: Facts, before: Measurement | None) -> float:
    if parameters.get("max_p95_ms") is not None:
        return number(parameters, "max_p95_ms", UNNOTICED_MS)
    factor = number(parameters, "max_latency_factor", DEFAULT_MAX_LATENCY_FACTOR)
    return max(UNNOTICED_MS, factor * before.p95_ms) if before is not None else UNNOTICED_MS
