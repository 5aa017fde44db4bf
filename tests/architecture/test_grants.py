"""Every grant follows from something in the file, and is as narrow as Google allows."""

from __future__ import annotations

from pathlib import Path

import pytest

from architecture.grants import (
    Grant,
    GrantResource,
    ResourceKind,
    plan_grants,
)
from architecture.hydration import hydrate
from architecture.loading import loads
from architecture.model import AccessPolicy, Architecture

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


def test_reason_names_what_in_the_file_asks(shop: Architecture) -> None:
    """In words, with a table's dataset: several can have a table of one name."""
    reasons = {g.resource.name: g.reason for g in plan_grants(shop).application}
    assert reasons["sales.invoices"] == "service refund consumes bigquery table sales.invoices"
    assert reasons["shop-receipts"] == "service refund consumes gcs bucket shop-receipts"


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
    keys = [grant.key for grant in plan.all]
    assert len(keys) == len(set(keys))
    (token,) = [g for g in plan.application if g.resource.kind is ResourceKind.SECRET]
    assert token.reason == (
        "service intake reads secret token as TOKEN; "
        "service intake reads secret token as TOKEN_AGAIN"
    )


def test_grant_that_application_and_harness_want_is_made_once(hydrated: Architecture) -> None:
    """A policy that gives the director what it has anyway is not a second grant."""
    flow = hydrated.dataflows["servicedirector-infra"]
    command, completion = flow.resources.topics
    policy = AccessPolicy(name="servicedirector", role="roles/pubsub.publisher")
    topics = (command, completion.model_copy(update={"iam_access_policy": (policy,)}))
    resources = flow.resources.model_copy(update={"topics": topics})
    flows = {**hydrated.dataflows, flow.name: flow.model_copy(update={"resources": resources})}
    plan = plan_grants(hydrated.model_copy(update={"dataflows": flows}))
    before = plan_grants(hydrated)
    assert len(plan.all) == len(before.all)
    (moved,) = {g.key for g in before.harness} - {g.key for g in plan.harness}
    (grant,) = [grant for grant in plan.application if grant.key == moved]
    assert grant.reason == (
        "iam_access_policy of topic completion-topic names servicedirector; "
        "service servicedirector produces topic completion-topic"
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
    """The director's own rights are not the application's; none twice, by role and by grant."""
    director = "serviceAccount:servicedirector-sa"
    harness = plan_grants(hydrated, deployer=DEPLOYER).harness
    role = "projects/local-proj/roles/tracer_director"
    domain = "local-proj.iam.gserviceaccount.com"
    creator, user = "roles/iam.serviceAccountTokenCreator", "roles/iam.serviceAccountUser"
    assert triples(harness) == {
        (director, role, "project", "local-proj"),
        (director, "roles/pubsub.publisher", "topic", "completion-topic"),
        (director, "roles/pubsub.subscriber", "subscription", "command-topic-sub"),
        ("user:developer", creator, "service-account", f"servicedirector-sa@{domain}"),
        ("user:developer", creator, "service-account", f"tracer-publisher-sa@{domain}"),
        ("user:developer", creator, "service-account", f"tracer-subscriber-sa@{domain}"),
        ("user:developer", user, "service-account", f"servicedirector-sa@{domain}"),
        ("user:developer", user, "service-account", f"tracer-publisher-sa@{domain}"),
        ("user:developer", user, "service-account", f"tracer-subscriber-sa@{domain}"),
    }
    assert {g.layer for g in harness} == {"foundation", "director"}
    application = plan_grants(hydrated).application
    assert not any(g.member.startswith(director) for g in application)


def test_deployer_may_attach_the_accounts_that_something_runs_as(shop: Architecture) -> None:
    """Cloud Run and Cloud Scheduler ask for it; one account of several uses is granted once."""
    attached = {
        grant.resource.name.split("@")[0]: grant.reason
        for grant in plan_grants(shop, deployer=DEPLOYER).harness
        if grant.role == "roles/iam.serviceAccountUser"
    }
    assert attached == {
        "director-sa": "deploys service director, which runs as director-sa",
        "intake-sa": "deploys service intake, which runs as intake-sa",
        "refund-sa": "deploys service refund, which runs as refund-sa",
        "nightly-sa": "makes schedule nightly, which calls as nightly-sa",
    }


def test_secret_of_two_dataflows_is_granted_to_both(shop: Architecture) -> None:
    """The grants of one dataflow take nothing from another's (G9)."""
    text = SHOP.replace(
        "deployment: {region: us-central1}",
        "deployment: {secret_environment_vars: [{name: T, value_from: token, version: 1}]}",
    )
    arch = hydrate(loads(text, Path("services.yaml")).architecture, base_dir=Path("/shop"))
    on_secret = [
        grant
        for grant in plan_grants(arch).application
        if grant.resource == GrantResource(ResourceKind.SECRET, "token")
    ]
    assert {(grant.member, grant.dataflow) for grant in on_secret} == {
        (account("intake-sa"), "orders"),
        (account("refund-sa"), "returns"),
    }


def test_every_stack_gets_its_grants_and_none_is_lost(shop: Architecture) -> None:
    """The stacks' parts together are the plan."""
    plan = plan_grants(shop, deployer=DEPLOYER)
    stacks = {(g.layer, g.dataflow) for g in plan.all}
    parts = [grant for stack in stacks for grant in plan.for_layer(*stack)]
    assert len(parts) == len(plan.all)
    assert set(parts) == set(plan.all)


def test_architecture_that_is_not_hydrated_is_refused(sample: Architecture) -> None:
    """Without a project nobody has an identity."""
    with pytest.raises(ValueError, match="hydrated"):
        plan_grants(sample)
