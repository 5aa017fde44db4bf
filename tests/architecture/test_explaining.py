"""Every value of an environment is explained: who says it, and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from architecture.explaining import Explanation, Source, explain
from architecture.hydration import hydrate
from architecture.loading import loads

SHOP = """\
name: shop
region: europe-west1
service_manager_spec:
  name: director
  service_account: director-sa@some-project.iam.gserviceaccount.com
  deployment: {source_path: src}
  command_topic: {name: commands, lookup: {key: c}}
  completion_topic: {name: completions, lookup: {method: env}}
dataflows:
  orders:
    services:
      intake:
        service_account: intake-sa
        deployment:
          max_instances: 3
          memory: 1Gi
          environment_vars: {MODE: fast, SERVICE_NAME: stale}
          config_templates: {a.yaml: b.yaml}
          secret_environment_vars:
            - {name: PASSWORD, value_from: password, version: 1}
            - {name: TOKEN, value_from: token, version: 1}
    resources:
      topics:
        - {name: orders-topic, producer_service: {name: intake, lookup: {method: env}}}
      bigquery_tables:
        - {name: events, dataset: sales, schema_file: events.json}
      gcs_buckets:
        - {name: shop-receipts, versioning_enabled: true}
      cloud_scheduler_jobs:
        - {name: nightly, schedule: 0 3 * * *, target_service: intake}
deployment_environments:
  prod:
    region: us-central1
    labels: {tier: prod}
    services:
      intake:
        max_instances: 30
        environment_vars: {MODE: slow}
        secret_environment_vars: [{name: TOKEN, value_from: prod-token, version: 1}]
    resources:
      gcs_buckets: {shop-receipts: {versioning_enabled: false}}
"""
INTAKE = "dataflows.orders.services.intake.deployment"
RESOURCES = "dataflows.orders.resources"


def explained(environment: str, **options: Path) -> dict[str, Explanation]:
    """Return the explanations of an environment's values, by key."""
    arch = loads(SHOP, Path("services.yaml")).architecture
    hydrated = hydrate(
        arch,
        base_dir=Path("/shop"),
        project_id="some-project",
        environment=environment,
        **options,
    )
    found = explain(SHOP, arch, hydrated, environment, source_root_given=bool(options))
    return {item.key: item for item in found}


@pytest.mark.parametrize(
    ("key", "value", "source", "line", "reason"),
    [
        ("name", "shop", Source.FILE, 1, ""),
        ("region", "us-central1", Source.OVERRIDE, 33, "instead of europe-west1 (line 2)"),
        ("labels.tier", "prod", Source.OVERRIDE, 34, "environment prod"),
        ("project_id", "some-project", Source.OPTION, 0, "--project"),
        ("location", "us-central1", Source.RULE, 0, "the architecture's region"),
        ("service_manager_spec.service_account", "director-sa", Source.RULE, 5, "short name"),
        ("service_manager_spec.deployment.source_path", "/shop/src", Source.RULE, 6, "absolute"),
        ("service_manager_spec.command_topic.lookup.key", "c", Source.FILE, 7, ""),
        ("service_manager_spec.command_topic.lookup.method", "yaml", Source.DEFAULT, 0, "format"),
        (f"{INTAKE}.cpu", "1", Source.DEFAULT, 0, "every service"),
        (f"{INTAKE}.memory", "1Gi", Source.FILE, 16, ""),
        (f"{INTAKE}.region", "us-central1", Source.RULE, 0, "region"),
        (f"{INTAKE}.max_instances", 30, Source.OVERRIDE, 37, "instead of 3 (line 15)"),
        (f"{INTAKE}.environment_vars.MODE", "slow", Source.OVERRIDE, 38, "instead of fast"),
        (f"{INTAKE}.environment_vars.SERVICE_NAME", "intake", Source.RULE, 17, "every service"),
        (
            f"{INTAKE}.environment_vars.ORDERS_TOPIC_TOPIC_ID",
            "orders-topic",
            Source.RULE,
            0,
            "the service produces topic orders-topic, `lookup.method: env`",
        ),
        (f"{INTAKE}.config_templates./shop/a.yaml", "b.yaml", Source.RULE, 0, "absolute"),
        (
            f"{INTAKE}.secret_environment_vars[TOKEN].value_from",
            "prod-token",
            Source.OVERRIDE,
            39,
            "instead of token (line 21)",
        ),
        (f"{INTAKE}.secret_environment_vars[PASSWORD].version", "1", Source.FILE, 20, ""),
        (
            f"{RESOURCES}.gcs_buckets[shop-receipts].versioning_enabled",
            False,
            Source.OVERRIDE,
            41,
            "instead of True (line 28)",
        ),
        (f"{RESOURCES}.bigquery_datasets[sales].name", "sales", Source.RULE, 0, "tables name"),
        (
            f"{RESOURCES}.bigquery_tables[sales.events].schema_file",
            "/shop/events.json",
            Source.RULE,
            26,
            "absolute",
        ),
        (
            f"{RESOURCES}.cloud_scheduler_jobs[nightly].service_account",
            "nightly-sa",
            Source.RULE,
            0,
            "account of the schedule's own",
        ),
        (
            "dataflows.director-infra.resources.topics[commands].name",
            "commands",
            Source.RULE,
            0,
            "director's own dataflow",
        ),
    ],
)
def test_value_is_explained(
    key: str, value: object, source: Source, line: int, reason: str
) -> None:
    """Step 3, item 7: value, who says it, the line that says it, and what it replaces."""
    found = explained("prod")[key]
    assert (found.value, found.source, found.line) == (value, source, line)
    assert reason in found.reason


def test_another_environments_values_come_from_the_file() -> None:
    """Nothing of `prod` is left in it."""
    found = explained("dev")
    assert found[f"{INTAKE}.max_instances"].line == 15
    assert found["region"].source is Source.FILE
    assert not any(item.source is Source.OVERRIDE for item in found.values())


def test_source_root_is_named_as_what_replaced_a_path() -> None:
    """Though the file gives one."""
    found = explained("dev", source_root=Path("/src"))
    path = found["service_manager_spec.deployment.source_path"]
    assert (path.value, path.source, path.line) == ("/src", Source.OPTION, 6)
