"""Service accounts and custom roles, by the client made of Google's discovery document.

`google-cloud-iam`'s own client of them speaks nothing but gRPC.
"""

from __future__ import annotations

from typing import Any

import pytest
from google_clients import PROJECT, READER, Clients, refused

ACCOUNT = f"{PROJECT}/serviceAccounts/worker@local-proj.iam.gserviceaccount.com"
ROLE = f"{PROJECT}/roles/reader"
USER = {"role": "roles/iam.serviceAccountUser", "members": [READER]}


@pytest.fixture(name="iam")
def iam_fixture(clients: Clients) -> Any:
    """The client's part for projects."""
    return clients.document("iam", "v1").projects()


def test_an_account_lives(iam: Any) -> None:
    """Changed by mask, disabled, granted; a new one of an old name is another one."""
    accounts = iam.serviceAccounts()
    body = {"accountId": "worker", "serviceAccount": {"displayName": "Worker"}}
    created = accounts.create(name=PROJECT, body=body).execute()
    assert created["name"] == ACCOUNT
    # Reached by number, by the wildcard and by its unique id as well.
    for name in (ACCOUNT, ACCOUNT.replace("local-proj/", "-/", 1)):
        assert accounts.get(name=name).execute() == created
    change = {"serviceAccount": {"description": "does"}, "updateMask": "description"}
    changed = accounts.patch(name=ACCOUNT, body=change).execute()
    assert (changed["displayName"], changed["description"]) == ("Worker", "does")
    stale = {"serviceAccount": {"etag": created["etag"]}, "updateMask": "displayName"}
    with refused("ABORTED"):
        accounts.patch(name=ACCOUNT, body=stale).execute()
    accounts.disable(name=ACCOUNT, body={}).execute()
    assert accounts.get(name=ACCOUNT).execute()["disabled"]
    accounts.enable(name=ACCOUNT, body={}).execute()
    assert "disabled" not in accounts.get(name=ACCOUNT).execute()
    accounts.setIamPolicy(resource=ACCOUNT, body={"policy": {"bindings": [USER]}}).execute()
    assert accounts.getIamPolicy(resource=ACCOUNT).execute()["bindings"] == [USER]
    accounts.delete(name=ACCOUNT).execute()
    again = accounts.create(name=PROJECT, body=body).execute()
    assert again["uniqueId"] != created["uniqueId"]
    assert "bindings" not in accounts.getIamPolicy(resource=ACCOUNT).execute()


def test_a_policy_of_an_account_is_guarded_by_its_etag(iam: Any) -> None:
    """Whoever read before the last change is told to begin again."""
    accounts = iam.serviceAccounts()
    accounts.create(name=PROJECT, body={"accountId": "worker"}).execute()
    policy = accounts.getIamPolicy(resource=ACCOUNT).execute()
    granted = {"policy": policy | {"bindings": [USER]}}
    accounts.setIamPolicy(resource=ACCOUNT, body=granted).execute()
    with refused("ABORTED", "concurrent policy changes"):
        accounts.setIamPolicy(resource=ACCOUNT, body=granted).execute()
    unknown = {
        "bindings": [USER | {"members": ["serviceAccount:no@local-proj.iam.gserviceaccount.com"]}]
    }
    with refused("INVALID_ARGUMENT", "does not exist"):
        accounts.setIamPolicy(resource=ACCOUNT, body={"policy": unknown}).execute()


def test_a_role_lives(iam: Any) -> None:
    """Changed by mask; a deleted one permits nothing, holds its name, and comes back."""
    roles = iam.roles()
    role = {"title": "Reader", "includedPermissions": ["pubsub.topics.get"]}
    created = roles.create(parent=PROJECT, body={"roleId": "reader", "role": role}).execute()
    assert created["name"] == ROLE
    changed = roles.patch(name=ROLE, updateMask="title", body={"title": "R"}).execute()
    assert (changed["title"], changed["includedPermissions"]) == ("R", role["includedPermissions"])
    with refused("ABORTED"):
        roles.patch(name=ROLE, updateMask="title", body={"etag": created["etag"]}).execute()
    listed = roles.list(parent=PROJECT).execute()["roles"]
    assert [(found["name"], "includedPermissions" in found) for found in listed] == [(ROLE, False)]
    assert roles.delete(name=ROLE).execute()["deleted"]
    assert roles.list(parent=PROJECT).execute() == {}
    with refused("FAILED_PRECONDITION", "deleted state"):
        roles.create(parent=PROJECT, body={"roleId": "reader", "role": role}).execute()
    assert "deleted" not in roles.undelete(name=ROLE, body={}).execute()
    assert roles.get(name=ROLE).execute()["title"] == "R"


def test_predefined_roles_are_public(clients: Clients) -> None:
    """A stranger reads what they permit; no such role is not found."""
    roles = clients.document("iam", "v1", READER).roles()
    publisher = roles.get(name="roles/pubsub.publisher").execute()
    assert "pubsub.topics.publish" in publisher["includedPermissions"]
    with refused("NOT_FOUND"):
        roles.get(name="roles/pubsub.nobody").execute()
