"""Settings that a service offers for change: how large its batches are, whether it caches.

A service offers one by naming, in `metadata.settings`, the environment variable that sets it.
"""

from __future__ import annotations

from collections.abc import Iterator

from architecture.recorded import SETTING_PREFIX
from orchestration.execution.actions.action import (
    Change,
    Done,
    Facts,
    RecordingAction,
    whole_number,
)
from orchestration.execution.services import DeployedService, Services

BATCH_SIZE = "batch_size"
CACHING = "caching"


class BatchSize(RecordingAction):
    """Makes a service's batches larger, or smaller: `value` is the new size."""

    def __init__(self, *, larger: bool) -> None:
        self._larger = larger

    def objections(self, parameters: Facts, services: Services) -> Iterator[str]:
        """Require the setting, and a `value` on the right side of the present one."""
        value = whole_number(parameters, "value")
        if value is None or value < 1:
            yield "`value` must be the new batch size, a whole number from 1"
            return
        for service in services.values():
            yield from _not_offered(service, BATCH_SIZE)
            present = _number(service.setting(BATCH_SIZE))
            if present is not None and (value < present if self._larger else value > present):
                word = "increase" if self._larger else "decrease"
                yield f"{service.name} has batches of {present}: {value} is no {word}"

    def changes(self, parameters: Facts, services: Services) -> Iterator[Change]:
        """Set the size."""
        for name in services:
            yield Change(name, f"{SETTING_PREFIX}{BATCH_SIZE}", str(parameters["value"]))

    def told(self, parameters: Facts, before: Services) -> Done:
        """Give the sizes before and after; null before is the program's own default."""
        return _told(BATCH_SIZE, str(parameters["value"]), before)


class Caching(RecordingAction):
    """Turns a service's caching on or off."""

    def __init__(self, *, on: bool) -> None:
        self._value = "true" if on else "false"

    def objections(self, parameters: Facts, services: Services) -> Iterator[str]:
        """Require the setting."""
        del parameters
        for service in services.values():
            yield from _not_offered(service, CACHING)

    def changes(self, parameters: Facts, services: Services) -> Iterator[Change]:
        """Set it to `true` or `false`."""
        del parameters
        for name in services:
            yield Change(name, f"{SETTING_PREFIX}{CACHING}", self._value)

    def told(self, parameters: Facts, before: Services) -> Done:
        """Give the values before and after; null before is the program's own default."""
        del parameters
        return _told(CACHING, self._value, before)


def _not_offered(service: DeployedService, setting: str) -> Iterator[str]:
    if service.variable(setting) is None:
        yield (
            f"{service.name} does not offer the setting {setting!r}: its `metadata.settings` names"
            " no environment variable for it"
        )


def _told(setting: str, value: str, before: Services) -> Done:
    previous = {name: service.setting(setting) for name, service in before.items()}
    return Done(
        {"setting": setting, "value": value, "previous": dict(previous)},
        {"restore": dict(previous)},
    )


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None
