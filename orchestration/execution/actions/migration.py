"""Migration: where a service runs, and how its processors are paid for.

Cloud Run has no spot instances. What comes nearest to them is billing by request, with no minimum
of instances: cheap, and gone when nobody asks. The opposite, which stands for instances on demand,
are processors that are always on. A move to another region makes a new Cloud Run service there,
with an address of its own, and deletes the old one once the new one runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from pydantic import JsonValue

from architecture.limits import REGION
from orchestration.coordination.rules import SPOT_NOTE
from orchestration.execution.actions.action import Change, Done, Facts, RecordingAction
from orchestration.execution.services import Services


class Billing(StrEnum):
    """What is paid for: requests, or instances for as long as they exist."""

    REQUEST = "request"
    INSTANCE = "instance"


class Migration(RecordingAction):
    """Moves services to a `region`, or to another `billing`, or both."""

    def __init__(self, billing: Billing | None = None) -> None:
        self._billing = billing

    def objections(self, parameters: Facts, services: Services) -> Iterator[str]:
        """Require where to, in words that Cloud Run knows."""
        del services
        region, billing = parameters.get("region"), parameters.get("billing")
        if region is not None and not (isinstance(region, str) and REGION.fullmatch(region)):
            yield "`region` must be a region, such as europe-west1"
        if billing is not None and billing not in tuple(Billing):
            yield f"`billing` must be {' or '.join(Billing)}"
        if self._billing is None and region is None and billing is None:
            yield "`region` is missing: where to?"

    def changes(self, parameters: Facts, services: Services) -> Iterator[Change]:
        """Set region and billing, as far as they are given."""
        for service in services.values():
            if isinstance(region := parameters.get("region"), str):
                yield Change(service.name, "region", region)
            match self._billed(parameters):
                case Billing.REQUEST:
                    yield Change(service.name, "cpu_always_on", value=False)
                    yield Change(service.name, "min_instances", 0)
                case Billing.INSTANCE:
                    yield Change(service.name, "cpu_always_on", value=True)
                    yield Change(service.name, "min_instances", max(1, service.min_instances))
                case None:
                    pass

    def told(self, parameters: Facts, before: Services) -> Done:
        """Give where services were and are."""
        billing = self._billed(parameters)
        previous: dict[str, JsonValue] = {
            name: {
                "region": service.deployment.region,
                "billing": (Billing.INSTANCE if service.is_always_on else Billing.REQUEST).value,
                "min_instances": service.min_instances,
            }
            for name, service in before.items()
        }
        result: dict[str, JsonValue] = {
            "migrated_instances": len(before),
            "status": "completed",
            "previous": previous,
        }
        if region := parameters.get("region"):
            result["region"] = region
        if billing is not None:
            result["billing"] = billing.value
        if billing is Billing.REQUEST:
            result["note"] = SPOT_NOTE
        return Done(result, {"restore": previous})

    def _billed(self, parameters: Facts) -> Billing | None:
        said = parameters.get("billing")
        return Billing(said) if isinstance(said, str) else self._billing
