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
REGISTRY = "/artifactregistry/v1/projects/local-proj/locations/europe-west1"


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


def test_operations_of_other_apis_are_not_found(local_cloud: Any, expect: Any) -> None:
    """Cloud Run's operations have the names of Artifact Registry's, and are not mixed up."""
    client = local_cloud.deployer
    params = {"repositoryId": "images"}
    made = client.post(f"{REGISTRY}/repositories", params=params, json={"format": "DOCKER"})
    first = expect(made)
    assert first.keys() == {"name", "metadata"}
    done = expect(client.get(f"/artifactregistry/v1/{first['name']}"))
    assert (
        done["response"]["@type"]
        == "type.googleapis.com/google.devtools.artifactregistry.v1.Repository"
    )
    expect(client.get(f"/run/v2/{first['name']}"), 404)
    expect(client.get(f"/artifactregistry/v1/{first['name']}0"), 404)
    foreign = first["name"].replace("local-proj", "other")
    expect(client.get(f"/artifactregistry/v1/{foreign}"), 403)
    numbered = first["name"].replace("local-proj", "123456789012")
    assert expect(client.get(f"/artifactregistry/v1/{numbered}")) == done


def test_operations_are_listed_and_deleted(local_cloud: Any, expect: Any) -> None:
    """In pages, by whether they are done; a deleted one leaves what it did."""
    client = local_cloud.deployer
    databases = "/firestore/v1/projects/local-proj/databases"
    body = {"locationId": "eur3", "type": "FIRESTORE_NATIVE"}
    made = expect(client.post(databases, params={"databaseId": "appdb"}, json=body))
    change = {"deleteProtectionState": "DELETE_PROTECTION_DISABLED"}
    query = {"updateMask": "deleteProtectionState"}
    changed = expect(client.patch(f"{databases}/appdb", params=query, json=change))
    url = f"{databases}/appdb/operations"
    page = expect(client.get(url, params={"pageSize": 1, "filter": "done:true"}))
    rest = expect(
        client.get(url, params={"filter": "done:true", "pageToken": page["nextPageToken"]})
    )
    names = [operation["name"] for operation in page["operations"] + rest["operations"]]
    assert sorted(names) == sorted([made["name"], changed["name"]])
    assert expect(client.get(url, params={"filter": "done:false"})) == {}
    assert expect(client.delete(f"/firestore/v1/{made['name']}")) == {}
    expect(client.get(f"/firestore/v1/{made['name']}"), 404)
    expect(client.get(f"{databases}/appdb"))


def test_enabling_what_is_enabled_is_nothing_to_do(local_cloud: Any, expect: Any) -> None:
    """Google answers at once, with an operation that is always the same."""
    url = "/serviceusage/v1/projects/local-proj/services/firestore.googleapis.com"
    expect(local_cloud.deployer.post(f"{url}:disable"))
    first = expect(local_cloud.deployer.post(f"{url}:enable"))
    assert "done" not in first
    polled = expect(local_cloud.deployer.get(f"/serviceusage/v1beta1/{first['name']}"))
    assert polled["response"]["service"]["state"] == "ENABLED"
    again = expect(local_cloud.deployer.post(f"{url}:enable"))
    assert (again["name"], again["done"]) == ("operations/noop.DONE_OPERATION", True)


def test_operations_survive_a_restart(start_cloud: Any, expect: Any) -> None:
    """What was accepted before is still found, with its result."""
    with start_cloud() as cloud:
        cloud.enable("artifactregistry")
        params = {"repositoryId": "images"}
        made = cloud.deployer.post(
            f"{REGISTRY}/repositories", params=params, json={"format": "NPM"}
        )
        name = expect(made)["name"]
    with start_cloud() as cloud:
        polled = expect(cloud.deployer.get(f"/artifactregistry/v1/{name}"))
        assert polled["done"]
        assert polled["response"]["format"] == "NPM"


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
