"""Files of the older generation load, with a warning, and lose nothing on their way."""

from __future__ import annotations

from pathlib import Path

import pytest

from architecture.findings import InvalidArchitecture, Severity
from architecture.generations import deployment_file
from architecture.loading import dump, load, loads
from architecture.rendering import to_yaml

SERVICES = """\
name: shop
description: Sells things.
default_project_id: shop-project
default_location: EU
default_region: europe-west1
services:
  - name: intake
  - name: director
    service_account: director-sa
  - name: lonely
dataflows:
  - name: orders
    description: Takes orders.
    service_names: [intake]
    lifecycle: {strategy: ephemeral}
    resources:
      pubsub_topics:
        - name: shop-orders
          producer_service: intake
          iam_access_policy:
            iam_access:
              - {name: intake, role: roles/pubsub.viewer, type: service}
      bigquery_tables:
        - {name: sold, dataset: sales, schema_source_identifier: Sold}
"""
DEPLOYMENT = """\
project_id:
region: us-central1
service_source_path: src/
service_director_service_name: director
cloud_run_defaults:
  cpu: 1000m
  concurrency: 80
  env_vars: {STAGE: dev}
services:
  director:
    dockerfile_path: director/Dockerfile
    cloud_run_spec: {cpu: 500m, env_vars: {LEVEL: info}}
  intke:
    dockerfile_path: intake/Dockerfile
"""


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """A services file with its deployment file beside it."""
    (tmp_path / "deployment.yaml").write_text(DEPLOYMENT)
    file = tmp_path / "services.yaml"
    file.write_text(SERVICES)
    return file


def test_an_older_pair_becomes_todays_form(pair: Path) -> None:
    """Step 3, item 4: with warnings only; the services file's region wins."""
    loaded = load(pair)
    assert {(w.rule, w.severity) for w in loaded.warnings} == {("older-form", Severity.WARNING)}
    arch = loaded.architecture
    assert (arch.project_id, arch.region, arch.location) == ("shop-project", "europe-west1", "EU")
    assert arch.director.name == "director"
    assert arch.director.deployment is not None
    assert arch.director.deployment.source_path == "src/"
    assert arch.director.deployment.buildable_module_path == "director"
    assert arch.director.deployment.cpu == "500m"
    assert arch.director.deployment.environment_vars == {"STAGE": "dev", "LEVEL": "info"}
    orders = arch.dataflows["orders"]
    assert orders.services["intake"].service_account == "intake-sa"
    (topic,) = orders.resources.topics
    assert topic.producer_service is not None
    assert [policy.role for policy in topic.iam_access_policy] == ["roles/pubsub.viewer"]
    assert orders.resources.bigquery_tables[0].schema_type == "Sold"
    assert list(arch.dataflows["unassigned"].services) == ["lonely"]


def test_what_has_no_place_today_is_kept(pair: Path) -> None:
    """Step 3, item 4: nothing is lost, and a misspelt service is named."""
    loaded = load(pair)
    older = loaded.architecture.director.metadata["older"]
    assert older == {
        "concurrency": 80,
        "description": "Sells things.",
        "deployments": {"intke": {"dockerfile_path": "intake/Dockerfile"}},
    }
    assert any("did you mean `intake`" in warning.fix for warning in loaded.warnings)


def test_the_migrated_file_is_the_same_architecture(pair: Path) -> None:
    """Written in today's form, it loads without a warning."""
    loaded = load(pair)
    again = loads(to_yaml(loaded.architecture), Path("new.yaml"))
    assert again.architecture == loaded.architecture
    assert again.warnings == ()
    assert dump(loaded) == SERVICES.encode()


def test_findings_are_at_their_place_in_the_older_file(pair: Path) -> None:
    """A wrong value is named where its writer wrote it."""
    pair.write_text(SERVICES.replace("- name: shop-orders", "- name: o!"))
    with pytest.raises(InvalidArchitecture) as error:
        load(pair)
    (finding,) = [f for f in error.value.findings if f.severity is Severity.ERROR]
    assert (finding.rule, finding.line) == ("bad-topic-name", 18)


def test_without_a_deployment_file_services_have_no_deployment(tmp_path: Path) -> None:
    """They have accounts and rights, and run elsewhere."""
    file = tmp_path / "services.yaml"
    file.write_text(SERVICES.replace("- name: director", "- name: servicedirector"))
    assert load(file).architecture.director.deployment is None


def test_a_broken_deployment_file_is_named(pair: Path) -> None:
    """Its own path and line, not those of the other file."""
    pair.with_name("deployment.yaml").write_text("services: [")
    with pytest.raises(InvalidArchitecture) as error:
        load(pair)
    (finding,) = error.value.findings
    assert (finding.rule, finding.path.name) == ("yaml-syntax", "deployment.yaml")


@pytest.mark.parametrize(
    ("name", "beside"),
    [
        ("services.yaml", "deployment.yaml"),
        ("minimalservices.yml", "minimaldeployment.yml"),
        ("shop.yaml", None),
    ],
)
def test_the_deployment_file_is_found_by_its_name(name: str, beside: str | None) -> None:
    """As the upstream project named its pairs."""
    found = deployment_file(Path("x") / name)
    assert (found.name if found else None) == beside
