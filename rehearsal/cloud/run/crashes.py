"""How often a revision's instances end by themselves, and how long to wait for the next one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.run import conditions

# An instance that lived this long crashes for a new reason.
STABLE_AFTER_S: Final = 30.0

_FIRST_PAUSE_S: Final = 0.1
_MAX_PAUSE_S: Final = 10.0
# So many crashes in a row are a loop.
_LOOP: Final = 3


class Crashes:
    """The crashes in a row of one revision's instances; a loop of them is told."""

    def __init__(self, tell: Callable[[JsonObject], None]) -> None:
        """Begin without any.

        Args:
            tell: Takes the revision's condition when a loop begins or ends.
        """
        self._tell = tell
        self._in_a_row = 0
        self._not_before_s = 0.0

    @property
    def pause_s(self) -> float:
        """Return how long to wait before the next start; 0 or less when there is no need to."""
        return self._not_before_s - time.monotonic()

    def note(self, how: str) -> None:
        """Count one more; each pause is twice as long as the one before."""
        pause_s = min(_MAX_PAUSE_S, _FIRST_PAUSE_S * 2.0**self._in_a_row)
        self._not_before_s = time.monotonic() + pause_s
        self._in_a_row += 1
        if self._in_a_row == _LOOP:
            self._tell(conditions.crash_loop(how))

    def end(self) -> None:
        """Forget them: an instance has proved that it stays."""
        if self._in_a_row >= _LOOP:
            self._tell(conditions.healthy())
        self._in_a_row = 0
