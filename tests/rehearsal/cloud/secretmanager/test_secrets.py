"""Secrets and their versions."""

from __future__ import annotations

import base64
from typing import Any

import pytest

SECRETS = "/secretmanager/v1/projects/local-proj/secrets"
BODY = {"replication": {"automatic": {}}, "labels": {"v": "1"}}


def _data(text: str) -> dict[str, Any]:
    return {"payload": {"data": base64.b64encode(text.encode()).decode()}}


@pytest.fixture(name="secret")
def secret_without_versions(local_cloud: Any, expect: Any) -> str:
    """The URL of a new secret."""
    expect(local_cloud.deployer.post(SECRETS, params={"secretId": "db-pass"}, json=BODY))
    return f"{SECRETS}/db-pass"


def test_secret_is_named_by_number_and_found_by_both(
    local_cloud: Any, expect: Any, secret: str
) -> None:
    """Google answers with the project's number; callers may use id or number."""
    found = expect(local_cloud.deployer.get(secret))
    assert found["name"] == "projects/123456789012/secrets/db-pass"
    assert expect(local_cloud.deployer.get(f"/secretmanager/v1/{found['name']}")) == found
    assert expect(local_cloud.deployer.get(SECRETS))["secrets"] == [found]
    again = local_cloud.deployer.post(SECRETS, params={"secretId": "db-pass"}, json=BODY)
    expect(again, 409)
    change = {"labels": {"v": "2"}, "replication": {"automatic": {}}}
    updated = local_cloud.deployer.patch(secret, params={"updateMask": "labels"}, json=change)
    assert expect(updated)["labels"] == {"v": "2"}
    assert expect(local_cloud.deployer.delete(secret)) == {}
    expect(local_cloud.deployer.get(secret), 404)


def test_versions_are_numbered_and_latest_is_the_newest(
    local_cloud: Any, expect: Any, secret: str
) -> None:
    """Each version keeps its data; `latest` follows the newest."""
    client = local_cloud.deployer
    expect(client.get(f"{secret}/versions/latest:access"), 404)
    for number, text in enumerate(["one", "two"], start=1):
        version = expect(client.post(f"{secret}:addVersion", json=_data(text)))
        assert version["name"].endswith(f"/versions/{number}")
        assert version["state"] == "ENABLED"
        accessed = expect(client.get(f"{secret}/versions/latest:access"))
        assert base64.b64decode(accessed["payload"]["data"]) == text.encode()
    listed = expect(client.get(f"{secret}/versions"))["versions"]
    assert [version["name"].rpartition("/")[2] for version in listed] == ["2", "1"]
    expect(client.get(f"{secret}/versions/3"), 404)
    expect(client.post(f"{secret}:addVersion", json={"payload": {"data": "no base64!"}}), 400)


def test_disabled_and_destroyed_versions_are_not_accessible(
    local_cloud: Any, expect: Any, secret: str
) -> None:
    """Disable can be undone, destroy cannot."""
    client = local_cloud.deployer
    expect(client.post(f"{secret}:addVersion", json=_data("one")))
    url = f"{secret}/versions/1"
    assert expect(client.post(f"{url}:disable", json={}))["state"] == "DISABLED"
    expect(client.get(f"{url}:access"), 400)
    expect(client.post(f"{url}:enable"))
    expect(client.get(f"{url}:access"))
    assert expect(client.post(f"{url}:destroy", json={}))["state"] == "DESTROYED"
    expect(client.get(f"{url}:access"), 400)
    expect(client.post(f"{url}:enable"), 400)


def test_accessor_reads_data_and_nothing_else(local_cloud: Any, expect: Any, secret: str) -> None:
    """A grant on the secret covers its versions, and only what the role permits."""
    expect(local_cloud.deployer.post(f"{secret}:addVersion", json=_data("one")))
    member = f"serviceAccount:{local_cloud.account('worker')}"
    worker = local_cloud.client(member)
    expect(worker.get(f"{secret}/versions/latest:access"), 403)
    local_cloud.grant(secret, "roles/secretmanager.secretAccessor", member)
    expect(worker.get(f"{secret}/versions/latest:access"))
    expect(worker.get(secret), 403)
    body = {"permissions": ["secretmanager.versions.access", "secretmanager.secrets.get"]}
    answer = expect(worker.post(f"{secret}:testIamPermissions", json=body))
    assert answer == {"permissions": ["secretmanager.versions.access"]}


def test_impossible_secrets_are_refused(local_cloud: Any, expect: Any) -> None:
    """An id of a wrong form, none at all, and no replication."""
    for params, body in (
        ({"secretId": "a b"}, BODY),
        ({}, BODY),
        ({"secretId": "fine"}, {"labels": {}}),
    ):
        expect(local_cloud.deployer.post(SECRETS, params=params, json=body), 400)
