"""The director gets what its dataflows call for, as narrow as Google allows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from architecture.director_role import (
    KIND_PERMISSIONS,
    SECRET_GRANTS,
    director_permissions,
    director_roles,
)
from architecture.grants import plan_grants
from architecture.hydration import hydrate
from architecture.loading import loads
from architecture.model import Architecture, Resources
from architecture.rendering import to_yaml

ADMIN_ROLES = {
    f"roles/{role}"
    for role in (
        "pubsub.admin",
        "storage.admin",
        "bigquery.admin",
        "datastore.owner",
        "iam.serviceAccountAdmin",
        "secretmanager.admin",
        "run.admin",
        "owner",
        "editor",
    )
}

DECLARED = {
    "topics": "[{name: some-topic}]",
    "subscriptions": "[{name: some-sub, topic: commands}]",
    "bigquery_datasets": "[{name: sales}]",
    "bigquery_tables": "[{name: invoices, dataset: sales}]",
    "gcs_buckets": "[{name: shop-receipts}]",
    "firestore_databases": "[{name: shop-carts}]",
    "cloud_scheduler_jobs": "[{name: nightly, schedule: 0 3 * * *, target_service: intake}]",
}


def shop(*kinds: str, secret: str = "") -> Architecture:
    """Return a hydrated architecture with one resource of each of the kinds."""
    resources = ", ".join(f"{kind}: {DECLARED[kind]}" for kind in kinds)
    secrets = f"{{name: TOKEN, value_from: {secret}, version: 1}}" if secret else ""
    text = f"""
name: shop
project_id: shop-project
region: europe-west1
service_manager_spec:
  name: director
  service_account: director-sa
  deployment: {{}}
  command_topic: {{name: commands}}
  completion_topic: {{name: completions}}
dataflows:
  orders:
    services:
      intake:
        service_account: intake-sa
        deployment: {{secret_environment_vars: [{secrets}]}}
    resources: {{{resources}}}
"""
    return hydrate(loads(text, Path("services.yaml")).architecture, base_dir=Path("/shop"))


@pytest.mark.parametrize("kind", sorted(DECLARED))
def test_each_kind_adds_its_own_permissions_and_no_others(kind: str) -> None:
    """A role of one kind has that kind's documented permissions, and sees the project."""
    arch = shop(kind)
    kinds = {kind, "bigquery_datasets"} if kind == "bigquery_tables" else {kind}
    expected = {p for each in kinds for p in KIND_PERMISSIONS[each].permissions}
    assert set(director_permissions(arch)) == expected | {"resourcemanager.projects.get"}


def test_every_kind_says_what_it_takes_and_who_says_so() -> None:
    """A kind that is added to the file is added here, with its source."""
    assert set(KIND_PERMISSIONS) == set(Resources.model_fields)
    for managed in (*KIND_PERMISSIONS.values(), SECRET_GRANTS):
        assert bool(managed.permissions) == managed.source.startswith("https://cloud.google.com/")


def test_director_never_reads_data_runs_services_or_takes_on_identities() -> None:
    """It has no admin role, and none of an admin role's other powers (G24)."""
    arch = shop(*DECLARED, secret="token")
    granted = {
        grant.role
        for grant in plan_grants(arch).harness
        if grant.member.startswith("serviceAccount:director-sa@")
    }
    assert not granted & ADMIN_ROLES
    permissions = {p for role in director_roles(arch) for p in role.permissions}
    refused = r"iam\.|run\.|storage\.objects|.*(\.publish|\.consume|\.getData|versions\.access)"
    assert not [p for p in permissions if re.match(refused, p)]


def test_rights_on_secrets_are_on_those_that_services_read() -> None:
    """They exist before the director does, so nothing needs to be granted on the project."""
    arch = shop("topics", secret="token")
    assert not [p for p in director_permissions(arch) if p.startswith("secretmanager.")]
    on_project, on_secrets = director_roles(arch)
    assert on_project.on_secrets == ()
    assert on_secrets.on_secrets == ("token",)
    grants = {
        (grant.role, str(grant.resource.kind), grant.resource.name, grant.layer)
        for grant in plan_grants(arch).harness
        if grant.role.startswith("projects/")
    }
    roles = "projects/shop-project/roles"
    assert grants == {
        (f"{roles}/shop_director", "project", "shop-project", "foundation"),
        (f"{roles}/shop_director_secrets", "secret", "token", "foundation"),
    }


def test_architecture_without_resources_needs_nearly_nothing() -> None:
    """The director's own topics are the conductor's to make."""
    (role,) = director_roles(shop())
    assert role.permissions == ("resourcemanager.projects.get",)


def test_role_has_an_id_that_google_takes() -> None:
    """Letters, digits and underscores, 64 at most, for every name of an architecture."""
    arch = shop("topics", secret="token")
    for name in ("shop", "a-" * 26):
        named = arch.model_copy(update={"name": name})
        ids = [role.role_id for role in director_roles(named)]
        assert all(re.fullmatch(r"[A-Za-z0-9_.]{3,64}", role_id) for role_id in ids)
        assert len(set(ids)) == len(ids)
    assert director_roles(arch)[0].name("p-1234") == "projects/p-1234/roles/shop_director"


def test_permissions_do_not_depend_on_the_order_of_the_file() -> None:
    """Nor do they change when the hydrated file is read back."""
    arch = shop(*sorted(DECLARED), secret="token")
    turned = shop(*sorted(DECLARED, reverse=True), secret="token")
    again = loads(to_yaml(arch), Path("x.yaml")).architecture
    assert director_roles(arch) == director_roles(turned) == director_roles(again)
