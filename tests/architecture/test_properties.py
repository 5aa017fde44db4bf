"""What holds for every architecture, and for every text that claims to be one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from architecture.checks import check
from architecture.explaining import Source, explain
from architecture.findings import InvalidArchitecture
from architecture.hydration import hydrate
from architecture.loading import loads
from architecture.model import Architecture
from architecture.rendering import to_yaml
from architecture.service_resources import ServiceResources

PATH = Path("services.yaml")
SAMPLE = (Path(__file__).parents[2] / "testdata" / "architectures" / "tracer.yaml").read_text()

PROPERTY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# What looks at one file from many sides needs fewer files.
THOROUGH = settings(PROPERTY, max_examples=30)

UNEXPLAINED = {"filled in", "injected"}

METHODS = st.sampled_from([None, {"method": "env"}, {"method": "db"}, {"key": "k"}])
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12)


def link(draw: st.DrawFn, services: list[str]) -> dict[str, object]:
    """Draw a link to one of the services."""
    lookup = draw(METHODS)
    return {"name": draw(st.sampled_from(services)), **({"lookup": lookup} if lookup else {})}


def links(draw: st.DrawFn, services: list[str]) -> list[dict[str, object]]:
    """Draw up to two links."""
    return [link(draw, services) for _ in range(draw(st.integers(0, 2)))]


def service(draw: st.DrawFn, name: str, earlier: list[str]) -> dict[str, object]:
    """Draw a service that may depend on those before it."""
    deployment = {
        "environment_vars": draw(st.dictionaries(st.sampled_from(["A", "B_1"]), TEXTS, max_size=2)),
        "secret_environment_vars": [
            {
                "name": f"SECRET_{n}",
                "value_from": f"secret-{draw(st.integers(0, 2))}",
                "version": "1",
            }
            for n in range(draw(st.integers(0, 2)))
        ],
        "source_path": draw(st.sampled_from(["", ".", "src/a", "/abs", "D:\\src"])),
    }
    owner = draw(st.sampled_from([name, "shared", "foreign"]))
    project = "other-project" if owner == "foreign" else "some-project"
    account = draw(st.sampled_from([f"{owner}-account", None])) if owner != "foreign" else None
    return {
        "service_account": account or f"{owner}-account@{project}.iam.gserviceaccount.com",
        "description": draw(TEXTS),
        "dependencies": draw(st.lists(st.sampled_from(earlier), max_size=2, unique=True)),
        **({"deployment": deployment} if draw(st.booleans()) else {}),
    }


def resources(draw: st.DrawFn, flow: int, services: list[str]) -> dict[str, object]:
    """Draw resources of every kind, linked to services of whatever dataflow."""

    def several(kind: str) -> list[str]:
        return [f"{kind}-{flow}-{n}" for n in range(draw(st.integers(0, 2)))]

    policies = draw(
        st.sampled_from([[], [{"name": services[0], "role": "roles/viewer"}]]),
    )
    # A schedule may call what is deployed before it; else dataflows would wait for each other.
    later = tuple(f"svc-{n}-" for n in range(flow + 1, 4))
    up_by_then = [name for name in services if not name.startswith(later)]
    topics = several("topic")
    topic_choice = st.sampled_from([*topics, "commands", "completions"])
    # A project has one default database.
    databases = [*several("database"), *(["(default)"] if flow == 0 else [])]
    return {
        "topics": [
            {"name": t, "producer_service": link(draw, services), "iam_access_policy": policies}
            for t in topics
        ],
        "subscriptions": [
            {"name": s, "topic": draw(topic_choice), "consumer_service": link(draw, services)}
            for s in several("sub")
        ],
        "bigquery_tables": [
            {
                "name": t,
                "dataset": draw(st.sampled_from(["sales", "weather"])),
                "producers": links(draw, services),
                "consumers": links(draw, services),
            }
            for t in several("table")
        ],
        "gcs_buckets": [
            {"name": b, "producers": links(draw, services), "iam_access_policy": policies}
            for b in several("bucket")
        ],
        "firestore_databases": [{"name": d} for d in databases],
        "firestore_collections": [
            {
                "name": c,
                "database": draw(st.sampled_from(databases)),
                "producers": links(draw, services),
                "consumers": links(draw, services),
            }
            for c in (several("collection") if databases else [])
        ],
        "cloud_scheduler_jobs": [
            {
                "name": j,
                "schedule": "0 3 * * *",
                "target_service": draw(st.sampled_from(up_by_then)),
            }
            for j in several("job")
        ],
    }


def environments(draw: st.DrawFn, flows: dict[str, Any]) -> dict[str, object]:
    """Draw what environments have otherwise, of services and resources that there are."""
    deployed = [
        name
        for flow in flows.values()
        for name, item in flow["services"].items()
        if "deployment" in item
    ]
    topics = [topic["name"] for flow in flows.values() for topic in flow["resources"]["topics"]]
    changes = {
        "cpu": st.sampled_from(["2", "500m"]),
        "max_instances": st.integers(1, 9),
        "environment_vars": st.dictionaries(st.sampled_from(["A", "C"]), TEXTS, max_size=2),
        "secret_environment_vars": st.just(
            [{"name": "SECRET_0", "value_from": "other-secret", "version": "2"}]
        ),
    }
    services = st.dictionaries(
        st.sampled_from(["director", *deployed]), st.fixed_dictionaries({}, optional=changes)
    )
    kept = st.fixed_dictionaries({"message_retention_duration": st.sampled_from(["10m", "7d"])})
    resources = st.dictionaries(st.sampled_from(topics), kept) if topics else st.just({})
    root = {
        "region": st.just("us-central1"),
        "teardown_protection": st.booleans(),
        "labels": st.dictionaries(st.sampled_from(["team", "stage"]), TEXTS),
    }
    return {
        name: {
            **draw(st.fixed_dictionaries({}, optional=root)),
            "services": draw(services),
            "resources": {"topics": draw(resources)},
        }
        for name in draw(st.sampled_from([[], ["prod"], ["prod", "dev"]]))
    }


@st.composite
def documents(draw: st.DrawFn) -> dict[str, object]:
    """Draw a right file, as plain values."""
    flows = draw(st.integers(1, 3))
    by_flow = [[f"svc-{f}-{n}" for n in range(draw(st.integers(0, 3)))] for f in range(flows)]
    everyone = ["director", *(name for flow in by_flow for name in flow)]
    dataflows = {
        f"flow-{f}": {
            "services": {
                name: service(draw, name, everyone[: everyone.index(name)]) for name in own
            },
            "resources": resources(draw, f, everyone),
        }
        for f, own in enumerate(by_flow)
    }
    return {
        "name": "generated",
        "project_id": "some-project",
        "region": "europe-west1",
        "labels": draw(st.dictionaries(st.sampled_from(["team", "tier"]), TEXTS, max_size=2)),
        "service_manager_spec": {
            "name": "director",
            "service_account": "director-sa",
            "deployment": {},
            "command_topic": {"name": "commands"},
            "completion_topic": {"name": "completions"},
        },
        "dataflows": dataflows,
        "deployment_environments": environments(draw, dataflows),
    }


def read(document: dict[str, object]) -> Architecture:
    """Return a drawn file as an architecture; it must have no error."""
    return loads(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), PATH).architecture


ARCHITECTURES = documents().map(read)
ENVIRONMENTS = st.sampled_from(["local", "prod", "dev"])


@PROPERTY
@given(ARCHITECTURES)
def test_rendering_and_loading_is_the_identity(arch: Architecture) -> None:
    """Nothing that the model holds is lost on the way to a file and back."""
    assert loads(to_yaml(arch), PATH).architecture == arch


@PROPERTY
@given(ARCHITECTURES, ENVIRONMENTS)
def test_hydration_is_idempotent_pure_and_right(arch: Architecture, env: str) -> None:
    """It changes neither its argument nor its own result, and breaks no rule."""
    before = arch.model_dump_json()
    once = hydrate(arch, base_dir=Path("/base"), environment=env)
    assert arch.model_dump_json() == before
    again = hydrate(once, base_dir=Path("/other"), project_id="another-project", environment=env)
    assert again == once
    assert {problem.rule for problem in check(once)} == {problem.rule for problem in check(arch)}
    assert loads(to_yaml(once), PATH).architecture == once
    assert once.director_dataflow is not None


@THOROUGH
@given(documents(), ENVIRONMENTS)
def test_every_value_has_an_explanation(document: dict[str, object], env: str) -> None:
    """No value is without its source; what is said to be in the file is there."""
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    arch = loads(text, PATH).architecture
    lines = text.splitlines()
    hydrated = hydrate(arch, base_dir=Path("/base"), environment=env)
    for item in explain(text, arch, hydrated, env):
        assert item.reason not in UNEXPLAINED
        if item.source in {Source.FILE, Source.OVERRIDE} and str(item.value).isalnum():
            assert str(item.value).lower() in lines[item.line - 1].lower()


@THOROUGH
@given(ARCHITECTURES, st.sampled_from(["a", "0f8", "run-1"]))
def test_a_suffix_is_added_once_and_changes_names_only(arch: Architecture, suffix: str) -> None:
    """Whenever it is added, it comes to the same; programs find the same variables."""
    plain = hydrate(arch, base_dir=Path("/base"))
    before = plain.model_dump_json()
    once = hydrate(plain, base_dir=Path("/base"), suffix=suffix)
    assert plain.model_dump_json() == before
    assert hydrate(arch, base_dir=Path("/base"), suffix=suffix) == once
    assert hydrate(once, base_dir=Path("/other"), suffix=suffix) == once
    assert hydrate(once, base_dir=Path("/other")) == once
    assert {problem.rule for problem in check(once)} == {problem.rule for problem in check(arch)}
    for ours, theirs in zip(once.all_services(), plain.all_services(), strict=True):
        assert ours.name == f"{theirs.name}-{suffix}"
        if ours.deployment and theirs.deployment:
            assert list(ours.deployment.environment_vars) == list(
                theirs.deployment.environment_vars
            )


@PROPERTY
@given(ARCHITECTURES)
def test_services_are_told_of_links_found_by_yaml_and_of_no_other(arch: Architecture) -> None:
    """resources.yaml and the expected names say the same (0.7, 1.7)."""
    hydrated = hydrate(arch, base_dir=Path("/base"))
    resources = ServiceResources(hydrated)
    for item in hydrated.all_services():
        content = resources.content(item.name)
        expected = resources.expectations(item.name)
        topics = content.get("topics", [])
        assert isinstance(topics, list)
        listed = sorted(topic["name"] for topic in topics if isinstance(topic, dict))
        assert ",".join(map(str, listed)) == expected.get("EXPECTED_TOPIC_NAME", "")


def loads_or_refuses(text: str) -> None:
    """Load a text; findings, each with a message, are the only way to fail."""
    try:
        found = loads(text, PATH).warnings
    except InvalidArchitecture as error:
        found = error.findings
    assert all(finding.message and finding.fix for finding in found)
    assert all(str(finding).isprintable() for finding in found)


@PROPERTY
@given(st.text(max_size=200))
def test_any_text_loads_or_is_refused(text: str) -> None:
    """No text makes the loader raise anything else."""
    loads_or_refuses(text)


CHANGES = ["lose", "double", "swap", "indent", "outdent", "insert", "value"]
YAML_LIKE = st.text(alphabet="ab:-[]{}&*!|>%@`'\"#,? \n\t~<=\\\0é\x85\u2028", max_size=80)


@PROPERTY
@given(YAML_LIKE)
def test_any_text_of_yamls_own_characters_loads_or_is_refused(text: str) -> None:
    """Neither does one made of indicators."""
    loads_or_refuses(text)


@PROPERTY
@given(st.data())
def test_any_change_of_the_sample_loads_or_is_refused(data: st.DataObject) -> None:
    """Lines lost, doubled, moved or indented, and characters put in, are findings at worst."""
    lines = SAMPLE.splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        other = data.draw(st.integers(0, len(lines) - 1))
        change = data.draw(st.sampled_from(CHANGES))
        match change:
            case "lose":
                del lines[at]
            case "double":
                lines.insert(other, lines[at])
            case "swap":
                lines[at], lines[other] = lines[other], lines[at]
            case "indent":
                lines[at] = "  " + lines[at]
            case "outdent":
                lines[at] = lines[at].removeprefix("  ")
            case "insert":
                column = data.draw(st.integers(0, len(lines[at])))
                lines[at] = lines[at][:column] + data.draw(YAML_LIKE) + lines[at][column:]
            case _:
                lines[at] = lines[at].split(":")[0] + ": " + data.draw(YAML_LIKE)
    loads_or_refuses("\n".join(lines))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


def places(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Return the paths to everything in a plain value."""
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


@PROPERTY
@given(documents(), VALUES, st.data())
def test_any_value_anywhere_loads_or_is_refused(
    document: dict[str, object], value: object, data: st.DataObject
) -> None:
    """A wrong shape in whatever place of a right file is a finding at worst."""
    path = data.draw(st.sampled_from(places(document)[1:]))
    container: object = document
    for step in path[:-1]:
        container = container[step]  # type: ignore[index]
    container[path[-1]] = value  # type: ignore[index]
    loads_or_refuses(yaml.safe_dump(document, allow_unicode=True))
