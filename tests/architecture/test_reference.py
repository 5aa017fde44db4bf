"""The reference page and the editors' schema are those of the models, and tell the truth."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from architecture.descriptions import UndescribedFieldError, describe
from architecture.editor_schema import editor_schema, models, schema_text
from architecture.findings import InvalidArchitecture
from architecture.grants import plan_grants
from architecture.hydration import hydrate
from architecture.loading import loads
from architecture.model import Architecture, Model
from architecture.reference import FOLDER, PAGE_NAME, SCHEMA_NAME, reference_page, write
from architecture.rendering import to_yaml
from architecture.service_resources import ServiceResources

ROOT = Path(__file__).parents[2]
REGENERATE = "run `python -m architecture.reference`"
EXAMPLES = sorted((ROOT / "testdata" / "architectures").glob("*.yaml"))
EVERYTHING = """\
name: shop
project_id: shop-project
region: europe-west1
labels: {tier: 1, live: true}
service_manager_spec:
  name: director
  service_account: director-sa
  deployment: {cpu: 1, memory: 512Mi, environment_vars: {RETRIES: 3}}
  command_topic: commands
  completion_topic: {name: completions, lookup: {method: env}}
dataflows:
  orders:
    lifecycle:
    services:
      intake:
        service_account: intake-sa@other-project.iam.gserviceaccount.com
        dependencies:
        deployment:
          secret_environment_vars: [{name: TOKEN, value_from: token, version: 3}]
        metadata: {settings: {batch_size: BATCH}, anything: [1, {else: null}]}
        health_check: {path: /health/ready, port: 8080}
    resources:
      topics:
        - {name: orders, producer_service: intake, message_retention_duration: 86400000000000}
        - {name: dead-orders, iam_access_policy: [{name: intake, role: roles/pubsub.viewer}]}
      subscriptions:
        - name: orders-sub
          topic: orders
          consumer_service: {name: intake, lookup: {method: env}}
          ack_deadline_seconds: 30
          message_retention_duration: 7d
          retry_policy: {minimum_backoff: 1s, maximum_backoff: 1m30s}
          dead_letter_policy: {topic: dead-orders, max_delivery_attempts: 5}
      bigquery_tables:
        - name: invoices
          dataset: sales
          time_partitioning_type: DAY
          clustering_fields: [customer]
          producers: [{name: intake, lookup: {method: env}}]
          consumers: [{name: intake, lookup: {method: env}}]
      gcs_buckets:
        - name: shop-receipts
          producers: [{name: intake, lookup: {method: env}}]
          consumers: [{name: intake, lookup: {method: env}}]
          lifecycle_rules: [{action: {type: Delete}, condition: {age_in_days: 30}}]
      firestore_databases:
        - name: (default)
          type: NATIVE
          producers: [{name: intake, lookup: {method: env}}]
          consumers: [{name: intake, lookup: {method: env}}]
      firestore_collections:
        - name: carts
          database: (default)
          producers: [{name: intake, lookup: {method: env}}]
          consumers: [{name: intake, lookup: {method: env}}]
      cloud_scheduler_jobs: [{name: nightly, schedule: 0 3 * * *, target_service: intake}]
deployment_environments:
  dev:
    region: us-central1
    teardown_protection: true
    services:
      intake: {cpu: 2, environment_vars: {LEVEL: debug}}
    resources:
      topics: {orders: {message_retention_duration: 1d}}
      bigquery_tables: {sales.invoices: {expiration: 30d}}
      cloud_scheduler_jobs: {nightly: {schedule: 0 4 * * *}}
"""
VALIDATOR = jsonschema.Draft7Validator(editor_schema())


def validated(text: str) -> list[str]:
    """Return what the schema has against a file."""
    return [error.message for error in VALIDATOR.iter_errors(yaml.safe_load(text))]


def page() -> str:
    """Return the page as it is in the repository."""
    return (ROOT / FOLDER / PAGE_NAME).read_text(encoding="utf-8")


def test_page_is_the_models() -> None:
    """Whoever changes a key changes the page."""
    assert page() == reference_page(), REGENERATE


def test_schema_is_the_models() -> None:
    """Whoever changes a key changes what editors know of it."""
    committed = (ROOT / FOLDER / SCHEMA_NAME).read_text(encoding="utf-8")
    assert committed == schema_text(), REGENERATE


def test_one_call_writes_both(tmp_path: Path) -> None:
    """Into the folder that is named, which is made."""
    paths = write(tmp_path / "docs")
    assert [path.name for path in paths] == [PAGE_NAME, SCHEMA_NAME]
    assert [path.read_text(encoding="utf-8") for path in paths] == [reference_page(), schema_text()]


@pytest.mark.parametrize("model", list(models(Architecture)), ids=lambda model: model.__name__)
def test_every_key_says_what_it_means(model: type[Model]) -> None:
    """In the page as in the schema; the page names the key, unless it is another model's."""
    for field in model.model_fields:
        described = describe(model, field)
        assert described.meaning.endswith("."), f"{model.__name__}.{field}"
        assert described.meaning in page() or not described.is_allowed


def test_key_without_a_text_is_found() -> None:
    """A new key cannot be forgotten."""

    class Undescribed(Model):
        """A model whose field has no text."""

        field: str = ""

    with pytest.raises(UndescribedFieldError, match=r"Undescribed\.field"):
        describe(Undescribed, "field")


