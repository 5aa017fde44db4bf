"""Lists come in pages, whatever the service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from google.cloud.pubsub_v1 import PublisherClient
from google.pubsub_v1 import ListTopicsRequest

PROJECT = "projects/local-proj"
LOCATION = f"{PROJECT}/locations/europe-west1"
DATASETS = f"/bigquery/bigquery/v2/{PROJECT}/datasets"
BUCKETS = "/storage/storage/v1/b"


def _topics(client: httpx.Client, number: int) -> httpx.Response:
    return client.put(f"/pubsub/v1/{PROJECT}/topics/t-{number}", json={})


def _subscriptions(client: httpx.Client, number: int) -> httpx.Response:
    client.put(f"/pubsub/v1/{PROJECT}/topics/orders", json={})
    body = {"topic": f"{PROJECT}/topics/orders"}
    return client.put(f"/pubsub/v1/{PROJECT}/subscriptions/sub-{number}", json=body)


def _secrets(client: httpx.Client, number: int) -> httpx.Response:
    body: dict[str, Any] = {"replication": {"automatic": {}}}
    params = {"secretId": f"s{number}"}
    return client.post(f"/secretmanager/v1/{PROJECT}/secrets", params=params, json=body)


def _secret_versions(client: httpx.Client, _number: int) -> httpx.Response:
    _secrets(client, 0)
    url = f"/secretmanager/v1/{PROJECT}/secrets/s0:addVersion"
    return client.post(url, json={"payload": {"data": "eA=="}})


def _accounts(client: httpx.Client, number: int) -> httpx.Response:
    body = {"accountId": f"worker-{number}"}
    return client.post(f"/iam/v1/{PROJECT}/serviceAccounts", json=body)


def _roles(client: httpx.Client, number: int) -> httpx.Response:
    body = {"roleId": f"role_{number}", "role": {"includedPermissions": ["pubsub.topics.get"]}}
    return client.post(f"/iam/v1/{PROJECT}/roles", json=body)


def _repositories(client: httpx.Client, number: int) -> httpx.Response:
    url = f"/artifactregistry/v1/{LOCATION}/repositories"
    return client.post(url, params={"repositoryId": f"r-{number}"}, json={"format": "DOCKER"})


def _jobs(client: httpx.Client, number: int) -> httpx.Response:
    body = {
        "name": f"{LOCATION}/jobs/j-{number}",
        "schedule": "0 3 1 1 *",
        "httpTarget": {"uri": "http://127.0.0.1:9/"},
    }
    return client.post(f"/cloudscheduler/v1/{LOCATION}/jobs", json=body)


def _buckets(client: httpx.Client, number: int) -> httpx.Response:
    return client.post(BUCKETS, params={"project": "local-proj"}, json={"name": f"bucket-{number}"})


def _objects(client: httpx.Client, number: int) -> httpx.Response:
    _buckets(client, 0)
    url = "/storage/upload/storage/v1/b/bucket-0/o"
    return client.post(url, params={"name": f"o-{number}"}, content=b"x")


def _datasets(client: httpx.Client, number: int) -> httpx.Response:
    body = {"datasetReference": {"projectId": "local-proj", "datasetId": f"d{number}"}}
    return client.post(DATASETS, json=body)


def _tables(client: httpx.Client, number: int) -> httpx.Response:
    _datasets(client, 0)
    body = {
        "tableReference": {"projectId": "local-proj", "datasetId": "d0", "tableId": f"t{number}"}
    }
    return client.post(f"{DATASETS}/d0/tables", json=body)


# What makes one entry, the list's address, and the field that the entries are in.
LISTS: dict[str, tuple[Callable[[httpx.Client, int], httpx.Response], str, str]] = {
    "topics": (_topics, f"/pubsub/v1/{PROJECT}/topics", "topics"),
    "subscriptions": (_subscriptions, f"/pubsub/v1/{PROJECT}/subscriptions", "subscriptions"),
    "topic's subscriptions": (
        _subscriptions,
        f"/pubsub/v1/{PROJECT}/topics/orders/subscriptions",
        "subscriptions",
    ),
    "secrets": (_secrets, f"/secretmanager/v1/{PROJECT}/secrets", "secrets"),
    "versions": (_secret_versions, f"/secretmanager/v1/{PROJECT}/secrets/s0/versions", "versions"),
    "accounts": (_accounts, f"/iam/v1/{PROJECT}/serviceAccounts", "accounts"),
    "roles": (_roles, f"/iam/v1/{PROJECT}/roles", "roles"),
    "repositories": (
        _repositories,
        f"/artifactregistry/v1/{LOCATION}/repositories",
        "repositories",
    ),
    "jobs": (_jobs, f"/cloudscheduler/v1/{LOCATION}/jobs", "jobs"),
    "buckets": (_buckets, f"{BUCKETS}?project=local-proj", "items"),
    "objects": (_objects, f"{BUCKETS}/bucket-0/o", "items"),
    "datasets": (_datasets, DATASETS, "datasets"),
    "tables": (_tables, f"{DATASETS}/d0/tables", "tables"),
}


def pages(client: httpx.Client, url: str, size: int, expect: Any, **query: str) -> list[Any]:
    """All pages of a list, of at most so many entries each."""
    word = "maxResults" if "/storage/" in url or "/bigquery/" in url else "pageSize"
    found = []
    params = dict(httpx.URL(url).params) | query | {word: str(size)}
    while True:
        found.append(expect(client.get(url, params=params)))
        if not (token := found[-1].get("nextPageToken")):
            return found
        params["pageToken"] = token


@pytest.mark.parametrize("kind", LISTS)
def test_a_list_comes_in_pages_as_small_as_asked(local_cloud: Any, expect: Any, kind: str) -> None:
    """Pages of two hold all five entries, in order and each once; a size of 0 is Google's own."""
    make, url, field = LISTS[kind]
    local_cloud.enable("storage", "bigquery")
    for number in range(5):
        expect(make(local_cloud.deployer, number))
    whole = expect(local_cloud.deployer.get(url))
    assert "nextPageToken" not in whole
    assert len(whole[field]) >= 5
    found = pages(local_cloud.deployer, url, 2, expect)
    assert [entry for page in found for entry in page[field]] == whole[field]
    assert all(len(page[field]) == 2 for page in found[:-1])
    assert pages(local_cloud.deployer, url, 0, expect) == [whole]


