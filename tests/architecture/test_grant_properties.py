"""No grant without something in the file that asks for it, and nothing asked for without its grant.

What is asked for is read off the file's own text here, apart from the planner and the model.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from architecture.grants import Grant, plan_grants
from architecture.grants.agents import PUBSUB_AGENT
from architecture.hydration import hydrate
from architecture.loading import loads
from architecture.model import Architecture

PROJECT = "some-project"
DEPLOYER = "user:developer@local.test"
PROPERTY = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])

LINK_ROLES = {
    ("topics", "producer_service"): ["pubsub.publisher", "pubsub.viewer"],
    ("subscriptions", "consumer_service"): ["pubsub.subscriber", "pubsub.viewer"],
    ("bigquery_tables", "producers"): ["bigquery.dataEditor"],
    ("bigquery_tables", "consumers"): ["bigquery.dataViewer"],
    ("gcs_buckets", "producers"): ["storage.objectAdmin"],
    ("gcs_buckets", "consumers"): ["storage.objectViewer"],
    ("firestore_databases", "producers"): ["datastore.user"],
    ("firestore_databases", "consumers"): ["datastore.viewer"],
    ("firestore_collections", "producers"): ["datastore.user"],
    ("firestore_collections", "consumers"): ["datastore.viewer"],
}
ON_PROJECT = {"firestore_databases", "firestore_collections"}
Document = dict[str, Any]
Wanted = tuple[str, str, str]
"""Account, role, and the name of what the role is on."""


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Draw a right file with resources of every kind, linked across dataflows."""
    flows = [f"flow-{n}" for n in range(draw(st.integers(1, 3)))]
    services = {f"{flow}-s{n}": flow for flow in flows for n in range(draw(st.integers(1, 3)))}
    everyone = ["director", *services]
    return {
        "name": "drawn",
        "project_id": PROJECT,
        "region": "europe-west1",
        "service_manager_spec": {
            "name": "director",
            "service_account": "director-sa",
            "deployment": {},
            "command_topic": {"name": "commands"},
            "completion_topic": {"name": "completions"},
        },
        "dataflows": {
            flow: {
                "services": {
                    name: service(draw, everyone[: everyone.index(name)])
                    for name, own in services.items()
                    if own == flow
                },
                "resources": resources(draw, flow, everyone, [s for s in services if s <= flow]),
            }
            for flow in flows
        },
    }


def service(draw: st.DrawFn, earlier: list[str]) -> Document:
    """Draw a service that may depend on those before it."""
    secrets = draw(st.lists(st.sampled_from(["token", "key"]), max_size=2))
    drawn: Document = {
        "service_account": draw(st.sampled_from(["shared-sa", "other-sa", "third-sa"])),
        "dependencies": draw(st.lists(st.sampled_from(earlier), max_size=2, unique=True)),
    }
    if draw(st.booleans()):
        drawn["deployment"] = {
            "secret_environment_vars": [
                {"name": f"V{n}", "value_from": secret, "version": 1}
                for n, secret in enumerate(secrets)
            ]
        }
    return drawn


