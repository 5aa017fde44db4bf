"""A test run's names: a suffix on all that is made, on nothing else, and never twice."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from architecture.findings import InvalidArchitecture
from architecture.hydration import hydrate
from architecture.loading import loads
from architecture.model import Architecture, Deployment
from architecture.rendering import to_yaml
from architecture.suffixes import kept_dataflows

SHOP = """\
name: shop
project_id: shop-project
region: europe-west1
service_manager_spec:
  name: director
  service_account: director-sa@shop-project.iam.gserviceaccount.com
  deployment: {}
  command_topic: {name: commands}
  completion_topic: {name: completions}
dataflows:
  orders:
    lifecycle: {strategy: ephemeral, keep_resources_on_test: true}
    services:
      intake:
        service_account: intake-sa
        dependencies: [director, billing]
        deployment:
          environment_vars: {MODE: fast}
          secret_environment_vars: [{name: TOKEN, value_from: api-token, version: 1}]
      billing:
        service_account: shared@other-project.iam.gserviceaccount.com
        deployment: {image_repo: own}
    resources:
      topics:
        - name: orders-topic
          producer_service: {name: intake, lookup: {method: env}}
          iam_access_policy:
            - {name: billing, role: roles/pubsub.viewer}
            - {name: intake-sa, role: roles/pubsub.viewer, type: service-account}
            - {name: auditor, role: roles/pubsub.viewer, type: service-account}
        - name: dead-topic
      subscriptions:
        - name: orders-sub
          topic: orders-topic
          consumer_service: {name: billing, lookup: {key: SOURCE, method: env}}
          dead_letter_policy: {topic: dead-topic}
      bigquery_tables:
        - name: invoices
          dataset: sales
          producers: [{name: billing, lookup: {method: env}}]
      gcs_buckets:
        - {name: shop-receipts, producers: [{name: billing, lookup: {method: env}}]}
      firestore_databases:
        - {name: (default)}
        - {name: shop-carts}
      firestore_collections:
        - {name: visits, database: (default), consumers: [{name: intake, lookup: {method: env}}]}
        - {name: carts, database: shop-carts, consumers: [{name: intake, lookup: {method: env}}]}
      cloud_scheduler_jobs:
        - {name: nightly, schedule: 0 3 * * *, target_service: billing}
  returns: {}
"""
BASE = Path("/shop")


def read(text: str) -> Architecture:
    """Return the architecture of a text."""
    return loads(text, BASE / "services.yaml").architecture


@pytest.fixture
def shop() -> Architecture:
    """A shop with something of every kind, for a test run."""
    return hydrate(read(SHOP), base_dir=BASE, suffix="r-1")


def deployment(arch: Architecture, service: str) -> Deployment:
    """Return how a service is deployed."""
    found = arch.service(service).deployment
    assert found is not None
    return found


def test_everything_that_is_made_gets_the_suffix(shop: Architecture) -> None:
    """Services, accounts, the director, its topics, and resources of every kind."""
    resources = shop.dataflows["orders"].resources
    made = [resource.name for _, resource in resources.each()]
    assert made == [
        "orders-topic-r-1",
        "dead-topic-r-1",
        "orders-sub-r-1",
        "sales_r_1",
        "invoices",
        "shop-receipts-r-1",
        "(default)",
        "shop-carts-r-1",
        "visits-r-1",
        "carts",
        "nightly-r-1",
    ]
    assert shop.director.name == "director-r-1"
    assert shop.director.service_account == "director-sa-r-1"
    assert shop.director.command_topic.name == "commands-r-1"
    assert shop.director.completion_topic.name == "completions-r-1"
    assert list(shop.dataflows["orders"].services) == ["intake-r-1", "billing-r-1"]
    assert deployment(shop, "billing-r-1").image_repo == "own-r-1"
    assert resources.cloud_scheduler_jobs[0].service_account == "nightly-sa-r-1"


def test_what_hydration_adds_gets_it_too(shop: Architecture) -> None:
    """The command subscription is `<command>-sub`, then the suffix, as in files of others."""
    infra = shop.dataflows["director-infra"].resources
    assert [topic.name for topic in infra.topics] == ["commands-r-1", "completions-r-1"]
    assert infra.subscriptions[0].name == "commands-sub-r-1"
    assert infra.subscriptions[0].topic == "commands-r-1"
    assert shop.director_dataflow == "director-infra"


def test_whatever_refers_to_a_name_follows_it(shop: Architecture) -> None:
    """Links, dependencies, topics, datasets, databases, schedules and policies."""
    resources = shop.dataflows["orders"].resources
    topic, (subscription,) = resources.topics[0], resources.subscriptions
    assert topic.producer_service is not None
    assert topic.producer_service.name == "intake-r-1"
    assert [policy.name for policy in topic.iam_access_policy] == [
        "billing-r-1",
        "intake-sa-r-1",
        "auditor",
    ]
    assert subscription.topic == "orders-topic-r-1"
    assert subscription.consumer_service is not None
    assert subscription.consumer_service.name == "billing-r-1"
    assert subscription.dead_letter_policy is not None
    assert subscription.dead_letter_policy.topic == "dead-topic-r-1"
    assert resources.bigquery_tables[0].dataset == "sales_r_1"
    assert [c.database for c in resources.firestore_collections] == ["(default)", "shop-carts-r-1"]
    assert resources.cloud_scheduler_jobs[0].target_service == "billing-r-1"
    assert shop.service("intake-r-1").dependencies == ("director-r-1", "billing-r-1")


def test_what_is_not_made_here_keeps_its_name(shop: Architecture) -> None:
    """The architecture, its dataflows, secrets, and other projects' accounts."""
    assert (shop.name, next(iter(shop.dataflows))) == ("shop", "orders")
    (secret,) = deployment(shop, "intake-r-1").secret_environment_vars
    assert secret.value_from == "api-token"
    billing = shop.service("billing-r-1")
    assert billing.service_account == "shared@other-project.iam.gserviceaccount.com"


