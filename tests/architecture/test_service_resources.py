"""A service is told of exactly its own resources, and its tests of exactly their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from architecture.hydration import hydrate
from architecture.loading import loads
from architecture.model import Architecture
from architecture.service_resources import ServiceResources

TWO_OF_A_KIND = """\
name: shop
project_id: shop-project
region: europe-west1
service_manager_spec:
  name: director
  service_account: director-sa
  command_topic: {name: commands}
  completion_topic: {name: completions}
dataflows:
  orders:
    services:
      intake: {service_account: intake-sa}
      idle-one: {service_account: idle-sa}
    resources:
      topics:
        - {name: topic-b, producer_service: {name: intake}}
        - {name: topic-a, producer_service: {name: intake, lookup: {key: a, method: yaml}}}
        - {name: topic-env, producer_service: {name: intake, lookup: {method: env}}}
        - {name: topic-db, producer_service: {name: intake, lookup: {method: db}}}
        - {name: topic-other}
      bigquery_datasets:
        - {name: sales, location: EU}
      bigquery_tables:
        - name: invoices
          dataset: sales
          schema_type: example.com/Invoice
          clustering_fields: [customer]
          consumers: [{name: intake}]
      firestore_databases:
        - {name: shop-carts, type: NATIVE}
      firestore_collections:
        - {name: carts, database: shop-carts, producers: [{name: intake}]}
      gcs_buckets:
        - {name: shop-receipts, producers: [{name: intake}], consumers: [{name: intake}]}
"""


@pytest.fixture
def shop() -> Architecture:
    """One service with links of every kind and lookup method."""
    arch = loads(TWO_OF_A_KIND, Path("/shop/services.yaml")).architecture
    return hydrate(arch, base_dir=Path("/shop"))


def test_publisher_and_subscriber_see_their_own_resources_only(hydrated: Architecture) -> None:
    """Each gets what it is linked to, by producer_service or consumer_service (0.7, 0.19)."""
    publisher = ServiceResources(hydrated).content("tracer-publisher")
    assert publisher == {
        "topics": [
            {
                "name": "tracer-topic",
                "producer_service": {
                    "name": "tracer-publisher",
                    "lookup": {"key": "tracer-topic-id", "method": "yaml"},
                },
            }
        ]
    }
    subscriber = ServiceResources(hydrated).content("tracer-subscriber")
    assert list(subscriber) == ["topics", "subscriptions"]


def test_links_found_elsewhere_are_not_in_the_file(shop: Architecture) -> None:
    """`env` and `db` drop the link here, though its grants stay (C13)."""
    topics = ServiceResources(shop).content("intake")["topics"]
    assert isinstance(topics, list)
    assert [topic["name"] for topic in topics if isinstance(topic, dict)] == ["topic-b", "topic-a"]


def test_resource_brings_along_what_it_lives_in(shop: Architecture) -> None:
    """A table its dataset, a collection its database, in the order of the file's keys."""
    resources = ServiceResources(shop).content("intake")
    assert list(resources) == [
        "topics",
        "bigquery_datasets",
        "bigquery_tables",
        "gcs_buckets",
        "firestore_databases",
        "firestore_collections",
    ]
    assert resources["bigquery_datasets"] == [{"name": "sales", "location": "EU"}]
    (table,) = (
        resources["bigquery_tables"] if isinstance(resources["bigquery_tables"], list) else ()
    )
    assert isinstance(table, dict)
    assert list(table) == [
        "name",
        "consumers",
        "dataset",
        "schema_type",
        "schema_import_path",
        "clustering_fields",
    ]


def test_service_without_links_gets_an_empty_file(shop: Architecture) -> None:
    """It is still a file (0.19)."""
    assert ServiceResources(shop).content("idle-one") == {}
    assert ServiceResources(shop).expectations("idle-one") == {}


def test_expected_names_are_those_in_the_file(shop: Architecture) -> None:
    """Several of one kind are separated by commas, in sorted order (1.7)."""
    assert ServiceResources(shop).expectations("intake") == {
        "EXPECTED_TOPIC_NAME": "topic-a,topic-b",
        "EXPECTED_BQ_TABLE": "invoices",
        "EXPECTED_BQ_DATASET": "sales",
        "EXPECTED_FS_COLLECTION": "carts",
        "EXPECTED_GCS_BUCKET": "shop-receipts",
    }


def test_director_expects_its_topics_and_subscription(hydrated: Architecture) -> None:
    """It has variables of its own, beside those of its kind."""
    assert ServiceResources(hydrated).expectations("servicedirector") == {
        "EXPECTED_TOPIC_NAME": "completion-topic",
        "EXPECTED_SUBSCRIPTION_NAME": "command-topic-sub",
        "EXPECTED_COMMAND_TOPIC": "command-topic",
        "EXPECTED_COMPLETION_TOPIC": "completion-topic",
        "EXPECTED_COMMAND_SUBSCRIPTION": "command-topic-sub",
    }
