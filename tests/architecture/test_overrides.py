"""What an environment has otherwise: typed, checked, applied to that environment only."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from architecture.environments import ResourceOverrides
from architecture.findings import Finding, InvalidArchitecture
from architecture.hydration import hydrate
from architecture.loading import loads
from architecture.model import Architecture, Deployment, Resources
from architecture.overrides import overridden, overrides_of
from architecture.rendering import to_yaml

SHOP = """\
name: shop
project_id: shop-project
region: europe-west1
labels: {team: shop}
service_manager_spec:
  name: director
  service_account: director-sa
  deployment: {cpu: "2"}
  command_topic: {name: commands}
  completion_topic: {name: completions}
dataflows:
  orders:
    services:
      intake:
        service_account: intake-sa
        deployment:
          max_instances: 3
          min_instances: 2
          environment_vars: {MODE: fast, LEVEL: info}
          secret_environment_vars:
            - {name: TOKEN, value_from: token, version: 1}
            - {name: PASSWORD, value_from: password, version: 1}
      outside: {service_account: outside-sa}
    resources:
      topics:
        - {name: orders-topic, labels: {tier: one}, producer_service: {name: intake}}
      bigquery_tables:
        - {name: events, dataset: sales, expiration: 24h}
        - {name: events, dataset: weather}
        - {name: invoices, dataset: sales}
      gcs_buckets:
        - {name: shop-receipts, versioning_enabled: true, storage_class: NEARLINE}
deployment_environments:
"""
PROD = """\
  prod:
    region: us-central1
    labels: {tier: prod}
    teardown_protection: true
    services:
      intake:
        max_instances: 30
        environment_vars: {LEVEL: warning, SINK: prod}
        secret_environment_vars: [{name: TOKEN, value_from: prod-token, version: 7}]
      director: {memory: 1Gi}
    resources:
      topics:
        orders-topic: {labels: {tier: two}, message_retention_duration: 7d}
      bigquery_tables:
        weather.events: {expiration: 48h}
        invoices: {expiration: 72h}
      gcs_buckets:
        shop-receipts: {versioning_enabled: false, storage_class: ""}
"""
PATH = Path("/shop/services.yaml")


def read(environments: str) -> Architecture:
    """Return the shop with these environments."""
    return loads(SHOP + environments, PATH).architecture


def findings_of(environments: str) -> tuple[Finding, ...]:
    """Return what is wrong with the shop with these environments."""
    with pytest.raises(InvalidArchitecture) as refused:
        read(environments)
    return refused.value.findings


def deployment(arch: Architecture, service: str) -> Deployment:
    """Return how a service is deployed."""
    found = arch.service(service).deployment
    assert found is not None
    return found


def test_values_of_an_environment_replace_those_of_the_file() -> None:
    """Root keys, services' deployments and resources; false and empty are values, too."""
    prod = overridden(read(PROD), "prod")
    assert (prod.region, prod.project_id, prod.teardown_protection) == (
        "us-central1",
        "shop-project",
        True,
    )
    intake = deployment(prod, "intake")
    assert (intake.max_instances, intake.min_instances) == (30, 2)
    assert (deployment(prod, "director").cpu, deployment(prod, "director").memory) == ("2", "1Gi")
    resources = prod.dataflows["orders"].resources
    assert resources.topics[0].message_retention_duration == "7d"
    assert [table.expiration for table in resources.bigquery_tables] == ["24h", "48h", "72h"]
    bucket = resources.gcs_buckets[0]
    assert (bucket.versioning_enabled, bucket.storage_class) == (False, "")
    assert bucket.name == "shop-receipts"


def test_mappings_and_secrets_are_merged() -> None:
    """An environment says only what is otherwise there."""
    prod = overridden(read(PROD), "prod")
    assert prod.labels == {"team": "shop", "tier": "prod"}
    intake = deployment(prod, "intake")
    assert intake.environment_vars == {"MODE": "fast", "LEVEL": "warning", "SINK": "prod"}
    assert [(s.name, s.value_from, s.version) for s in intake.secret_environment_vars] == [
        ("TOKEN", "prod-token", "7"),
        ("PASSWORD", "password", "1"),
    ]
    assert prod.dataflows["orders"].resources.topics[0].labels == {"tier": "two"}


def test_another_environment_has_what_the_file_says() -> None:
    """Only the environments themselves are no part of it."""
    arch = read(PROD)
    assert overridden(arch, "dev") == arch.model_copy(update={"deployment_environments": {}})


def test_hydration_applies_them_before_defaults() -> None:
    """The region of an environment is the one of its services; nothing is applied twice."""
    arch = read(PROD)
    prod = hydrate(arch, base_dir=Path("/shop"), environment="prod")
    assert deployment(prod, "intake").region == "us-central1"
    assert deployment(prod, "intake").environment_vars["LEVEL"] == "warning"
    assert prod.deployment_environments == {}
    assert hydrate(prod, base_dir=Path("/shop"), environment="prod") == prod
    assert hydrate(prod, base_dir=Path("/shop"), environment="dev") == prod