def test_programs_read_the_same_variables_in_every_test_run(shop: Architecture) -> None:
    """The suffix is in a variable's value, not in its name."""
    assert deployment(shop, "intake-r-1").environment_vars == {
        "CARTS_READ_COLLECTION": "carts",
        "DATAFLOW_NAME": "orders",
        "MODE": "fast",
        "ORDERS_TOPIC_TOPIC_ID": "orders-topic-r-1",
        "PROJECT_ID": "shop-project",
        "SERVICE_NAME": "intake-r-1",
        "VISITS_READ_COLLECTION": "visits-r-1",
    }
    assert deployment(shop, "billing-r-1").environment_vars == {
        "DATAFLOW_NAME": "orders",
        "INVOICES_WRITE_TABLE": "sales_r_1.invoices",
        "PROJECT_ID": "shop-project",
        "SERVICE_NAME": "billing-r-1",
        "SHOP_RECEIPTS_WRITE_BUCKET": "shop-receipts-r-1",
        "SOURCE": "orders-sub-r-1",
    }


def test_the_suffix_is_recorded_and_never_added_twice(shop: Architecture) -> None:
    """Read back from its file and hydrated again, with the suffix or without, it is the same."""
    again = read(to_yaml(shop))
    assert again == shop
    assert hydrate(again, base_dir=Path("/else"), suffix="r-1") == shop
    assert hydrate(again, base_dir=Path("/else")) == shop


def test_a_hydrated_file_without_suffix_takes_one(shop: Architecture) -> None:
    """Hydrating first and adding the suffix later comes to the same."""
    first = hydrate(read(SHOP), base_dir=BASE)
    assert hydrate(first, base_dir=BASE, suffix="r-1") == shop


def test_another_suffix_is_refused(shop: Architecture) -> None:
    """Names with two suffixes would be nobody's."""
    with pytest.raises(InvalidArchitecture, match=r"suffix-recorded.*`r-1` already"):
        hydrate(shop, base_dir=BASE, suffix="r-2")


@pytest.mark.parametrize("suffix", ["Run", "a_b", "-a", "a-", "a" * 21, "a b", "é"])
def test_a_suffix_that_names_cannot_end_in_is_refused(suffix: str) -> None:
    """It must suit every kind of name."""
    with pytest.raises(InvalidArchitecture, match=r"suffix-not-usable"):
        hydrate(read(SHOP), base_dir=BASE, suffix=suffix)


def test_every_name_that_gets_too_long_is_named() -> None:
    """Google's limits hold with the suffix; all are reported at once."""
    account = "intake-account-of-the-shop"
    text = SHOP.replace("intake-sa", account).replace("shop-receipts", "shop.example")
    with pytest.raises(InvalidArchitecture) as refused:
        hydrate(read(text), base_dir=BASE, suffix="run-1")
    assert [(f.rule, f.message) for f in refused.value.findings] == [
        (
            "bad-account-name",
            f"with the suffix `run-1`, `{account}-run-1` is no name for a service account",
        ),
        (
            "bad-bucket-name",
            "with the suffix `run-1`, `shop.example-run-1` is no domain any more",
        ),
    ]
    assert all("shorten" in f.fix or "dots" in f.fix for f in refused.value.findings)


def test_only_a_test_run_keeps_resources(shop: Architecture) -> None:
    """`keep_resources_on_test` says nothing about an environment without a suffix."""
    assert kept_dataflows(shop) == {"orders"}
    assert kept_dataflows(hydrate(read(SHOP), base_dir=BASE)) == frozenset()


def test_the_sample_of_others_looks_the_same(real: Path) -> None:
    """What the upstream tool's test run called its resources, we call them, too."""
    theirs = read((real / "tracer-hydrated.services.yaml").read_text())
    plain = yaml.safe_load(
        (real / "tracer-hydrated.services.yaml").read_text().replace("-f84c06fb", "")
    )
    del plain["dataflows"]["sd-infra"]
    arch = hydrate(read(yaml.safe_dump(plain, sort_keys=False)), base_dir=BASE, suffix="f84c06fb")
    for flow in ("sd-infra", "tracer-flow"):
        ours, others = arch.dataflows[flow], theirs.dataflows[flow]
        assert list(ours.services) == list(others.services)
        assert [topic.name for topic in ours.resources.topics] == [
            topic.name for topic in others.resources.topics
        ]
        assert [sub.name for sub in ours.resources.subscriptions] == [
            sub.name for sub in others.resources.subscriptions
        ]
