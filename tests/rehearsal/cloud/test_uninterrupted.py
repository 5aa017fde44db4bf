"""Work that is finished although its caller is cancelled."""

from __future__ import annotations

import asyncio

import pytest

from rehearsal.cloud.uninterrupted import uninterrupted


def test_work_ends_before_the_cancellation_takes_effect() -> None:
    """A caller cancelled twice still sees the work done, and then its cancellation."""

    async def scenario() -> list[str]:
        events: list[str] = []
        may_end = asyncio.Event()

        async def work() -> None:
            await may_end.wait()
            events.append("done")

        caller = asyncio.create_task(uninterrupted(work()))
        for _ in range(2):
            await asyncio.sleep(0)
            caller.cancel()
        await asyncio.sleep(0)
        assert not caller.done()
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await caller
        return events

    assert asyncio.run(scenario()) == ["done"]


def test_results_and_errors_pass_through() -> None:
    """Undisturbed work answers as if it had been awaited directly."""

    async def answer() -> int:
        return 42

    async def fail() -> int:
        raise LookupError

    assert asyncio.run(uninterrupted(answer())) == 42
    with pytest.raises(LookupError):
        asyncio.run(uninterrupted(fail()))
