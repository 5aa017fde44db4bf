"""Service accounts as the provider creates, reads, updates and deletes them."""

from __future__ import annotations

from typing import Any

PROJECT = "/resourcemanager/v1/projects/local-proj"
ACCOUNTS = "/iam/v1/projects/local-proj/serviceAccounts"
EMAIL = "worker@local-proj.iam.gserviceaccount.com"


def test_account_lives_from_create_to_delete(local_cloud: Any, expect: Any) -> None:
    """Create, read, update by a mask in the body, list, delete."""
    body = {"accountId": "worker", "serviceAccount": {"displayName": "w1", "description": "d"}}
    created = expect(local_cloud.deployer.post(ACCOUNTS, json=body))
    assert created["name"] == f"projects/local-proj/serviceAccounts/{EMAIL}"
    assert created["projectId"] == "local-proj"
    assert created["uniqueId"].isdigit()
    assert expect(local_cloud.deployer.get(f"{ACCOUNTS}/{EMAIL}")) == created
    # `-` stands for the project, as client libraries write it.
    assert expect(local_cloud.deployer.get(f"/iam/v1/projects/-/serviceAccounts/{EMAIL}"))
    change = {
        "serviceAccount": {"displayName": "w2", "etag": created["etag"]},
        "updateMask": "display_name",
    }
    updated = expect(local_cloud.deployer.patch(f"{ACCOUNTS}/{EMAIL}", json=change))
    assert (updated["displayName"], updated["description"]) == ("w2", "d")
    expect(local_cloud.deployer.patch(f"{ACCOUNTS}/{EMAIL}", json=change), 409)
    assert expect(local_cloud.deployer.get(ACCOUNTS)) == {"accounts": [updated]}
    assert expect(local_cloud.deployer.delete(f"{ACCOUNTS}/{EMAIL}")) == {}
    expect(local_cloud.deployer.get(f"{ACCOUNTS}/{EMAIL}"), 404)
    expect(local_cloud.deployer.delete(f"{ACCOUNTS}/{EMAIL}"), 404)
    assert expect(local_cloud.deployer.get(ACCOUNTS)) == {}


def test_impossible_accounts_are_refused(local_cloud: Any, expect: Any) -> None:
    """An id that exists answers 409, one of a wrong form 400."""
    local_cloud.account("worker")
    expect(local_cloud.deployer.post(ACCOUNTS, json={"accountId": "worker"}), 409)
    for account_id in ("short", "Upper-case", "x" * 31, "ends-with-", ""):
        expect(local_cloud.deployer.post(ACCOUNTS, json={"accountId": account_id}), 400)


def test_new_account_of_an_old_name_inherits_nothing(local_cloud: Any, expect: Any) -> None:
    """Grants of a deleted account stay visible as `deleted:` and never work again."""
    local_cloud.account("worker")
    local_cloud.grant(PROJECT, "roles/viewer", f"serviceAccount:{EMAIL}")
    expect(local_cloud.client(f"serviceAccount:{EMAIL}").get(PROJECT))
    unique_id = expect(local_cloud.deployer.get(f"{ACCOUNTS}/{EMAIL}"))["uniqueId"]
    expect(local_cloud.deployer.delete(f"{ACCOUNTS}/{EMAIL}"))
    policy = expect(local_cloud.deployer.post(f"{PROJECT}:getIamPolicy"))
    deleted = f"deleted:serviceAccount:{EMAIL}?uid={unique_id}"
    assert {"role": "roles/viewer", "members": [deleted]} in policy["bindings"]
    local_cloud.account("worker")
    expect(local_cloud.client(f"serviceAccount:{EMAIL}").get(PROJECT), 403)
    expect(local_cloud.deployer.post(f"{PROJECT}:setIamPolicy", json={"policy": policy}))
