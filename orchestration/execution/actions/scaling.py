"""Scaling: how many instances a service can have, and always has.

`count` is the most there can be, `min_count` how many there always are; Google's bounds are those
of the architecture file.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from architecture.limits import MAX_INSTANCES, MIN_INSTANCES
from orchestration.execution.actions.action import (
    Change,
    Done,
    Facts,
    RecordingAction,
    whole_number,
)
from orchestration.execution.services import DeployedService, Services


class Direction(StrEnum):
    """Which way an action scales."""

    ANY = "any"
    UP = "up"
    DOWN = "down"


class Scaling(RecordingAction):
    """Sets how many instances services have."""

    def __init__(self, direction: Direction) -> None:
        self._direction = direction

    def objections(self, parameters: Facts, services: Services) -> Iterator[str]:
        """Require a `count` within bounds, and in the action's direction."""
        count, least = whole_number(parameters, "count"), whole_number(parameters, "min_count")
        if count is None or not MAX_INSTANCES[0] <= count <= MAX_INSTANCES[1]:
            yield f"`count` must be a number of instances, {_bounds(MAX_INSTANCES)}"
            return
        if parameters.get("min_count") is not None and (
            least is None or not MIN_INSTANCES[0] <= least <= count
        ):
            yield f"`min_count` must be a number of instances, {MIN_INSTANCES[0]} to `count`"
        for service in services.values():
            declared = service.deployment.max_instances
            if declared is None:
                # What was never said is Google's bound, no number that somebody scales from.
                continue
            if self._direction is Direction.UP and count < declared:
                yield f"{service.name} has up to {declared} instances: {count} is no scaling up"
            if self._direction is Direction.DOWN and count > declared:
                yield f"{service.name} has up to {declared} instances: {count} is no scaling down"

    def changes(self, parameters: Facts, services: Services) -> Iterator[Change]:
        """Set the most; and the least where it is given, or would be above the most."""
        count = whole_number(parameters, "count") or MAX_INSTANCES[0]
        for service in services.values():
            yield Change(service.name, "max_instances", count)
            least = _least(parameters, count, service)
            if least != service.min_instances:
                yield Change(service.name, "min_instances", least)

    def told(self, parameters: Facts, before: Services) -> Done:
        """Give the counts before and after (requirement 4.31)."""
        count = whole_number(parameters, "count")
        previous = {name: service.max_instances for name, service in before.items()}
        first = next(iter(previous.values()))
        return Done(
            {"previous_count": first, "new_count": count, "previous_counts": dict(previous)},
            {"restore_count": first, "restore_counts": dict(previous)},
        )


def _least(parameters: Facts, count: int, service: DeployedService) -> int:
    asked = whole_number(parameters, "min_count")
    return min(service.min_instances, count) if asked is None else asked


def _bounds(bounds: tuple[int, int]) -> str:
    return f"{bounds[0]} to {bounds[1]}"
