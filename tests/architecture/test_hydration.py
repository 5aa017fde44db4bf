"""What a user leaves out is filled in; what is filled in already stays as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from architecture.findings import InvalidArchitecture
from architecture.hydration import hydrate
from architecture.loading import loads
from architecture.model import Architecture, Deployment, EnvironmentOverrides, ServiceMapping

EVERY_KIND = """\
name: shop
region: europe-west1
service_manager_spec:
  name: director
  service_account: director-sa@shop-project.iam.gserviceaccount.com
  deployment: {source_path: src}
  command_topic: {name: commands, lookup: {key: COMMANDS, method: env}}
  completion_topic: {name: completions, lookup: {method: env}}
dataflows:
  orders:
    services:
      intake:
        service_account: intake-sa
        deployment:
          source_path: C:\\shop\\src
          config_templates: {templates/a.yaml: a.yaml, /etc/b.yaml: b.yaml}
          environment_vars: {MODE: fast, SERVICE_NAME: stale}
          cpu: "2"
      billing:
        service_account: shared@other-project.iam.gserviceaccount.com
        deployment: {region: us-central1, memory: 1Gi, image_repo: own}
      outside: {service_account: outside-sa}
    resources:
      topics:
        - name: orders-topic
          producer_service: {name: intake, lookup: {key: ORDERS, method: env}}
        - name: plain-topic
          producer_service: {name: intake, lookup: {method: env}}
        - name: hidden-topic
          producer_service: {name: intake, lookup: {method: db}}
      subscriptions:
        - name: orders-sub
          topic: orders-topic
          consumer_service: {name: billing, lookup: {method: env}}
      bigquery_tables:
        - name: invoices
          dataset: sales
          schema_file: schemas/invoices.json
          producers: [{name: billing, lookup: {method: env}}]
          consumers: [{name: intake, lookup: {method: env}}]
        - {name: refunds, dataset: sales}
      gcs_buckets:
        - name: shop-receipts
          producers: [{name: billing, lookup: {method: env}}]
      cloud_scheduler_jobs:
        - {name: nightly, schedule: 0 3 * * *, target_service: billing}
  returns:
    resources:
      bigquery_tables:
        - {name: returned, dataset: sales}
"""
BASE = Path("/plans/shop")


@pytest.fixture
def shop() -> Architecture:
    """An architecture with something of every kind to fill in."""
    return loads(EVERY_KIND, BASE / "services.yaml").architecture


def hydrated(arch: Architecture, **options: str) -> Architecture:
    """Hydrate for the shop's project."""
    return hydrate(arch, base_dir=BASE, project_id="shop-project", **options)


def deployment(arch: Architecture, service: str) -> Deployment:
    """Return how a service is deployed."""
    found = arch.service(service).deployment
    assert found is not None
    return found


def test_regions_sizes_and_repositories_are_filled_in(shop: Architecture) -> None:
    """A service takes the architecture's region and the documented sizes, unless it says more."""
    arch = hydrated(shop)
    intake, billing = deployment(arch, "intake"), deployment(arch, "billing")
    assert arch.location == "europe-west1"
    assert (intake.region, intake.cpu, intake.memory) == ("europe-west1", "2", "512Mi")
    assert (billing.region, billing.cpu, billing.memory) == ("us-central1", "1", "1Gi")
    assert (intake.image_repo, billing.image_repo) == ("cloud-deploy", "own")
    assert arch.service("outside").deployment is None


def test_environment_variables_are_injected_by_lookup_method(shop: Architecture) -> None:
    """Links with `env` become variables: by their key, or by the resource's name."""
    variables = deployment(hydrated(shop), "intake").environment_vars
    assert variables == {
        "DATAFLOW_NAME": "orders",
        "INVOICES_READ_TABLE": "sales.invoices",
        "MODE": "fast",
        "ORDERS": "orders-topic",
        "PLAIN_TOPIC_TOPIC_ID": "plain-topic",
        "PROJECT_ID": "shop-project",
        "SERVICE_NAME": "intake",
    }
    assert deployment(hydrated(shop), "billing").environment_vars == {
        "DATAFLOW_NAME": "orders",
        "INVOICES_WRITE_TABLE": "sales.invoices",
        "ORDERS_SUB_SUB_ID": "orders-sub",
        "PROJECT_ID": "shop-project",
        "SERVICE_NAME": "billing",
        "SHOP_RECEIPTS_WRITE_BUCKET": "shop-receipts",
    }


def test_url_of_the_director_is_left_to_the_deployment(hydrated: Architecture) -> None:
    """It is known only when the director is up."""
    for service in hydrated.all_services():
        assert service.deployment is not None
        assert "SERVICE_DIRECTOR_URL" not in service.deployment.environment_vars


def test_account_of_the_project_in_full_is_the_account_of_that_name(shop: Architecture) -> None:
    """Only another project's account keeps its e-mail."""
    arch = hydrated(shop)
    assert arch.director.service_account == "director-sa"
    assert arch.service("billing").service_account == (
        "shared@other-project.iam.gserviceaccount.com"
    )


