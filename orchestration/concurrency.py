"""Running independent work side by side without abandoning any of it, and stopping on Ctrl-C.

A keyboard interrupt reaches the main thread only; work in other threads asks here whether it
should go on waiting. Where an exception could come between an effect and its record, Ctrl-C is a
request instead.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from orchestration.errors import ConductorError, Interrupted, SeveralFailed

T = TypeVar("T")

_stopping = threading.Event()
_by_request = threading.Event()
_on_stop: set[Callable[[], None]] = set()


def stop_waiting() -> None:
    """Have every wait of this process end: the user has pressed Ctrl-C."""
    _stopping.set()
    for wake in tuple(_on_stop):
        wake()


def is_stopping() -> bool:
    """Whether the user has pressed Ctrl-C."""
    return _stopping.is_set()


def refuse_when_stopping() -> None:
    """Go on, unless the user has pressed Ctrl-C.

    Raises:
        Interrupted: the user has.
    """
    if _stopping.is_set():
        raise Interrupted("interrupted")


def pause(seconds: float) -> None:
    """Sleep, unless the user presses Ctrl-C meanwhile.

    Raises:
        Interrupted: the user did.
    """
    _stopping.wait(seconds)
    refuse_when_stopping()


@contextmanager
def stopped_by_request() -> Iterator[None]:
    """Have Ctrl-C raise nothing while the block runs: what it does asks whether it is to stop.

    Signals are the main thread's; in another one this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _by_request.set()
    try:
        yield
    finally:
        _by_request.clear()


def is_stopped_by_request() -> bool:
    """Whether the main thread itself looks for Ctrl-C, and must not be interrupted by it."""
    return _by_request.is_set()


@contextmanager
def woken_by_stop(wake: Callable[[], None]) -> Iterator[None]:
    """Have `wake` called when the user presses Ctrl-C while the block runs."""
    _on_stop.add(wake)
    try:
        yield
    finally:
        _on_stop.discard(wake)


@dataclass(frozen=True, slots=True)
class Outcomes(Generic[T]):
    """What became of each task, by its name: every one is in exactly one of the two."""

    results: Mapping[str, T]
    errors: Mapping[str, ConductorError]

    def raise_errors(self) -> None:
        """Raise what went wrong side by side: a single error as it is, several as one.

        Raises:
            ConductorError: a task failed.
            SeveralFailed: more than one did.
        """
        collected = tuple(self.errors.values())
        if len(collected) == 1:
            raise collected[0]
        if collected:
            raise SeveralFailed(
                "; ".join(f"{error.message} [{error.code}]" for error in collected),
                details="\n".join(error.details for error in collected if error.details),
                hint=collected[0].hint,
            )


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
        try:
            for name, future in futures.items():
                try:
                    results[name] = future.result()
                except ConductorError as error:
                    errors[name] = error
        except KeyboardInterrupt:
            stop_waiting()
            raise
    return Outcomes(results, errors)