def resources(draw: st.DrawFn, flow: str, everyone: list[str], callable_: list[str]) -> Document:
    """Draw up to two resources of each kind."""
    names = {
        kind: [f"{flow}-{kind[:4]}{n}" for n in range(draw(st.integers(0, 2)))]
        for kind in {kind for kind, _ in LINK_ROLES} | {"bigquery_datasets"}
    }
    database = f"{flow}-database"
    dead = draw(st.sampled_from(["", *names["topics"]]))
    required = {
        "subscriptions": {
            "topic": draw(st.sampled_from([*names["topics"], "completions"])),
            "dead_letter_policy": {"topic": dead} if dead else None,
        },
        "bigquery_tables": {"dataset": draw(st.sampled_from(["sales", "weather"]))},
        "firestore_collections": {"database": database},
    }
    names["firestore_databases"] = [database]
    drawn: Document = {kind: [] for kind in names}
    for kind, of_kind in names.items():
        for name in of_kind:
            item: Document = {
                "name": name.replace("-", "_") if kind.startswith("bigquery") else name,
                **required.get(kind, {}),
                "iam_access_policy": draw(policies(everyone)),
            }
            for of, key in LINK_ROLES:
                if of == kind:
                    linked = draw(st.lists(st.sampled_from(everyone), max_size=2))
                    links = [{"name": who} for who in linked]
                    single = links[0] if links else None
                    item[key] = single if key.endswith("_service") else links
            drawn[kind].append({key: value for key, value in item.items() if value})
    calls = st.lists(st.sampled_from(callable_), max_size=2) if callable_ else st.just([])
    drawn["cloud_scheduler_jobs"] = [
        {"name": f"{flow}-job{n}", "schedule": "0 3 * * *", "target_service": target}
        for n, target in enumerate(draw(calls))
    ]
    return drawn


def policies(everyone: list[str]) -> st.SearchStrategy[list[Document]]:
    """Draw explicit policies for services and for accounts, of this project and another."""
    foreign = "auditor@other-project.iam.gserviceaccount.com"
    roles = st.sampled_from(["roles/viewer", "roles/pubsub.viewer"])
    to_service = st.fixed_dictionaries({"name": st.sampled_from(everyone), "role": roles})
    to_account = st.fixed_dictionaries(
        {
            "name": st.sampled_from([foreign, "backup-sa", "shared-sa"]),
            "role": roles,
            "type": st.just("service-account"),
        }
    )
    return st.lists(st.one_of(to_service, to_account), max_size=2)


def asked_for(document: Document) -> set[Wanted]:
    """Return everything that a file asks a grant for."""
    flows = document["dataflows"].values()
    services = {name: item for flow in flows for name, item in flow["services"].items()}
    services["director"] = document["service_manager_spec"]
    account = {name: item["service_account"] for name, item in services.items()}
    wanted: set[Wanted] = set()
    for name, item in services.items():
        wanted |= {(account[name], "run.invoker", t) for t in item.get("dependencies", ())}
        for secret in item.get("deployment", {}).get("secret_environment_vars", ()):
            wanted.add((account[name], "secretmanager.secretAccessor", secret["value_from"]))
    for flow in flows:
        for kind, of_kind in flow["resources"].items():
            for item in of_kind:
                wanted |= set(asked_for_on(kind, item, account))
    undeployed = {name for name, item in services.items() if "deployment" not in item}
    return {w for w in wanted if w[1] != "run.invoker" or w[2] not in undeployed}


def asked_for_on(kind: str, item: Document, account: dict[str, str]) -> Iterator[Wanted]:
    """Yield what one resource's links and policies ask for, and what a schedule does."""
    if kind == "cloud_scheduler_jobs":
        yield f"{item['name']}-sa", "run.invoker", item["target_service"]
        return
    name = f"{item['dataset']}.{item['name']}" if kind == "bigquery_tables" else item["name"]
    on = PROJECT if kind in ON_PROJECT else name
    for policy in item.get("iam_access_policy", ()):
        who = policy["name"] if "type" in policy else account[policy["name"]]
        yield who, policy["role"].removeprefix("roles/"), on
    for (of, key), roles in LINK_ROLES.items():
        linked = item.get(key, []) if of == kind else []
        for mapping in linked if isinstance(linked, list) else [linked]:
            who = account[mapping["name"]]
            yield from ((who, role, on) for role in roles)
            if kind == "subscriptions":
                yield who, "pubsub.viewer", item["topic"]


def read(document: Document) -> Architecture:
    """Return a drawn file as a hydrated architecture; it must have no error."""
    arch = loads(yaml.safe_dump(document, sort_keys=False), Path("services.yaml")).architecture
    return hydrate(arch, base_dir=Path("/base"))


