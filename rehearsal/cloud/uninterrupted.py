"""Work that must come to its end although whoever waits for it is cancelled.

Opening and closing sockets and processes is such work: half done, they would leak.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


async def uninterrupted(work: Coroutine[Any, Any, Result]) -> Result:
    """Do the work to its end; a cancellation takes effect only then.

    Raises:
        CancelledError: the caller was cancelled; the work is done, or failed.
    """
    task = asyncio.create_task(work)
    cancellation: asyncio.CancelledError | None = None
    while not task.done():
        try:
            # Unlike awaiting the task itself, this leaves it alone when it is cancelled.
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancellation = error
    if cancellation is not None:
        raise cancellation from (None if task.cancelled() else task.exception())
    return task.result()