def test_environments_survive_rendering() -> None:
    """Also what is false or empty in them."""
    arch = read(PROD)
    again = loads(to_yaml(arch), PATH).architecture
    assert overridden(again, "prod") == overridden(arch, "prod")


@pytest.mark.parametrize(
    ("rule", "environments", "at", "said"),
    [
        ("override-unknown", "services: {intaek: {cpu: 1}}", "intaek", "did you mean `intake`"),
        ("override-unknown", "resources: {topics: {order: {}}}", "order:", "orders-topic"),
        ("override-undeployed", "services: {outside: {cpu: 1}}", "outside", "no `deployment`"),
        ("unknown-key", "services: {intake: {cpus: 1}}", "cpus", "did you mean `cpu`"),
        ("unknown-key", "resources: {topic: {}}", "topic:", "did you mean `topics`"),
        ("unknown-key", "resources: {topics: {orders-topic: {x: 1}}}", "x: 1", "unknown key"),
        ("unknown-key", "names: 1", "names", "unknown key"),
        ("wrong-type", "teardown_protection: 1", "1", "true or false"),
        (
            "override-ambiguous",
            "resources: {bigquery_tables: {events: {}}}",
            "events: {}",
            "`sales.events`",
        ),
        ("override-renames", "resources: {topics: {orders-topic: {name: t}}}", "t}", "--suffix"),
        ("bad-region", "region: moon", "moon", "europe-west1"),
        ("bad-cpu", "services: {intake: {cpu: much}}", "much", "in environment `prod`"),
        ("instance-order", "services: {intake: {min_instances: 9}}", "9", "in environment `prod`"),
        (
            "bad-duration",
            "resources: {topics: {orders-topic: {message_retention_duration: long}}}",
            "long",
            "in environment `prod`",
        ),
        (
            "bad-variable-name",
            "services: {intake: {environment_vars: {1A: x}}}",
            "x}",
            "in environment `prod`",
        ),
    ],
)
def test_a_wrong_override_is_a_finding_at_its_place(
    rule: str, environments: str, at: str, said: str
) -> None:
    """Unknown names and keys, and values that Google refuses, in whatever environment."""
    text = f"  prod:\n    {environments}\n"
    (finding,) = findings_of(text)
    assert finding.rule == rule
    before = (SHOP + text)[: len(SHOP) + text.index(at)]
    assert (finding.line, finding.column) == (
        before.count("\n") + 1,
        len(before) - before.rfind("\n"),
    )
    assert said in str(finding)


def test_what_an_environment_breaks_elsewhere_is_said_to_be_its_doing() -> None:
    """The file's least instances are found where they stand, with the environment's name."""
    (finding,) = findings_of("  prod:\n    services: {intake: {max_instances: 1}}\n")
    assert finding.rule == "instance-order"
    assert finding.line == SHOP[: SHOP.index("min_instances")].count("\n") + 1
    assert finding.message == "in environment `prod`: at least 2 instances, but at most 1"


def test_what_the_whole_file_has_wrong_is_said_once() -> None:
    """Not again for each environment."""
    text = SHOP.replace("region: europe-west1", "region: moon") + "  dev: {}\n  prod: {}\n"
    with pytest.raises(InvalidArchitecture) as refused:
        loads(text, PATH)
    assert [finding.rule for finding in refused.value.findings] == ["bad-region"]


def test_every_key_of_every_kind_can_be_overridden() -> None:
    """A key that a resource can have, an environment can have."""
    for kind, field in Resources.model_fields.items():
        base = field.annotation.__args__[0]  # type: ignore[union-attr]
        changes = ResourceOverrides.model_fields[kind].annotation.__args__[1]  # type: ignore[union-attr]
        assert issubclass(changes, base)
        assert not any(item.is_required() for item in changes.model_fields.values())


VALUES = {
    "min_instances": st.integers(0, 1),
    "cpu": st.sampled_from(["1", "2"]),
    "environment_vars": st.dictionaries(st.sampled_from("AB"), st.text("xyz"), max_size=2),
}


@given(st.fixed_dictionaries({}, optional=VALUES), st.sampled_from(["prod", "dev"]))
def test_exactly_the_places_that_an_environment_writes_change(
    changes: dict[str, object], environment: str
) -> None:
    """What is listed as written is what is replaced, and nothing else changes."""
    text = yaml.safe_dump({"prod": {"services": {"intake": changes}}})
    arch = read("".join(f"  {line}\n" for line in text.splitlines()))
    places = {item.replaces for item in overrides_of(arch, environment)}
    after = deployment(overridden(arch, environment), "intake").model_dump()
    before = deployment(arch, "intake").model_dump()
    root = ("dataflows", "orders", "services", "intake", "deployment")
    for key, value in after.items():
        if value != before[key]:
            assert any(place[: len(root) + 1] == (*root, key) for place in places)
    assert bool(places) == (environment == "prod" and any(v != {} for v in changes.values()))
