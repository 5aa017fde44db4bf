"""Every kind that has an etag changes it with every change, and refuses an old one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

PROJECT = "projects/local-proj"
BIGQUERY = f"/bigquery/bigquery/v2/{PROJECT}/datasets"
BUCKETS = "/storage/storage/v1/b"
RUN = f"/run/v2/{PROJECT}/locations/europe-west1/services"
OLD = "b2xk"
Send = Callable[[httpx.Client, str], httpx.Response]


@dataclass(frozen=True)
class Kind:
    """A kind with an etag.

    Attributes:
        name: The kind's.
        url: Where it is.
        create: How it is made: method, URL, parameters and body.
        change: Changes it, if the etag given (none where empty) is its own.
        delete: Deletes it, likewise.
        refused: The code and status of an old etag's error.
    """

    name: str
    url: str
    create: tuple[str, str, dict[str, str], Any]
    change: Send
    delete: Send | None
    refused: tuple[int, str]


def _with_header(http_method: str, url: str, body: Any = None) -> Send:
    def send(client: httpx.Client, etag: str) -> httpx.Response:
        headers = {"If-Match": etag} if etag else {}
        return client.request(http_method, url, headers=headers, json=body)

    return send


def _with_body(http_method: str, url: str, mask: str, body: Any, wrapper: str = "") -> Send:
    def send(client: httpx.Client, etag: str) -> httpx.Response:
        resource = body | ({"etag": etag} if etag else {})
        if wrapper:
            return client.patch(url, json={wrapper: resource, "updateMask": mask})
        return client.request(http_method, url, params={"updateMask": mask}, json=resource)

    return send


def _with_parameter(url: str) -> Send:
    def send(client: httpx.Client, etag: str) -> httpx.Response:
        return client.delete(url, params={"etag": etag} if etag else {})

    return send


SECRET = f"/secretmanager/v1/{PROJECT}/secrets/key"
DATABASE = f"/firestore/v1/{PROJECT}/databases/appdb"
ACCOUNT = f"/iam/v1/{PROJECT}/serviceAccounts/worker@local-proj.iam.gserviceaccount.com"
ROLE = f"/iam/v1/{PROJECT}/roles/reader"
ABORTED = (409, "ABORTED")
PRECONDITION = (400, "FAILED_PRECONDITION")
NOT_HELD = (412, "FAILED_PRECONDITION")
KINDS = (
    Kind(
        "secret",
        SECRET,
        (
            "POST",
            f"/secretmanager/v1/{PROJECT}/secrets",
            {"secretId": "key"},
            {"replication": {"automatic": {}}},
        ),
        _with_body("PATCH", SECRET, "labels", {"labels": {"a": "1"}}),
        _with_parameter(SECRET),
        PRECONDITION,
    ),
    Kind(
        "database",
        DATABASE,
        (
            "POST",
            f"/firestore/v1/{PROJECT}/databases",
            {"databaseId": "appdb"},
            {"locationId": "eur3", "type": "FIRESTORE_NATIVE"},
        ),
        _with_body("PATCH", DATABASE, "concurrencyMode", {"concurrencyMode": "OPTIMISTIC"}),
        _with_parameter(DATABASE),
        PRECONDITION,
    ),
    Kind(
        "account",
        ACCOUNT,
        ("POST", f"/iam/v1/{PROJECT}/serviceAccounts", {}, {"accountId": "worker"}),
        _with_body("PATCH", ACCOUNT, "displayName", {"displayName": "W"}, "serviceAccount"),
        None,
        ABORTED,
    ),
    Kind(
        "role",
        ROLE,
        ("POST", f"/iam/v1/{PROJECT}/roles", {}, {"roleId": "reader"}),
        _with_body("PATCH", ROLE, "title", {"title": "R"}),
        _with_parameter(ROLE),
        ABORTED,
    ),
    Kind(
        "service",
        f"{RUN}/web",
        (
            "POST",
            RUN,
            {"serviceId": "web"},
            {"template": {"containers": [{"image": "127.0.0.1:9/none/none"}]}},
        ),
        _with_body("PATCH", f"{RUN}/web", "description", {"description": "d"}),
        _with_parameter(f"{RUN}/web"),
        ABORTED,
    ),
    Kind(
        "bucket",
        f"{BUCKETS}/data",
        ("POST", BUCKETS, {"project": "local-proj"}, {"name": "data"}),
        _with_header("PATCH", f"{BUCKETS}/data", {"labels": {"a": "1"}}),
        _with_header("DELETE", f"{BUCKETS}/data"),
        NOT_HELD,
    ),
    Kind(
        "dataset",
        f"{BIGQUERY}/sales",
        ("POST", BIGQUERY, {}, {"datasetReference": {"datasetId": "sales"}}),
        _with_header("PATCH", f"{BIGQUERY}/sales", {"description": "d"}),
        _with_header("DELETE", f"{BIGQUERY}/sales"),
        NOT_HELD,
    ),
    Kind(
        "table",
        f"{BIGQUERY}/base/tables/orders",
        ("POST", f"{BIGQUERY}/base/tables", {}, {"tableReference": {"tableId": "orders"}}),
        _with_header("PUT", f"{BIGQUERY}/base/tables/orders", {"description": "d"}),
        _with_header("DELETE", f"{BIGQUERY}/base/tables/orders"),
        NOT_HELD,
    ),
)


@pytest.fixture(name="client")
def client_fixture(local_cloud: Any) -> httpx.Client:
    """The deployer, with a dataset for the table and what Cloud Run's default account is."""
    client: httpx.Client = local_cloud.deployer
    local_cloud.enable("bigquery", "storage")
    base = {"datasetReference": {"datasetId": "base"}}
    client.post(BIGQUERY, json=base).raise_for_status()
    return client


