"""The `fields` parameter and Google's other parameters of every method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

PROJECT = "projects/local-proj"
SECRETS = f"/secretmanager/v1/{PROJECT}/secrets"
Expect = Callable[..., Any]


@pytest.fixture(name="client")
def client_fixture(local_cloud: Any) -> httpx.Client:
    """The deployer, with two secrets and a bucket."""
    client: httpx.Client = local_cloud.deployer
    local_cloud.enable("storage", "bigquery")
    for name in ("key", "token"):
        body: dict[str, Any] = {"replication": {"automatic": {}}, "labels": {"a": name, "b": "1"}}
        client.post(SECRETS, params={"secretId": name}, json=body).raise_for_status()
    body = {"name": "data", "labels": {"a": "1"}}
    client.post(
        "/storage/storage/v1/b", params={"project": "local-proj"}, json=body
    ).raise_for_status()
    return client


def test_fields_choose_what_is_answered(client: httpx.Client, expect: Expect) -> None:
    """Slashes, brackets, stars and several fields, in lists, messages and maps."""
    key, token = f"{_numbered()}/key", f"{_numbered()}/token"
    cases: dict[str, Any] = {
        "secrets/name,nextPageToken": {"secrets": [{"name": key}, {"name": token}]},
        "secrets(name,labels/a)": {
            "secrets": [
                {"name": key, "labels": {"a": "key"}},
                {"name": token, "labels": {"a": "token"}},
            ]
        },
        "secrets/labels(a)": {"secrets": [{"labels": {"a": "key"}}, {"labels": {"a": "token"}}]},
        "totalSize, secrets(labels(b))": {
            "secrets": [{"labels": {"b": "1"}}, {"labels": {"b": "1"}}],
            "totalSize": 2,
        },
        "secrets/replication/*": {"secrets": [{"replication": {"automatic": {}}}] * 2},
        "nextPageToken": {},
    }
    for fields, answer in cases.items():
        assert expect(client.get(SECRETS, params={"fields": fields})) == answer, fields
    whole = expect(client.get(SECRETS))
    assert expect(client.get(SECRETS, params={"fields": "*"})) == whole
    assert expect(client.get(SECRETS, params={"fields": ""})) == whole
    assert expect(client.get(SECRETS, params={"fields": "secrets,secrets/name"})) == {
        "secrets": whole["secrets"]
    }


def _numbered() -> str:
    return "projects/123456789012/secrets"


def test_generated_clients_choose_by_header(client: httpx.Client, expect: Expect) -> None:
    """`X-Goog-FieldMask` and `$fields`, with dots and proto names."""
    for how in (
        {"headers": {"X-Goog-FieldMask": "name,create_time"}},
        {"params": {"$fields": "name,createTime"}},
    ):
        answer = expect(client.get(f"{SECRETS}/key", **how))  # type: ignore[arg-type]
        assert sorted(answer) == ["createTime", "name"]
    dotted = client.get(SECRETS, headers={"X-Goog-FieldMask": "secrets.name"})
    assert [sorted(secret) for secret in expect(dotted)["secrets"]] == [["name"], ["name"]]


@pytest.mark.parametrize(
    "fields",
    [
        "nope",
        "secrets/nope",
        "secrets(name",
        "secrets)",
        ",",
        "secrets//name",
        "a/" * 999,
        "a(" * 999,
    ],
)
def test_an_impossible_selection_is_refused(
    client: httpx.Client, expect: Expect, fields: str
) -> None:
    """What the answer does not have, or what is no selection, answers 400 before anything."""
    error = expect(client.get(SECRETS, params={"fields": fields}), 400)["error"]
    assert error["message"] == "Request contains an invalid argument."
    (violation,) = error["details"][0]["fieldViolations"]
    assert "Cannot find matching fields for path" in violation["description"]
    created = client.post(
        SECRETS,
        params={"secretId": "new", "fields": fields},
        json={"replication": {"automatic": {}}},
    )
    expect(created, 400)
    expect(client.get(f"{SECRETS}/new"), 404)


def test_the_older_apis_choose_and_refuse_in_their_words(
    client: httpx.Client, expect: Expect
) -> None:
    """Storage and BigQuery take the same selections; their error is an older one."""
    bucket = "/storage/storage/v1/b/data"
    assert expect(client.get(bucket, params={"fields": "name,labels/a"})) == {
        "name": "data",
        "labels": {"a": "1"},
    }
    error = expect(client.get(bucket, params={"fields": "nope"}), 400)["error"]
    assert error["message"] == "Invalid field selection nope"
    assert error["errors"][0]["reason"] == "invalidParameter"
    listed = client.get(
        f"/bigquery/bigquery/v2/{PROJECT}/datasets", params={"fields": "kind,datasets/id"}
    )
    assert expect(listed) == {"kind": "bigquery#datasetList"}


def test_answers_of_operations_are_chosen_from(client: httpx.Client, expect: Expect) -> None:
    """What an operation holds has no schema of its own: any field of it may be chosen."""
    url = f"/artifactregistry/v1/{PROJECT}/locations/europe-west1/repositories"
    query = {"repositoryId": "images", "fields": "name,metadata/@type"}
    answer = expect(client.post(url, params=query, json={"format": "DOCKER"}))
    assert sorted(answer) == ["metadata", "name"]
    assert answer["metadata"]["@type"].endswith("OperationMetadata")


def test_an_error_is_told_whole(client: httpx.Client, expect: Expect) -> None:
    """A selection is of answers: errors keep their shape."""
    error = expect(client.get(f"{SECRETS}/none", params={"fields": "name"}), 404)["error"]
    assert error["status"] == "NOT_FOUND"


def test_parameters_of_every_method_are_accepted(client: httpx.Client, expect: Expect) -> None:
    """How an answer is written, and who pays for it, is nothing to refuse."""
    query = {
        "alt": "json",
        "$alt": "json;enum-encoding=int",
        "prettyPrint": "false",
        "key": "AIza",
        "quotaUser": "me",
        "upload_protocol": "raw",
        "$.xgafv": "2",
    }
    assert expect(client.get(f"{SECRETS}/key", params=query))["name"].endswith("/key")
    assert expect(client.get("/storage/storage/v1/b/data", params=query | {"userProject": "x"}))


def test_a_query_may_be_too_long_for_an_address(client: httpx.Client, expect: Expect) -> None:
    """Google's Python client then sends a POST that says to be a GET, its query as the body."""
    fields = ",".join(["secrets/name"] * 300)
    # Not the client of the tests: it holds answers to what was sent, and that says POST.
    with httpx.Client(base_url=client.base_url, headers=client.headers, trust_env=False) as google:
        overridden = {"X-HTTP-Method-Override": "GET"}
        sent = google.post(SECRETS, data={"fields": fields}, headers=overridden)
    assert [sorted(secret) for secret in expect(sent)["secrets"]] == [["name"], ["name"]]
    renamed = client.post(
        f"{SECRETS}/key",
        params={"updateMask": "labels"},
        json={"labels": {"c": "2"}},
        headers={"X-HTTP-Method-Override": "PATCH"},
    )
    assert renamed.json()["labels"] == {"c": "2"}
