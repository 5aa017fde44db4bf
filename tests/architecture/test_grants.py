"""Every grant follows from something in the file, and is as narrow as Google allows."""

from __future__ import annotations

from pathlib import Path

import pytest

from architecture.grants import (
    Grant,
    GrantResource,
    ResourceKind,
    director_permissions,
    plan_grants,
)
from architecture.hydration import hydrate
from architecture.loading import loads
from architecture.model import Architecture

DEPLOYER = "user:developer@local.test"

SHOP = """\
name: shop
project_id: shop-project
region: europe-west1
service_manager_spec:
  name: director
  service_account: director-sa
  deployment: {}
  command_topic: {name: commands}
  completion_topic: {name: completions}
dataflows:
  orders:
    services:
      intake:
        service_account: intake-sa
        dependencies: [director, refund]
        deployment:
          secret_environment_vars:
            - {name: TOKEN, value_from: token, version: 1}
            - {name: TOKEN_AGAIN, value_from: token, version: 1}
      helper: {service_account: intake-sa, dependencies: [refund]}
    resources:
      topics:
        - name: orders-topic
          producer_service: {name: intake, lookup: {method: db}}
          iam_access_policy:
            - {name: refund, role: roles/pubsub.viewer}
            - {name: auditor@other-project.iam.gserviceaccount.com,
               role: roles/pubsub.viewer, type: service-account}
      bigquery_tables:
        - name: invoices
          dataset: sales
          producers: [{name: intake}]
          consumers: [{name: refund}]
      gcs_buckets:
        - {name: shop-receipts, producers: [{name: intake}], consumers: [{name: refund}]}
      firestore_databases:
        - {name: shop-carts}
      firestore_collections:
        - {name: carts, database: shop-carts, producers: [{name: intake}]}
  returns:
    services:
      refund:
        service_account: refund-sa
        deployment: {region: us-central1}
    resources:
      subscriptions:
        - {name: returns-sub, topic: orders-topic, consumer_service: {name: refund}}
      cloud_scheduler_jobs:
        - {name: nightly, schedule: 0 3 * * *, target_service: refund}
"""


@pytest.fixture
def shop() -> Architecture:
    """Two dataflows with every kind of thing that asks for a grant."""
    arch = loads(SHOP, Path("/shop/services.yaml")).architecture
    return hydrate(arch, base_dir=Path("/shop"))


def account(name: str, project: str = "shop-project") -> str:
    """Return a member."""
    return f"serviceAccount:{name}@{project}.iam.gserviceaccount.com"


def triples(grants: tuple[Grant, ...]) -> set[tuple[str, str, str, str]]:
    """Return what is granted, without where and why."""
    return {(g.member.split("@")[0], g.role, str(g.resource.kind), g.resource.name) for g in grants}


def test_links_dependencies_secrets_schedules_and_policies_are_granted(
    shop: Architecture,
) -> None:
    """Each gets its documented roles, and nothing else is there."""
    intake, refund = "serviceAccount:intake-sa", "serviceAccount:refund-sa"
    auditor, nightly = "serviceAccount:auditor", "serviceAccount:nightly-sa"
    assert triples(plan_grants(shop).application) == {
        (intake, "roles/datastore.user", "project", "shop-project"),
        (intake, "roles/run.invoker", "service", "director"),
        (intake, "roles/run.invoker", "service", "refund"),
        (nightly, "roles/run.invoker", "service", "refund"),
        (intake, "roles/pubsub.publisher", "topic", "orders-topic"),
        (intake, "roles/pubsub.viewer", "topic", "orders-topic"),
        (refund, "roles/pubsub.viewer", "topic", "orders-topic"),
        (auditor, "roles/pubsub.viewer", "topic", "orders-topic"),
        (refund, "roles/pubsub.subscriber", "subscription", "returns-sub"),
        (refund, "roles/pubsub.viewer", "subscription", "returns-sub"),
        (intake, "roles/bigquery.dataEditor", "table", "sales.invoices"),
        (refund, "roles/bigquery.dataViewer", "table", "sales.invoices"),
        (intake, "roles/storage.objectAdmin", "bucket", "shop-receipts"),
        (refund, "roles/storage.objectViewer", "bucket", "shop-receipts"),
        (intake, "roles/secretmanager.secretAccessor", "secret", "token"),
    }


def test_grant_is_made_in_the_stack_of_its_resource(shop: Architecture) -> None:
    """A subscriber's view of another dataflow's topic belongs to the topic's stack."""
    plan = plan_grants(shop)
    by_stack = {(g.layer, g.dataflow) for g in plan.application}
    assert by_stack == {
        ("foundation", None),
        ("director", None),
        ("dataflow", "orders"),
        ("dataflow", "returns"),
        ("services", "returns"),
    }
    on_topic = [g for g in plan.application if g.resource.name == "orders-topic"]
    assert {(g.layer, g.dataflow) for g in on_topic} == {("dataflow", "orders")}