def _settled_etag(client: httpx.Client, kind: Kind) -> str:
    """The etag once nothing changes the resource any more; a rollout changes a service."""
    while True:
        body = client.get(kind.url).raise_for_status().json()
        if not body.get("reconciling"):
            return str(body["etag"])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_an_old_etag_is_refused_and_the_current_one_is_not(
    client: httpx.Client, kind: Kind
) -> None:
    """The read-modify-write cycle holds: who read before a change may not write after it."""
    http_method, url, query, body = kind.create
    client.request(http_method, url, params=query, json=body).raise_for_status()
    first = _settled_etag(client, kind)
    assert kind.change(client, first).status_code == 200
    second = _settled_etag(client, kind)
    assert second != first
    for send in (kind.change, kind.delete):
        if send is None:
            continue
        for old in (first, OLD):
            answer = send(client, old)
            error = answer.json()["error"]
            assert (answer.status_code, error["status"]) == kind.refused, answer.text
    assert _settled_etag(client, kind) == second
    assert kind.change(client, "").status_code == 200
    assert _settled_etag(client, kind) != second
    if kind.delete is not None:
        answer = kind.delete(client, _settled_etag(client, kind))
        assert answer.status_code in (200, 204), answer.text


@pytest.mark.parametrize("name", ["bucket", "dataset", "table"])
def test_an_answer_that_is_known_is_not_sent_again(client: httpx.Client, name: str) -> None:
    """`If-None-Match` with the current etag answers 304 without a body, with another one 200."""
    kind = next(kind for kind in KINDS if kind.name == name)
    http_method, url, query, body = kind.create
    client.request(http_method, url, params=query, json=body).raise_for_status()
    etag = client.get(kind.url).json()["etag"]
    same = client.get(kind.url, headers={"If-None-Match": f'W/"{OLD}", "{etag}"'})
    assert (same.status_code, same.content) == (304, b"")
    assert client.get(kind.url, headers={"If-None-Match": OLD}).status_code == 200
    assert kind.change(client, "*").status_code == 200


def test_a_version_of_a_secret_is_changed_by_its_etag(client: httpx.Client) -> None:
    """Disabling, enabling and destroying take the etag that was read last."""
    secret = KINDS[0]
    http_method, url, query, body = secret.create
    client.request(http_method, url, params=query, json=body).raise_for_status()
    made = client.post(f"{SECRET}:addVersion", json={"payload": {"data": "eA=="}}).json()
    old = made["etag"]
    for verb in ("disable", "enable", "destroy"):
        changed = client.post(f"{SECRET}/versions/1:{verb}", json={"etag": made["etag"]})
        assert changed.status_code == 200
        refused = client.post(f"{SECRET}/versions/1:{verb}", json={"etag": old})
        assert refused.status_code == 400
        made = changed.json()
        assert made["etag"] != old


def test_a_bucket_is_changed_by_its_metageneration(client: httpx.Client) -> None:
    """`ifMetagenerationMatch` and `NotMatch` guard reads, changes and the end."""
    client.post(BUCKETS, params={"project": "local-proj"}, json={"name": "data"})
    bucket = f"{BUCKETS}/data"
    for http_method in ("PATCH", "PUT", "DELETE"):
        refused = client.request(http_method, bucket, params={"ifMetagenerationMatch": "7"})
        assert refused.status_code == 412
        assert refused.json()["error"]["errors"][0]["reason"] == "conditionNotMet"
    changed = client.patch(bucket, params={"ifMetagenerationMatch": "1"}, json={"labels": {}})
    assert changed.json()["metageneration"] == "2"
    assert client.get(bucket, params={"ifMetagenerationNotMatch": "2"}).status_code == 304
    assert client.delete(bucket, params={"ifMetagenerationMatch": "2"}).status_code == 204