def granted(grant: Grant) -> Wanted:
    """Return a grant in the file's terms."""
    who = grant.member.removeprefix("serviceAccount:")
    account = who.removesuffix(f"@{PROJECT}.iam.gserviceaccount.com")
    return account, grant.role.removeprefix("roles/"), grant.resource.name


@PROPERTY
@given(documents())
def test_grants_are_exactly_what_the_file_asks_for(document: Document) -> None:
    """Every grant has a link, dependency, secret, schedule or policy, and every one its grant."""
    plan = plan_grants(read(document), deployer=DEPLOYER)
    assert {granted(grant) for grant in plan.application} == asked_for(document)
    assert all(grant.reason for grant in plan.all)
    keys = [grant.key for grant in plan.all]
    assert len(keys) == len(set(keys))


@PROPERTY
@given(documents())
def test_harness_grants_only_the_director_and_the_deployer(document: Document) -> None:
    """The director gets its roles and its own topics, the deployer the accounts, nobody more."""
    plan = plan_grants(read(document), deployer=DEPLOYER)
    asked = {wanted[1:] for wanted in asked_for(document) if wanted[0] == "director-sa"}
    director = {granted(g)[1:] for g in plan.harness if granted(g)[0] == "director-sa"}
    assert not director & asked
    custom = f"projects/{PROJECT}/roles/drawn_director"
    secrets = {
        (f"{custom}_secrets", variable["value_from"])
        for flow in document["dataflows"].values()
        for item in flow["services"].values()
        for variable in item.get("deployment", {}).get("secret_environment_vars", ())
    }
    own = {
        (custom, PROJECT),
        ("pubsub.publisher", "completions"),
        ("pubsub.subscriber", "commands-sub"),
    }
    kinds = {
        kind
        for flow in document["dataflows"].values()
        for kind, found in flow["resources"].items()
        if found
    }
    # Its role on the project lets it look at all topics where there are any.
    if "topics" not in kinds:
        own |= {("pubsub.viewer", "completions"), ("pubsub.viewer", "commands")}
    if "subscriptions" not in kinds:
        own |= {("pubsub.viewer", "commands-sub")}
    assert director - secrets == own - asked
    assert secrets <= director
    others = [g for g in plan.harness if granted(g)[0] != "director-sa"]
    assert {g.member for g in others} == {DEPLOYER}
    assert {g.resource.kind.value for g in others} == {"service-account"}
    assert not {g for g in plan_grants(read(document)).harness if g.member == DEPLOYER}


@PROPERTY
@given(documents(), st.randoms(use_true_random=False))
def test_grants_do_not_depend_on_the_order_of_the_file(document: Document, random: Any) -> None:
    """The plan is a function of what the file means (0.16)."""
    plan = plan_grants(read(document), deployer=DEPLOYER)
    flows = list(document["dataflows"].items())
    random.shuffle(flows)
    for _, flow in flows:
        for of_kind in flow["resources"].values():
            random.shuffle(of_kind)
    turned = plan_grants(read({**document, "dataflows": dict(flows)}), deployer=DEPLOYER)
    assert turned == plan


@PROPERTY
@given(documents())
def test_googles_agents_get_what_dead_letters_need_and_no_more(document: Document) -> None:
    """To publish to the dead letters' topic, and to acknowledge what was forwarded."""
    plan = plan_grants(read(document))
    wanted = {
        needed
        for flow in document["dataflows"].values()
        for subscription in flow["resources"]["subscriptions"]
        if (dead := subscription.get("dead_letter_policy"))
        for needed in (
            ("pubsub.publisher", dead["topic"]),
            ("pubsub.subscriber", subscription["name"]),
        )
    }
    assert {granted(grant)[1:] for grant in plan.agents} == wanted
    assert {grant.member for grant in plan.agents} <= {PUBSUB_AGENT}
    assert not set(plan.agents) & set(plan.all)
