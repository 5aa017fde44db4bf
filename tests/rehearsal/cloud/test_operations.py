"""Long-running operations."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from rehearsal.cloud.errors import ApiError, failed_precondition
from rehearsal.cloud.operations import Operations
from rehearsal.cloud.store import Store

PARENT = "projects/p/locations/l"


def test_work_ends_as_response_or_error(tmp_path: Path) -> None:
    """What the work returns is the response; what it raises is the error, with gRPC's code."""

    async def succeed() -> dict[str, Any]:
        return {"@type": "x", "n": 1}

    async def fail() -> dict[str, Any]:
        raise failed_precondition("not ready")

    async def scenario(operations: Operations) -> None:
        good = operations.start(PARENT, succeed(), metadata={"@type": "m"})
        bad = operations.start(PARENT, fail())
        assert operations.get(good["name"])["done"] is False
        done = await operations.wait(good["name"])
        assert (done["done"], done["response"], done["metadata"]) == (
            True,
            {"@type": "x", "n": 1},
            {"@type": "m"},
        )
        assert (await operations.wait(bad["name"]))["error"] == {"code": 9, "message": "not ready"}
        with pytest.raises(ApiError, match="not found"):
            operations.get(f"{PARENT}/operations/none")

    store = Store(tmp_path / "state.sqlite")
    asyncio.run(scenario(Operations(store)))
    store.close()


def test_unfinished_work_is_aborted_by_a_restart(tmp_path: Path) -> None:
    """Nobody polls forever for what a previous process did not finish."""

    async def scenario(operations: Operations) -> str:
        name: str = operations.start(PARENT, asyncio.sleep(60, {}))["name"]
        await asyncio.sleep(0)
        await operations.stop()
        return name

    store = Store(tmp_path / "state.sqlite")
    name = asyncio.run(scenario(Operations(store)))
    store.close()
    store = Store(tmp_path / "state.sqlite")
    operation = Operations(store).get(name)
    assert (operation["done"], operation["error"]["code"]) == (True, 10)
    store.close()
