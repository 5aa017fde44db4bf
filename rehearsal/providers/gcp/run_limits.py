"""How much processor and memory a container on Cloud Run may have, and which goes with which.

Sources: cloud.google.com/run/docs/configuring/services/{cpu,memory-limits}.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from rehearsal.engine.provider import Value
from rehearsal.providers.properties import mapping

_KINDS: Final = frozenset({"cpu", "memory", "nvidia.com/gpu"})
_QUANTITY: Final = re.compile(r"^(\d+(?:\.\d+)?|\.\d+)([A-Za-z]*)$")
_CPU_UNITS: Final = {"": 1.0, "m": 0.001}
_MI: Final = 1024**2
_GI: Final = 1024**3
_MEMORY_UNITS: Final[Mapping[str, float]] = {
    "": 1,
    "k": 1e3,
    "Ki": 1024,
    "M": 1e6,
    "Mi": _MI,
    "G": 1e9,
    "Gi": _GI,
}
_LEAST_CPU: Final = 0.08
_WHOLE_CPUS: Final = frozenset({1.0, 2.0, 4.0, 6.0, 8.0})
_LEAST_MEMORY: Final = 128 * _MI
_MOST_MEMORY: Final = 32 * _GI
# More memory than this takes at least so many processors, and the other way round.
_CPUS_FOR: Final = ((24 * _GI, 8), (16 * _GI, 6), (8 * _GI, 4), (4 * _GI, 2))
_MEMORY_FOR: Final = ((6, 4 * _GI), (4, 2 * _GI))


def limits_problem(value: Value) -> str | None:
    """Say what Google would refuse about a container's limits."""
    limits = mapping(value)
    unknown = sorted(limits.keys() - _KINDS)
    if unknown:
        return f"limits {unknown[0]!r}; there are {', '.join(sorted(_KINDS))}"
    cpus = _read(limits.get("cpu"), _CPU_UNITS)
    memory = _read(limits.get("memory"), _MEMORY_UNITS)
    if isinstance(limits.get("cpu"), str) and not _is_cpus(cpus):
        return (
            f"has cpu {limits['cpu']!r}; there are 1, 2, 4, 6 and 8, and less than 1 from "
            f"{_LEAST_CPU}, also as 1000m"
        )
    if isinstance(limits.get("memory"), str) and not _is_memory(memory):
        return f"has memory {limits['memory']!r}; there are 128Mi to 32Gi"
    return None if cpus is None or memory is None else _mismatch(cpus, memory)


def _read(value: Value, units: Mapping[str, float]) -> float | None:
    """Return a quantity in its base unit; None for what is absent, unknown or no quantity."""
    match = _QUANTITY.match(value) if isinstance(value, str) else None
    if match is None or match[2] not in units:
        return None
    return float(match[1]) * units[match[2]]


def _is_cpus(cpus: float | None) -> bool:
    return cpus is not None and (_LEAST_CPU <= cpus < 1 or round(cpus, 3) in _WHOLE_CPUS)


def _is_memory(memory: float | None) -> bool:
    return memory is not None and _LEAST_MEMORY <= memory <= _MOST_MEMORY


def _mismatch(cpus: float, memory: float) -> str | None:
    """Say what is too little of one for so much of the other."""
    for more_than, least in _CPUS_FOR:
        if memory > more_than and cpus < least:
            return f"has more than {more_than // _GI}Gi of memory, which takes cpu {least} or more"
    for at_least, least_memory in _MEMORY_FOR:
        if cpus >= at_least and memory < least_memory:
            return f"has cpu {cpus:g}, which takes {least_memory // _GI}Gi of memory or more"
    return None
