"""Variables of links: their names for every kind, and that each holds one thing."""

from __future__ import annotations

from pathlib import Path

import pytest

from architecture.findings import Finding, InvalidArchitecture
from architecture.hydration import hydrate
from architecture.loading import loads

SHOP = """\
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
      intake: {service_account: intake-sa, deployment: {environment_vars: {MODE: fast}}}
    resources:
"""
LINK = "{name: intake, lookup: {method: env}}"
BOTH = f"producers: [{LINK}], consumers: [{LINK}]"


def variables(resources: str) -> dict[str, str]:
    """Return what links to these resources put into the service's environment."""
    arch = loads(SHOP + resources, Path("services.yaml")).architecture
    deployment = hydrate(arch, base_dir=Path("/shop")).service("intake").deployment
    assert deployment is not None
    injected = {"PROJECT_ID", "SERVICE_NAME", "DATAFLOW_NAME", "MODE"}
    return {k: v for k, v in deployment.environment_vars.items() if k not in injected}


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        (
            (
                f"      topics: [{{name: new-orders, producer_service: {LINK}}}]\n"
                f"      subscriptions: [{{name: all.of_it, topic: new-orders,"
                f" consumer_service: {LINK}}}]\n"
            ),
            {"NEW_ORDERS_TOPIC_ID": "new-orders", "ALL_OF_IT_SUB_ID": "all.of_it"},
        ),
        (
            f"      bigquery_tables: [{{name: in-voices, dataset: sales, {BOTH}}}]\n",
            {
                "IN_VOICES_READ_TABLE": "sales.in-voices",
                "IN_VOICES_WRITE_TABLE": "sales.in-voices",
            },
        ),
        (
            f"      gcs_buckets: [{{name: shop-bills, {BOTH}}}]\n",
            {"SHOP_BILLS_READ_BUCKET": "shop-bills", "SHOP_BILLS_WRITE_BUCKET": "shop-bills"},
        ),
        (
            (
                f"      firestore_databases: [{{name: carts-db, {BOTH}}}]\n"
                f"      firestore_collections: [{{name: carts, database: carts-db, {BOTH}}}]\n"
            ),
            {
                "CARTS_DB_READ_DATABASE": "carts-db",
                "CARTS_DB_WRITE_DATABASE": "carts-db",
                "CARTS_READ_COLLECTION": "carts",
                "CARTS_WRITE_COLLECTION": "carts",
            },
        ),
        (
            (
                "      gcs_buckets: [{name: shop-bills, producers:"
                " [{name: intake, lookup: {key: OUT, method: env}}]}]\n"
            ),
            {"OUT": "shop-bills"},
        ),
    ],
)
def test_links_found_by_env_become_variables(resources: str, expected: dict[str, str]) -> None:
    """1.5: by their key, else by the resource's name, what it is, and which way data flows."""
    assert variables(resources) == expected


def findings(resources: str) -> tuple[Finding, ...]:
    """Return what is wrong with these resources."""
    try:
        return loads(SHOP + resources, Path("services.yaml")).warnings
    except InvalidArchitecture as error:
        return error.findings


def test_two_names_for_one_variable_are_an_error() -> None:
    """One of them would be lost without a word."""
    (finding,) = findings(
        "      bigquery_tables:\n"
        f"        - {{name: events, dataset: sales, producers: [{LINK}]}}\n"
        f"        - {{name: events, dataset: weather, producers: [{LINK}]}}\n"
    )
    assert (finding.rule, finding.line) == ("variable-collision", 16)
    assert "`sales.events` and `weather.events`" in finding.message


def test_one_name_may_be_linked_twice() -> None:
    """Two links with one key to one resource are no contradiction."""
    link = "{name: intake, lookup: {key: BILLS, method: env}}"
    bucket = f"{{name: shop-bills, producers: [{link}], consumers: [{link}]}}"
    assert findings(f"      gcs_buckets: [{bucket}]\n") == ()


def test_a_variable_that_a_link_overwrites_is_a_warning() -> None:
    """What the file says would have no effect."""
    link = "{name: intake, lookup: {key: MODE, method: env}}"
    (finding,) = findings(f"      topics: [{{name: orders, producer_service: {link}}}]\n")
    assert (finding.rule, finding.severity, finding.line) == (
        "variable-overwritten",
        "warning",
        12,
    )