def test_director_gets_a_dataflow_with_its_topics_and_subscription(sample: Architecture) -> None:
    """A user need not declare what the conductor itself needs."""
    arch = hydrate(sample, base_dir=BASE, project_id="local-proj")
    assert sample.director_dataflow is None
    assert arch.director_dataflow == "servicedirector-infra"
    assert list(arch.application_dataflows()) == ["tracer-flow"]
    resources = arch.dataflows["servicedirector-infra"].resources
    assert [topic.name for topic in resources.topics] == ["command-topic", "completion-topic"]
    (subscription,) = resources.subscriptions
    assert (subscription.name, subscription.topic) == ("command-topic-sub", "command-topic")
    assert subscription.consumer_service is not None
    assert subscription.consumer_service.lookup is not None
    assert subscription.consumer_service.lookup.key == "command-subscription-id"


def test_director_learns_its_names_from_variables_where_it_asks_for_that(
    shop: Architecture,
) -> None:
    """`lookup.method: env` holds for the director's own topics, too."""
    variables = deployment(hydrated(shop), "director").environment_vars
    assert variables == {
        "COMMANDS": "commands-sub",
        "COMPLETIONS_TOPIC_ID": "completions",
        "DATAFLOW_NAME": "conductor",
        "PROJECT_ID": "shop-project",
        "SERVICE_NAME": "director",
    }


def test_dataflow_with_the_directors_topics_is_the_directors_whatever_its_name(
    hydrated: Architecture,
) -> None:
    """A file that declares the topics gets no second dataflow."""
    flows = dict(hydrated.dataflows)
    flows["messages"] = flows.pop("servicedirector-infra")
    arch = hydrated.model_copy(update={"dataflows": flows})
    again = hydrate(arch, base_dir=BASE)
    assert again.director_dataflow == "messages"
    assert set(again.dataflows) == {"tracer-flow", "messages"}


def test_dataset_of_a_table_is_declared_once_beside_the_first_table(shop: Architecture) -> None:
    """Two dataflows that write to one dataset do not both create it."""
    flows = hydrated(shop).dataflows
    assert [d.name for d in flows["orders"].resources.bigquery_datasets] == ["sales"]
    assert flows["returns"].resources.bigquery_datasets == ()


def test_schedule_gets_an_account(shop: Architecture) -> None:
    """It needs an identity to call its service with."""
    (job,) = hydrated(shop).dataflows["orders"].resources.cloud_scheduler_jobs
    assert job.service_account == "nightly-sa"


def test_paths_become_absolute(shop: Architecture) -> None:
    """Relative ones start from the file's folder; a Windows path is absolute, too."""
    arch = hydrated(shop)
    assert deployment(arch, "director").source_path == "/plans/shop/src"
    assert deployment(arch, "billing").source_path == "/plans/shop"
    assert deployment(arch, "intake").source_path == "C:\\shop\\src"
    assert deployment(arch, "intake").config_templates == {
        "/plans/shop/templates/a.yaml": "a.yaml",
        "/etc/b.yaml": "b.yaml",
    }
    table = arch.dataflows["orders"].resources.bigquery_tables[0]
    assert table.schema_file == "/plans/shop/schemas/invoices.json"


def test_source_root_replaces_every_source_path(shop: Architecture) -> None:
    """A file whose paths are on somebody else's disk can be deployed."""
    arch = hydrate(shop, base_dir=BASE, project_id="shop-project", source_root=Path("/src"))
    for name in ("director", "intake", "billing"):
        assert deployment(arch, name).source_path == "/src"


def test_project_of_the_file_wins_over_the_callers(sample: Architecture) -> None:
    """`--project` is for files that name none."""
    own = sample.model_copy(update={"project_id": "own-project"})
    assert hydrate(own, base_dir=BASE, project_id="other-project").project_id == "own-project"
    assert hydrate(sample, base_dir=BASE, project_id="other-project").project_id == "other-project"


def test_architecture_without_any_project_is_refused(sample: Architecture) -> None:
    """The way out is named."""
    with pytest.raises(InvalidArchitecture, match=r"missing-project.*--project"):
        hydrate(sample, base_dir=BASE)


def test_environments_own_values_apply(sample: Architecture) -> None:
    """What an environment says overrides the root; another environment is untouched."""
    overrides = EnvironmentOverrides(
        project_id="prod-project", region="us-central1", labels={"tier": "prod"}
    )
    arch = sample.model_copy(
        update={"labels": {"team": "a"}, "deployment_environments": {"prod": overrides}}
    )
    prod = hydrate(arch, base_dir=BASE, project_id="local-proj", environment="prod")
    assert (prod.project_id, prod.region) == ("prod-project", "us-central1")
    assert prod.labels == {"team": "a", "tier": "prod"}
    assert deployment(prod, "tracer-publisher").region == "us-central1"
    other = hydrate(arch, base_dir=BASE, project_id="local-proj", environment="local")
    assert (other.project_id, other.labels) == ("local-proj", {"team": "a"})


def test_hydrating_twice_changes_nothing(shop: Architecture) -> None:
    """From whatever folder, with whatever project: everything is said already."""
    once = hydrated(shop)
    assert hydrate(once, base_dir=Path("/elsewhere"), project_id="other-project") == once


def test_argument_is_not_changed(shop: Architecture) -> None:
    """Hydration returns a new value; shared parts included, the old one stays as it was."""
    before = shop.model_dump_json()
    hydrated(shop)
    assert shop.model_dump_json() == before
    director = shop.director.completion_topic
    assert director == ServiceMapping.model_validate(
        {"name": "completions", "lookup": {"method": "env"}}
    )
