"""Firestore databases."""

from __future__ import annotations

from typing import Any

DATABASES = "/firestore/v1/projects/local-proj/databases"
BODY = {"locationId": "eur3", "type": "FIRESTORE_NATIVE"}


def test_database_lives_from_create_to_delete(local_cloud: Any, expect: Any) -> None:
    """Create and update are operations; a protected database stays."""
    client = local_cloud.deployer
    operation = expect(client.post(DATABASES, params={"databaseId": "appdb"}, json=BODY))
    polled = expect(client.get(f"/firestore/v1/{operation['name']}"))
    assert polled["response"]["locationId"] == "eur3"
    expect(client.post(DATABASES, params={"databaseId": "appdb"}, json=BODY), 409)
    url = f"{DATABASES}/appdb"
    assert expect(client.get(url))["concurrencyMode"] == "PESSIMISTIC"
    params = {"updateMask": "deleteProtectionState"}
    protect = {"deleteProtectionState": "DELETE_PROTECTION_ENABLED"}
    expect(client.patch(url, params=params, json=protect))
    expect(client.delete(url), 400)
    expect(
        client.patch(
            url, params=params, json={"deleteProtectionState": "DELETE_PROTECTION_DISABLED"}
        )
    )
    assert len(expect(client.get(DATABASES))["databases"]) == 1
    expect(client.delete(url))
    expect(client.get(url), 404)


def test_impossible_databases_are_refused(local_cloud: Any, expect: Any) -> None:
    """An id of a wrong form, no location, no id."""
    client = local_cloud.deployer
    expect(client.post(DATABASES, params={"databaseId": "X"}, json=BODY), 400)
    expect(client.post(DATABASES, params={"databaseId": "appdb"}, json={}), 400)
    expect(client.post(DATABASES, json=BODY), 400)
    expect(client.post(DATABASES, params={"databaseId": "(default)"}, json=BODY))
