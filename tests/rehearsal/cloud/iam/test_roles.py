"""Google's predefined roles."""

from __future__ import annotations

from typing import Any

import pytest

from architecture.grants.inference import LINK_ROLES
from rehearsal.cloud.iam.roles import is_permission, predefined_permissions, predefined_role
from rehearsal.cloud.registry import all_requirements

# The whole of each, as https://cloud.google.com/iam/docs/roles-permissions lists it.
DOCUMENTED = {
    "roles/pubsub.publisher": {"pubsub.topics.publish"},
    "roles/pubsub.subscriber": {
        "pubsub.snapshots.seek",
        "pubsub.subscriptions.consume",
        "pubsub.topics.attachSubscription",
    },
    "roles/run.invoker": {"run.instances.invoke", "run.jobs.run", "run.routes.invoke"},
    "roles/secretmanager.secretAccessor": {
        "resourcemanager.projects.get",
        "resourcemanager.projects.list",
        "secretmanager.versions.access",
    },
    "roles/iam.serviceAccountUser": {
        "iam.serviceAccounts.actAs",
        "iam.serviceAccounts.get",
        "iam.serviceAccounts.list",
        "resourcemanager.projects.get",
        "resourcemanager.projects.list",
    },
}


@pytest.mark.parametrize("role", DOCUMENTED)
def test_a_role_permits_what_google_documents(role: str) -> None:
    """No more and no less."""
    assert predefined_permissions(role) == DOCUMENTED[role]


def permissions_that_are_asked_for() -> set[str]:
    """Every permission that a method here requires."""
    return {requirement.permission for requirement in all_requirements().values()}


def test_every_permission_that_is_asked_for_exists() -> None:
    """No method asks for something that no role of Google's has."""
    assert {name for name in permissions_that_are_asked_for() if not is_permission(name)} == set()
    missing = permissions_that_are_asked_for() - predefined_permissions("roles/owner")
    # As with Google: an owner may use accounts, but not impersonate them.
    assert missing == {
        "iam.serviceAccounts.getAccessToken",
        "iam.serviceAccounts.getOpenIdToken",
    }


def test_every_role_that_an_architecture_grants_exists() -> None:
    """What a link of any kind is given is known to the local cloud, and permits something."""
    granted = {role for roles in LINK_ROLES.values() for role in roles}
    assert {role for role in granted if not predefined_permissions(role)} == set()


def test_a_role_of_another_service_exists_and_permits_nothing_here() -> None:
    """Logging, say, is not modelled: its roles can be granted all the same."""
    role = predefined_role("roles/logging.logWriter")
    assert role is not None
    assert role.title == "Logs Writer"
    assert not role.permissions
    assert predefined_role("roles/logging.frobnicator") is None


def test_editors_write_data_by_the_grants_that_new_resources_get() -> None:
    """Basic roles have no data permissions of their own; default grants give them."""
    assert "storage.objects.create" in predefined_permissions("roles/editor")
    assert "bigquery.tables.updateData" in predefined_permissions("roles/editor")
    assert "bigquery.tables.updateData" not in predefined_permissions("roles/viewer")


def test_a_predefined_role_can_be_read(local_cloud: Any, expect: Any) -> None:
    """With its title and its stage; one that Google does not have is not found."""
    role = expect(local_cloud.deployer.get("/iam/v1/roles/pubsub.publisher"))
    assert (role["title"], role["stage"]) == ("Pub/Sub Publisher", "GA")
    assert role["includedPermissions"] == ["pubsub.topics.publish"]
    expect(local_cloud.deployer.get("/iam/v1/roles/pubsub.frobnicator"), 404)
