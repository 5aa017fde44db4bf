"""How many instances this machine bears, whatever the services ask for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

SETTING: Final = "CONDUCTOR_CLOUD_INSTANCES"

_MIB: Final = 1024 * 1024
# A small service in Python needs half of it; half of the memory is left to everything else.
_PER_INSTANCE_BYTES: Final = 128 * _MIB
_FEWEST: Final = 16
_EXTRA_PER_PROCESSOR: Final = 4
# Where a container says how much memory it has.
_CGROUP_LIMIT: Final = Path("/sys/fs/cgroup/memory.max")


class Capacity:
    """A count of instances that no rehearsal exceeds.

    A revision's first instance counts against `most` alone, each further one against `most_extra`
    too: scaling out is what could eat a machine, and must leave room for other revisions.
    """

    def __init__(self, most: int, most_extra: int) -> None:
        self.most = most
        self.most_extra = most_extra
        self._all = 0
        self._extra = 0

    @classmethod
    def of_machine(cls) -> Capacity:
        """Return what this machine bears, or what `CONDUCTOR_CLOUD_INSTANCES` says."""
        said = os.environ.get(SETTING, "")
        if said.isdecimal() and int(said):
            return cls(int(said), int(said))
        processors = os.cpu_count() or 1
        most = max(_FEWEST, _memory_bytes() // 2 // _PER_INSTANCE_BYTES)
        return cls(most, min(most, _EXTRA_PER_PROCESSOR * processors))

    def take(self, *, is_extra: bool) -> Room | None:
        """Reserve room for an instance; return None where there is none."""
        if self._all >= self.most or (is_extra and self._extra >= self.most_extra):
            return None
        self._all += 1
        self._extra += is_extra
        return Room(self, is_extra=is_extra)

    def take_back(self, *, is_extra: bool) -> None:
        """Have the room of an instance again; `Room` calls it, once."""
        self._all -= 1
        self._extra -= is_extra

    def refusal(self) -> str:
        """Return why an instance could not be started, and what to do."""
        return (
            f"This machine runs at most {self.most} instances of a rehearsal, {self.most_extra} of "
            f"them beside a revision's first; set {SETTING} to allow more."
        )


class Room:
    """What one instance takes of the machine, until it is given back."""

    def __init__(self, capacity: Capacity, *, is_extra: bool) -> None:
        self._capacity = capacity
        self._is_extra = is_extra
        self._is_taken = True

    def give_back(self) -> None:
        """Make room for another instance; a second time changes nothing."""
        if self._is_taken:
            self._is_taken = False
            self._capacity.take_back(is_extra=self._is_extra)


def _memory_bytes() -> int:
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        return min(machine, int(_CGROUP_LIMIT.read_text()))
    except (OSError, ValueError):
        return machine