def test_schema_is_a_schema() -> None:
    """Editors refuse one that is not; every object in it is closed, titled and described."""
    schema: Any = editor_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    for definition in [schema, *schema["definitions"].values()]:
        assert definition["additionalProperties"] is False
        assert definition["title"]
        assert definition["description"]
        assert all(prop["description"] for prop in definition["properties"].values())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_schema_accepts_the_examples(path: Path) -> None:
    """Those that are deployed in the tests."""
    assert validated(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("file", ["tracer-hydrated", "bigquery-hydrated", "bigquery"])
def test_schema_accepts_real_files(real: Path, file: str) -> None:
    """Those that nobody here wrote."""
    assert validated((real / f"{file}.services.yaml").read_text(encoding="utf-8")) == []


def test_schema_accepts_older_forms_numbers_and_empty_keys_as_the_loader_does() -> None:
    """An editor that marks what works is turned off."""
    arch = loads(EVERYTHING, Path("services.yaml")).architecture
    assert validated(EVERYTHING) == []
    hydrated = hydrate(arch, base_dir=Path("/shop"))
    assert validated(to_yaml(hydrated)) == []


def objects(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the ways to all mappings in a document."""
    if isinstance(value, dict):
        inner = [place for key, item in value.items() for place in objects(item, (*path, key))]
        return [path, *inner]
    if isinstance(value, list):
        return [place for n, item in enumerate(value) for place in objects(item, (*path, n))]
    return []


NAMES = {"labels", "environment_vars", "metadata", "dataflows", "deployment_environments"}


def has_fixed_keys(place: tuple[str | int, ...]) -> bool:
    """Say whether a mapping's keys are the format's, and not names that the file gives."""
    in_environment = place[:1] == ("deployment_environments",)
    names_resources = in_environment and place[2:3] == ("resources",) and len(place) == 4
    is_free = {"metadata"} & set(place) or set(place[-1:]) & {*NAMES, "services"}
    return not is_free and not names_resources


PLACES = [place for place in objects(yaml.safe_load(EVERYTHING)) if has_fixed_keys(place)]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)) or "root")
def test_schema_refuses_an_unknown_key_wherever_it_is(place: tuple[str | int, ...]) -> None:
    """As the loader does; names are free where the file gives names."""
    document: Any = yaml.safe_load(EVERYTHING)
    target = document
    for step in place:
        target = target[step]
    target["no-such-key"] = "x"
    assert list(VALIDATOR.iter_errors(document))
    with pytest.raises(InvalidArchitecture, match="unknown-key"):
        loads(yaml.safe_dump(document), Path("services.yaml"))


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        ("region: europe-west1", "region: Europe"),
        ("cpu: 1,", "cpu: much,"),
        ("method: env}", "method: guess}"),
        ("ack_deadline_seconds: 30", "ack_deadline_seconds: 5"),
        ("message_retention_duration: 7d", "message_retention_duration: a week"),
        ("role: roles/pubsub.viewer", "role: viewer"),
        ("name: shop-receipts", "name: Receipts"),
        ("clustering_fields: [customer]", "clustering_fields: customer"),
        ("port: 8080", "port: 99999"),
        ("service_account: director-sa", "description: nobody"),
    ],
)
def test_schema_refuses_wrong_values(written: str, wrong: str) -> None:
    """Patterns, ranges, choices, shapes and missing keys."""
    assert EVERYTHING.count(written) >= 1
    assert validated(EVERYTHING.replace(written, wrong, 1))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=4,
)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_what_the_loader_accepts_the_schema_accepts(data: st.DataObject) -> None:
    """A change that is no error to us is none to an editor."""
    document: Any = yaml.safe_load(EVERYTHING)
    place = data.draw(st.sampled_from(objects(document)))
    target = document
    for step in place:
        target = target[step]
    key = data.draw(st.sampled_from(sorted(target)))
    # Whether an empty text will do behind a required key is for the checks to say.
    target[key] = data.draw(VALUES.filter(bool))
    text = yaml.safe_dump(document, allow_unicode=True)
    try:
        loads(text, Path("services.yaml"))
    except InvalidArchitecture:
        return
    assert validated(text) == []


def test_page_names_everything_that_services_are_told() -> None:
    """Variables, endings and expected names are those that hydration gives."""
    arch = hydrate(loads(EVERYTHING, Path("x.yaml")).architecture, base_dir=Path("/shop"))
    intake = arch.service("intake")
    assert intake.deployment is not None
    text = page()
    endings = {f"_{e}" for e in ("TOPIC_ID", "SUB_ID")} | {
        f"_{verb}_{thing}"
        for verb in ("READ", "WRITE")
        for thing in ("TABLE", "BUCKET", "COLLECTION", "DATABASE")
    }
    assert all(f"`{ending}`" in text for ending in endings)
    for variable in intake.deployment.environment_vars:
        known = {ending for ending in endings if variable.endswith(ending)}
        assert known or f"`{variable}`" in text, variable
    told = ServiceResources(arch)
    for service in arch.all_services():
        assert all(f"`{name}`" in text for name in told.expectations(service.name))


def test_page_names_every_role_that_is_inferred() -> None:
    """What is granted is explained."""
    arch = hydrate(loads(EVERYTHING, Path("x.yaml")).architecture, base_dir=Path("/shop"))
    roles = {grant.role for grant in plan_grants(arch, deployer="user:ada@example.com").all}
    for role in roles:
        assert f"`{role.removeprefix('roles/')}`" in page() or role.startswith("projects/")


def test_examples_of_the_page_load() -> None:
    """The smallest file is a right file, without a warning; the schema's line is a comment."""
    smallest, commented = re.findall(r"```yaml\n(.*?)```", page(), re.DOTALL)
    loaded = loads(smallest, Path("services.yaml"))
    assert loaded.warnings == ()
    assert validated(smallest) == []
    assert f"# yaml-language-server: $schema={FOLDER}/{SCHEMA_NAME}\n" in commented
