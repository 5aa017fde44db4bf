"""The values recorded above an environment's architecture, kept beside its state.

What they mean is `architecture.recorded`'s; who records them holds the environment. The stacks
read the file at every operation, so that what is recorded outlives the next `up`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from architecture.model import Architecture
from architecture.recorded import (
    RecordedOverride,
    RecordedOverrides,
    parse_recorded,
    with_recorded,
)
from orchestration.environments import Environment, write_atomically
from orchestration.errors import UsageError


class OverrideStore:
    """The recorded overrides of one environment; safe from any thread of one process."""

    def __init__(self, environment: Environment) -> None:
        self._file = environment.overrides_file
        self._turn = threading.Lock()

    def read(self) -> RecordedOverrides:
        """Read what is recorded.

        Raises:
            UsageError: the file cannot be read.
        """
        try:
            return parse_recorded(self._file.read_bytes())
        except FileNotFoundError:
            return RecordedOverrides()
        except (ValueError, OSError) as error:
            raise UsageError(
                f"{self._file} cannot be read: {str(error).splitlines()[0]}",
                hint="restore it, or delete it: then services run as their architecture says",
            ) from error

    def record(self, entries: Iterable[RecordedOverride]) -> RecordedOverrides:
        """Put values on top of what is recorded; doing it again changes nothing."""
        added = tuple(entries)
        return self._change(lambda held: held.with_step(added))

    def take_away(self, step_id: str) -> RecordedOverrides:
        """Take away what a step has recorded; doing it again changes nothing."""
        return self._change(lambda held: held.without_step(step_id))

    def remove(self, service: str, key: str | None = None) -> RecordedOverrides:
        """Take away what is recorded of a service, or of one key of it."""
        return self._change(lambda held: held.without(service, key))

    def above(self, architecture: Architecture) -> Architecture:
        """Give a hydrated architecture as it is deployed: with all that is recorded above it."""
        return with_recorded(architecture, self.read())

    def _change(
        self, change: Callable[[RecordedOverrides], RecordedOverrides]
    ) -> RecordedOverrides:
        with self._turn:
            held = self.read()
            changed = change(held)
            if changed is not held:
                write_atomically(self._file, changed.model_dump_json(indent=2) + "\n")
            return changed