def test_invoker_grant_is_where_and_when_the_called_service_is(shop: Architecture) -> None:
    """It names the service's own region, in the stack that deploys it."""
    (grant,) = [
        g
        for g in plan_grants(shop).for_layer("services", "returns")
        if g.member == account("nightly-sa")
    ]
    assert grant.resource == GrantResource(ResourceKind.SERVICE, "refund", "us-central1")
    assert grant.reason == "schedule nightly calls service refund"


def test_same_grant_for_several_reasons_is_made_once(shop: Architecture) -> None:
    """Two stacks that make one grant would take it from each other."""
    plan = plan_grants(shop, deployer=DEPLOYER)
    keys = [(g.member, g.role, g.resource) for g in plan.all]
    assert len(keys) == len(set(keys))
    (token,) = [g for g in plan.all if g.resource.kind is ResourceKind.SECRET]
    assert token.reason == (
        "service intake reads secret token as TOKEN; "
        "service intake reads secret token as TOKEN_AGAIN"
    )


def test_secret_of_the_director_is_granted_in_its_own_stack(shop: Architecture) -> None:
    """The director is up before any dataflow's stack."""
    text = SHOP.replace(
        "deployment: {}",
        "deployment: {secret_environment_vars: [{name: KEY, value_from: key, version: 1}]}",
    )
    arch = hydrate(loads(text, Path("services.yaml")).architecture, base_dir=Path("/shop"))
    added = set(plan_grants(arch).application) - set(plan_grants(shop).application)
    (grant,) = added
    assert grant.resource == GrantResource(ResourceKind.SECRET, "key")
    assert (grant.member, grant.layer) == (account("director-sa"), "director")


def test_harness_is_listed_apart(hydrated: Architecture) -> None:
    """The director's own rights are not the application's."""
    director = "serviceAccount:servicedirector-sa"
    harness = plan_grants(hydrated, deployer=DEPLOYER).harness
    role = "projects/local-proj/roles/tracer_director"
    domain = "local-proj.iam.gserviceaccount.com"
    creator = "roles/iam.serviceAccountTokenCreator"
    assert triples(harness) == {
        (director, role, "project", "local-proj"),
        (director, "roles/pubsub.publisher", "topic", "completion-topic"),
        (director, "roles/pubsub.viewer", "topic", "completion-topic"),
        (director, "roles/pubsub.viewer", "topic", "command-topic"),
        (director, "roles/pubsub.subscriber", "subscription", "command-topic-sub"),
        (director, "roles/pubsub.viewer", "subscription", "command-topic-sub"),
        ("user:developer", creator, "service-account", f"servicedirector-sa@{domain}"),
        ("user:developer", creator, "service-account", f"tracer-publisher-sa@{domain}"),
        ("user:developer", creator, "service-account", f"tracer-subscriber-sa@{domain}"),
    }
    assert {g.layer for g in harness} == {"foundation", "director"}
    application = plan_grants(hydrated).application
    assert not any(g.member.startswith(director) for g in application)


def test_director_may_do_what_its_dataflows_call_for_and_no_more(
    hydrated: Architecture, shop: Architecture
) -> None:
    """Topics and subscriptions here; buckets, tables and secrets only where there are some."""
    services = {p.split(".")[0] for p in director_permissions(hydrated)}
    assert services == {"pubsub", "resourcemanager"}
    more = director_permissions(shop)
    assert {p.split(".")[0] for p in more} == {
        "bigquery",
        "datastore",
        "pubsub",
        "resourcemanager",
        "secretmanager",
        "storage",
    }
    assert "secretmanager.versions.access" not in more
    assert not any(p.startswith(("iam.", "run.", "storage.objects")) for p in more)
    assert list(more) == sorted(set(more))


def test_director_can_attach_subscriptions_only_where_there_are_some(
    hydrated: Architecture,
) -> None:
    """An architecture without resources needs nearly nothing."""
    assert "pubsub.topics.attachSubscription" in director_permissions(hydrated)
    flows = {"servicedirector-infra": hydrated.dataflows["servicedirector-infra"]}
    bare = hydrated.model_copy(update={"dataflows": flows})
    assert director_permissions(bare) == ("resourcemanager.projects.get",)


def test_every_stack_gets_its_grants_and_none_is_lost(shop: Architecture) -> None:
    """The stacks' parts together are the plan."""
    plan = plan_grants(shop, deployer=DEPLOYER)
    stacks = {(g.layer, g.dataflow) for g in plan.all}
    parts = [grant for stack in stacks for grant in plan.for_layer(*stack)]
    assert len(parts) == len(plan.all)
    assert set(parts) == set(plan.all)


def test_order_of_the_file_does_not_change_the_plan(shop: Architecture) -> None:
    """Equal systems have equal plans (0.16)."""
    flows = dict(reversed(shop.dataflows.items()))
    turned = shop.model_copy(update={"dataflows": flows})
    assert plan_grants(turned, deployer=DEPLOYER) == plan_grants(shop, deployer=DEPLOYER)


def test_architecture_that_is_not_hydrated_is_refused(sample: Architecture) -> None:
    """Without a project nobody has an identity."""
    with pytest.raises(ValueError, match="hydrated"):
        plan_grants(sample)