def test_a_page_has_googles_default_and_greatest_size(local_cloud: Any, expect: Any) -> None:
    """Service accounts come by twenty where nobody says otherwise."""
    for number in range(22):
        local_cloud.account(f"worker-{number:02}")
    url = f"/iam/v1/{PROJECT}/serviceAccounts"
    first = expect(local_cloud.deployer.get(url))
    assert len(first["accounts"]) == 20
    more = expect(local_cloud.deployer.get(url, params={"pageToken": first["nextPageToken"]}))
    assert len(more["accounts"]) >= 2
    assert len(pages(local_cloud.deployer, url, 1000, expect)) == 1


def test_folders_and_objects_share_pages(local_cloud: Any, expect: Any) -> None:
    """With a delimiter both count, in the order of their names."""
    local_cloud.enable("storage")
    expect(_buckets(local_cloud.deployer, 0))
    upload = "/storage/upload/storage/v1/b/bucket-0/o"
    for name in ("a/1", "a/2", "b", "c/1", "d"):
        expect(local_cloud.deployer.post(upload, params={"name": name}, content=b"x"))
    found = pages(local_cloud.deployer, f"{BUCKETS}/bucket-0/o", 2, expect, delimiter="/")
    assert [page.get("prefixes", []) for page in found] == [["a/"], ["c/"]]
    assert [[item["name"] for item in page["items"]] for page in found] == [["b"], ["d"]]


def test_what_comes_and_goes_between_pages_shifts_none(local_cloud: Any, expect: Any) -> None:
    """The next page begins after the last entry seen, though others before it went."""
    for number in range(1, 6):
        expect(_topics(local_cloud.deployer, number))
    url = f"/pubsub/v1/{PROJECT}/topics"
    first = expect(local_cloud.deployer.get(url, params={"pageSize": "2"}))
    expect(local_cloud.deployer.delete(f"{url}/t-1"))
    expect(_topics(local_cloud.deployer, 0))
    token = first["nextPageToken"]
    rest = expect(local_cloud.deployer.get(url, params={"pageToken": token}))
    assert [topic["name"].rsplit("/", 1)[1] for topic in rest["topics"]] == ["t-3", "t-4", "t-5"]


def test_a_wrong_page_is_refused(local_cloud: Any, expect: Any) -> None:
    """A size that is negative or no number, a made-up token, and a token of another list."""
    for number in range(3):
        expect(_topics(local_cloud.deployer, number))
        expect(_secrets(local_cloud.deployer, number))
    url = f"/pubsub/v1/{PROJECT}/topics"
    token = expect(local_cloud.deployer.get(url, params={"pageSize": "1"}))["nextPageToken"]
    expect(local_cloud.deployer.get(url, params={"pageSize": "-1"}), 400)
    expect(local_cloud.deployer.get(url, params={"pageSize": "two"}), 400)
    expect(local_cloud.deployer.get(url, params={"pageToken": "made-up"}), 400)
    secrets = f"/secretmanager/v1/{PROJECT}/secrets"
    error = expect(local_cloud.deployer.get(secrets, params={"pageToken": token}), 400)["error"]
    assert error["status"] == "INVALID_ARGUMENT"


def test_pages_come_over_grpc_too(
    local_cloud: Any, expect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Google's client walks pages of two by itself."""
    for number in range(5):
        expect(_topics(local_cloud.deployer, number))
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", f"127.0.0.1:{local_cloud.cloud.pubsub_port}")
    with PublisherClient() as publisher:
        request = ListTopicsRequest(project=PROJECT, page_size=2)
        found = list(publisher.list_topics(request=request).pages)
    assert [len(page.topics) for page in found] == [2, 2, 1]


def test_repositories_and_datasets_are_listed_by_filter(local_cloud: Any, expect: Any) -> None:
    """What does not fit is left out; a filter that says more than is modelled is refused."""
    client = local_cloud.deployer
    local_cloud.enable("bigquery")
    repositories = f"/artifactregistry/v1/{LOCATION}/repositories"
    for name, kind in (("images", "DOCKER"), ("wheels", "PYTHON")):
        expect(client.post(repositories, params={"repositoryId": name}, json={"format": kind}))
    found = expect(client.get(repositories, params={"filter": "format=PYTHON"}))
    assert [entry["name"].rpartition("/")[2] for entry in found["repositories"]] == ["wheels"]
    for name, labels in (("sales", {"team": "x"}), ("logs", {})):
        body = {"datasetReference": {"datasetId": name}, "labels": labels}
        expect(client.post(DATASETS, json=body))
    listed = expect(client.get(DATASETS, params={"filter": "labels.team:x"}))
    assert [entry["id"] for entry in listed["datasets"]] == ["local-proj:sales"]
    expect(client.get(repositories, params={"filter": "a=b OR c=d"}), 400)
