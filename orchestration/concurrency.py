"""Running independent work side by side without abandoning any of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from orchestration.errors import ConductorError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcomes(Generic[T]):
    """What became of each task, by its name: every one is in exactly one of the two."""

    results: Mapping[str, T]
    errors: Mapping[str, ConductorError]


def run_all(tasks: Mapping[str, Callable[[], T]]) -> Outcomes[T]:
    """Run every task in a thread of its own and wait for all of them.

    An error of ours is collected; any other one is a bug, and is raised once all have ended.
    """
    if not tasks:
        return Outcomes({}, {})
    results: dict[str, T] = {}
    errors: dict[str, ConductorError] = {}
    with ThreadPoolExecutor(max_workers=len(tasks)) as pool:
        futures = {name: pool.submit(task) for name, task in tasks.items()}
        for name, future in futures.items():
            try:
                results[name] = future.result()
            except ConductorError as error:
                errors[name] = error
    return Outcomes(results, errors)
