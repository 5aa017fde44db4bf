"""Custom roles of the project."""

from __future__ import annotations

from typing import Any

PROJECT = "/resourcemanager/v1/projects/local-proj"
ROLES = "/iam/v1/projects/local-proj/roles"
LIST = "/serviceusage/v1/projects/local-proj/services"
ROLE = {
    "title": "Director",
    "includedPermissions": ["serviceusage.services.list"],
    "stage": "GA",
}


def test_custom_role_permits_what_it_includes(local_cloud: Any, expect: Any) -> None:
    """A grant of a custom role works by the role's present permissions."""
    body = {"roleId": "conductor.director", "role": ROLE}
    created = expect(local_cloud.deployer.post(ROLES, json=body))
    assert created["name"] == "projects/local-proj/roles/conductor.director"
    member = f"serviceAccount:{local_cloud.account('director')}"
    director = local_cloud.client(member)
    local_cloud.grant(PROJECT, created["name"], member)
    expect(director.get(LIST))
    expect(director.get(PROJECT), 403)
    url = f"{ROLES}/conductor.director"
    change = {**ROLE, "includedPermissions": ["resourcemanager.projects.get"]}
    expect(
        local_cloud.deployer.patch(url, params={"updateMask": "includedPermissions"}, json=change)
    )
    expect(director.get(LIST), 403)
    expect(director.get(PROJECT))


def test_deleted_role_permits_nothing_and_can_return(local_cloud: Any, expect: Any) -> None:
    """A deleted role is kept, its id is taken, and undelete brings all back."""
    created = expect(local_cloud.deployer.post(ROLES, json={"roleId": "director", "role": ROLE}))
    expect(local_cloud.deployer.post(ROLES, json={"roleId": "director", "role": ROLE}), 409)
    member = f"serviceAccount:{local_cloud.account('director')}"
    director = local_cloud.client(member)
    local_cloud.grant(PROJECT, created["name"], member)
    expect(director.get(LIST))
    url = f"{ROLES}/director"
    assert expect(local_cloud.deployer.delete(url))["deleted"] is True
    expect(director.get(LIST), 403)
    # Other bindings of the policy can still change.
    local_cloud.grant(PROJECT, "roles/browser", member)
    assert expect(local_cloud.deployer.get(url))["deleted"] is True
    assert expect(local_cloud.deployer.get(ROLES)) == {}
    listed = expect(local_cloud.deployer.get(ROLES, params={"showDeleted": "true"}))
    assert [role["name"] for role in listed["roles"]] == [created["name"]]
    expect(local_cloud.deployer.post(ROLES, json={"roleId": "director", "role": ROLE}), 400)
    expect(local_cloud.deployer.post(f"{url}:undelete", json={}))
    expect(director.get(LIST))


def test_impossible_roles_are_refused(local_cloud: Any, expect: Any) -> None:
    """Ids and permissions have forms; an old etag conflicts; an unknown role is not found."""
    expect(local_cloud.deployer.post(ROLES, json={"roleId": "a-b", "role": ROLE}), 400)
    wrong = {**ROLE, "includedPermissions": ["everything"]}
    expect(local_cloud.deployer.post(ROLES, json={"roleId": "wrong", "role": wrong}), 400)
    expect(local_cloud.deployer.get(f"{ROLES}/ghost"), 404)
    expect(local_cloud.deployer.post(ROLES, json={"roleId": "right", "role": ROLE}))
    expect(local_cloud.deployer.patch(f"{ROLES}/right", json={**ROLE, "etag": "b2xk"}), 409)


def test_a_disabled_role_permits_nothing(local_cloud: Any, expect: Any) -> None:
    """Its grants stay and work again when it is enabled."""
    created = expect(local_cloud.deployer.post(ROLES, json={"roleId": "lister", "role": ROLE}))
    member = f"serviceAccount:{local_cloud.account('lister')}"
    lister = local_cloud.client(member)
    local_cloud.grant(PROJECT, created["name"], member)
    expect(lister.get(LIST))
    for stage, code in (("DISABLED", 403), ("BETA", 200)):
        change = {"params": {"updateMask": "stage"}, "json": {"stage": stage}}
        expect(local_cloud.deployer.patch(f"{ROLES}/lister", **change))
        expect(lister.get(LIST), code)


def test_a_role_includes_only_permissions_that_exist(local_cloud: Any, expect: Any) -> None:
    """Of services that are not modelled any is taken."""
    for permission, code in (("pubsub.topics.frobnicate", 400), ("compute.instances.get", 200)):
        role = {**ROLE, "includedPermissions": [permission]}
        expect(local_cloud.deployer.post(ROLES, json={"roleId": "some", "role": role}), code)
