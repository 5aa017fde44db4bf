"""What the gcp provider decides without any cloud: checks, differences, previews."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from rehearsal.engine.provider import (
    UNKNOWN,
    CheckResult,
    DiffKind,
    DiffResult,
    Properties,
    ProviderError,
)
from rehearsal.providers.gcp.catalogue import RESOURCE_TYPES
from rehearsal.providers.gcp.provider import GcpProvider

TOPIC = "gcp:pubsub/topic:Topic"
SUBSCRIPTION = "gcp:pubsub/subscription:Subscription"
ACCOUNT = "gcp:serviceaccount/account:Account"
TOPIC_MEMBER = "gcp:pubsub/topicIAMMember:TopicIAMMember"
RUN_SERVICE = "gcp:cloudrunv2/service:Service"
MEMBER = "serviceAccount:publisher-sa@local-proj.iam.gserviceaccount.com"


def configured(**settings: str) -> GcpProvider:
    """Return a provider that never connects anywhere."""
    provider = GcpProvider()
    config: Properties = {"project": "local-proj", "region": "europe-west1", **settings}
    asyncio.run(provider.configure({k: v for k, v in config.items() if v}, {}))
    return provider


def check(type_: str, news: Properties, provider: GcpProvider | None = None) -> CheckResult:
    """Check inputs."""
    used = provider or configured()
    return asyncio.run(used.check(urn="", type_=type_, olds=None, news=news))


def diff(
    type_: str,
    outputs: Properties,
    news: Properties,
    *,
    id_: str = "x",
    ignore_changes: Sequence[str] = (),
) -> DiffResult:
    """Compare outputs with new inputs."""
    return asyncio.run(
        configured().diff(
            urn="",
            type_=type_,
            id=id_,
            old_outputs=outputs,
            old_inputs={},
            news=check(type_, news).inputs,
            ignore_changes=ignore_changes,
        )
    )


def planned(type_: str, news: Properties) -> Properties:
    """Foresee the outputs of a creation."""
    result = asyncio.run(
        configured().create(
            urn="", type_=type_, inputs=check(type_, news).inputs, timeout=0, preview=True
        )
    )
    assert result.id == ""
    return result.outputs


def topic_outputs(**changes: object) -> Properties:
    """Return the outputs of a topic as the official provider recorded them."""
    outputs: Properties = {
        "deletionPolicy": "DELETE",
        "effectiveLabels": {"v": "1"},
        "id": "projects/local-proj/topics/events-a",
        "ingestionDataSourceSettings": None,
        "kmsKeyName": "",
        "labels": {"v": "1"},
        "messageRetentionDuration": "",
        "messageStoragePolicy": None,
        "messageTransforms": [],
        "name": "events-a",
        "project": "local-proj",
        "pulumiLabels": {"v": "1"},
        "schemaSettings": None,
        "tags": None,
    }
    outputs.update(changes)  # type: ignore[arg-type]
    return outputs


@pytest.mark.parametrize(
    ("type_", "news", "property_", "text"),
    [
        (TOPIC, {}, "name", "'name' is required"),
        (TOPIC, {"name": "ab"}, "name", "3 to 255 characters"),
        (TOPIC, {"name": "google-topic"}, "name", "not with 'goog'"),
        (TOPIC, {"name": "orders", "lables": {}}, "lables", "not a property"),
        (TOPIC, {"name": "orders", "labels": {"V": "1"}}, "labels", "lowercase"),
        (TOPIC, {"name": "orders", "messageRetentionDuration": "1h"}, None, "duration"),
        (ACCOUNT, {"accountId": "short"}, "accountId", "6 to 30"),
        (ACCOUNT, {"accountId": "much-too-long-for-a-service-account"}, "accountId", "6 to 30"),
        (SUBSCRIPTION, {"name": "sub"}, "topic", "'topic' is required"),
        (SUBSCRIPTION, {"name": "sub", "topic": "t", "ackDeadlineSeconds": 5}, None, "10 to 600"),
        (
            SUBSCRIPTION,
            {
                "name": "sub",
                "topic": "t",
                "pushConfig": {"pushEndpoint": "http://127.0.0.1:9"},
                "bigqueryConfig": {"table": "p.d.t"},
            },
            "bigqueryConfig",
            "only one of",
        ),
        (
            TOPIC_MEMBER,
            {"topic": "t", "role": "pubsub.publisher", "member": MEMBER},
            "role",
            "a role looks like",
        ),
        (
            TOPIC_MEMBER,
            {"topic": "t", "role": "roles/pubsub.publisher", "member": "a@b.c"},
            "member",
            "a member looks like",
        ),
        (
            RUN_SERVICE,
            {"name": "api", "template": {"containers": [{"envs": [{"name": "PORT"}]}]}},
            "template.containers[0].envs[0].name",
            "Cloud Run sets itself",
        ),
        (
            "gcp:projects/iAMCustomRole:IAMCustomRole",
            {"roleId": "director", "title": "Director", "permissions": []},
            "permissions",
            "at least one permission",
        ),
        (
            "gcp:storage/bucket:Bucket",
            {"name": "Data", "location": "EU"},
            "name",
            "3 to 63 lowercase",
        ),
    ],
)
def test_google_limits_are_failures_of_the_property(
    type_: str, news: Properties, property_: str | None, text: str
) -> None:
    """What Google would refuse is refused before anything is created, at its property."""
    failures = check(type_, news).failures
    assert any(text in failure.reason for failure in failures), failures
    if property_ is not None:
        assert property_ in [failure.property for failure in failures]


def test_defaults_are_recorded_as_the_official_provider_does() -> None:
    """Filled-in inputs are listed under `__defaults`, on every object."""
    inputs = check(
        SUBSCRIPTION,
        {"ackDeadlineSeconds": 20, "name": "worker", "project": "local-proj", "topic": "events"},
    ).inputs
    assert inputs == {
        "__defaults": ["messageRetentionDuration"],
        "ackDeadlineSeconds": 20,
        "messageRetentionDuration": "604800s",
        "name": "worker",
        "project": "local-proj",
        "topic": "events",
    }
    service = check(
        RUN_SERVICE,
        {
            "name": "api",
            "location": "europe-west1",
            "deletionProtection": False,
            "template": {"containers": [{"image": "i", "envs": [{"name": "A", "value": "b"}]}]},
        },
    ).inputs
    assert service["template"] == {
        "__defaults": [],
        "containers": [
            {
                "__defaults": [],
                "image": "i",
                "envs": [{"__defaults": [], "name": "A", "value": "b"}],
            }
        ],
    }


def test_missing_project_is_a_failure_that_says_what_to_set() -> None:
    """Without a project anywhere, the check names both ways to give one."""
    failures = check(TOPIC, {"name": "orders"}, configured(project="")).failures
    assert [failure.property for failure in failures] == ["project"]
    assert "gcp:project" in failures[0].reason


@pytest.mark.parametrize("type_", sorted(RESOURCE_TYPES))
def test_unknown_inputs_are_tolerated_everywhere(type_: str) -> None:
    """In a preview every input may be unknown: check, diff and create go on."""
    fields = RESOURCE_TYPES[type_].fields
    news: Properties = {
        field.name: UNKNOWN for field in fields if not field.is_output and field.is_required
    }
    if type_ == "gcp:cloudscheduler/job:Job":
        news["pubsubTarget"] = UNKNOWN
    result = check(type_, news)
    assert result.failures == ()
    planned(type_, news)
    assert diff(type_, {}, news).changes


@pytest.mark.parametrize(
    "url",
    [
        "https://pubsub.googleapis.com/v1/",
        "http://10.0.0.1:80/pubsub/v1/",
        "http://localhost.example.com/pubsub/v1/",
        "http://127.0.0.1.example.com/pubsub/v1/",
        "http://127.0.0.1@example.com/pubsub/v1/",
        "http://127.0.0.1:80@example.com/pubsub/v1/",
        "http://127.0.0.1\\@example.com/pubsub/v1/",
        "http://[::2]/pubsub/v1/",
        "http://0.0.0.0:80/pubsub/v1/",
        "http://2130706433.example.com/pubsub/v1/",
        "http://127.0.0.1:port/pubsub/v1/",
        "ftp://127.0.0.1/pubsub/v1/",
        "127.0.0.1/pubsub/v1/",
        "http:///pubsub/v1/",
        "http://127.0.0.1:80/pubsub/v1",
    ],
)
def test_endpoint_elsewhere_is_refused(url: str) -> None:
    """The embedded engine talks to nothing but this machine (0.12)."""
    inputs: Properties = {"project": "p", "pubsubCustomEndpoint": url}
    provider = GcpProvider()
    result = asyncio.run(provider.check_config(inputs))
    assert [failure.property for failure in result.failures] == ["pubsubCustomEndpoint"]
    with pytest.raises(ProviderError, match="gcp:pubsubCustomEndpoint"):
        asyncio.run(provider.configure(inputs, {}))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/v1/",
        "http://127.9.9.9/v1/",
        "http://[::1]:1/v1/",
        "https://localhost/v1/",
    ],
)
def test_endpoint_on_this_machine_is_taken(url: str) -> None:
    """Loopback has more than one address."""
    result = asyncio.run(GcpProvider().check_config({"pubsubCustomEndpoint": url}))
    assert result.failures == ()


def test_type_or_function_that_is_not_there_is_declined_by_name() -> None:
    """What the provider does not cover it says, with what would."""
    with pytest.raises(ProviderError, match="does not have the resource type gcp:compute/x:X"):
        check("gcp:compute/x:X", {})
    with pytest.raises(ProviderError, match="no function gcp:x:y"):
        asyncio.run(configured().invoke("gcp:x:y", {}))


def test_recorded_official_state_needs_no_change() -> None:
    """A state that the official provider wrote is taken over without an update."""
    result = diff(TOPIC, topic_outputs(), {"name": "events-a", "labels": {"v": "1"}})
    assert result == DiffResult(changes=False)


def test_changed_label_shows_under_its_mirrors() -> None:
    """The detailed difference is that of the official provider's recording."""
    result = diff(TOPIC, topic_outputs(), {"name": "events-a", "labels": {"v": "2"}})
    assert result.diffs == ("effectiveLabels", "labels", "pulumiLabels")
    assert result.detailed == {
        "effectiveLabels.v": DiffKind.UPDATE,
        "labels.v": DiffKind.UPDATE,
        "pulumiLabels.v": DiffKind.UPDATE,
    }
    assert result.replaces == ()


def test_label_of_somebody_else_is_no_drift() -> None:
    """Only the labels that the program gives are its own."""
    outputs = topic_outputs(effectiveLabels={"v": "1", "cost-centre": "7"})
    assert not diff(TOPIC, outputs, {"name": "events-a", "labels": {"v": "1"}}).changes


def test_new_name_replaces_and_deletes_first() -> None:
    """The recorded replacement of a topic: one key, deleted before its successor is made."""
    result = diff(TOPIC, topic_outputs(), {"name": "events-b", "labels": {"v": "1"}})
    assert result.replaces == ("name",)
    assert result.detailed == {"name": DiffKind.UPDATE_REPLACE}
    assert result.delete_before_replace


def test_unknown_reference_replaces_what_cannot_change_in_place() -> None:
    """Dependents of a replaced topic are replaced because of their unknown topic."""
    outputs: Properties = {
        "topic": "projects/local-proj/topics/events-a",
        "role": "roles/pubsub.publisher",
        "member": MEMBER,
        "project": "local-proj",
        "condition": None,
        "etag": "x",
    }
    news: Properties = {"topic": UNKNOWN, "role": "roles/pubsub.publisher", "member": MEMBER}
    assert diff(TOPIC_MEMBER, outputs, news).replaces == ("topic",)


def test_short_and_full_names_of_a_topic_are_the_same() -> None:
    """A member may name its topic either way without a difference."""
    outputs: Properties = {
        "topic": "projects/local-proj/topics/events-a",
        "role": "roles/pubsub.publisher",
        "member": MEMBER,
        "project": "local-proj",
    }
    news: Properties = {
        "topic": "events-a",
        "role": "roles/pubsub.publisher",
        "member": MEMBER,
    }
    assert not diff(TOPIC_MEMBER, outputs, news).changes


def test_ignored_changes_do_not_count() -> None:
    """A path under an ignored one is left out."""
    news: Properties = {"name": "events-a", "labels": {"v": "2"}, "kmsKeyName": "key"}
    result = diff(
        TOPIC,
        topic_outputs(),
        news,
        ignore_changes=["labels", "effectiveLabels", "pulumiLabels"],
    )
    assert result.diffs == ("kmsKeyName",)


def test_server_choices_are_no_difference_and_cpu_spellings_are_equal() -> None:
    """Fields that Cloud Run fills in do not count, and one CPU is 1000m."""
    outputs: Properties = {
        "name": "api",
        "location": "europe-west1",
        "project": "local-proj",
        "deletionProtection": False,
        "deletionPolicy": "DELETE",
        "ingress": "INGRESS_TRAFFIC_ALL",
        "launchStage": "GA",
        "template": {
            "timeout": "300s",
            "maxInstanceRequestConcurrency": 80,
            "scaling": {"minInstanceCount": 0, "maxInstanceCount": 100},
            "containers": [
                {
                    "image": "i@sha256:1",
                    "envs": [{"name": "A", "value": "b", "valueSource": None}],
                    "ports": {"containerPort": 8080, "name": "http1"},
                    "resources": {
                        "cpuIdle": True,
                        "limits": {"cpu": "1000m", "memory": "512Mi"},
                        "startupCpuBoost": True,
                    },
                    "startupProbe": {"timeoutSeconds": 240},
                }
            ],
        },
    }
    container: Properties = {
        "image": "i@sha256:1",
        "envs": [{"name": "A", "value": "b"}],
        "resources": {"limits": {"cpu": "1", "memory": "512Mi"}},
    }
    news: Properties = {
        "name": "api",
        "location": "europe-west1",
        "deletionProtection": False,
        "template": {"containers": [container]},
    }
    assert not diff(RUN_SERVICE, outputs, news).changes
    container["image"] = UNKNOWN
    container["envs"] = [{"name": "A", "value": "c"}, {"name": "B", "value": "d"}]
    assert diff(RUN_SERVICE, outputs, news).detailed == {
        "template.containers[0].envs[0].value": DiffKind.UPDATE,
        "template.containers[0].envs[1]": DiffKind.ADD,
        "template.containers[0].image": DiffKind.UPDATE,
    }


def test_drift_outside_the_program_is_a_difference() -> None:
    """A value that somebody set where the program has none must go."""
    outputs = topic_outputs(messageRetentionDuration="86400s")
    result = diff(TOPIC, outputs, {"name": "events-a", "labels": {"v": "1"}})
    assert result.detailed == {"messageRetentionDuration": DiffKind.DELETE}


def test_preview_computes_what_follows_from_the_inputs() -> None:
    """Ids, e-mail addresses and members are known before anything exists."""
    outputs = planned(ACCOUNT, {"accountId": "publisher-sa"})
    email = "publisher-sa@local-proj.iam.gserviceaccount.com"
    assert outputs["email"] == email
    assert outputs["member"] == f"serviceAccount:{email}"
    assert outputs["id"] == outputs["name"] == f"projects/local-proj/serviceAccounts/{email}"
    assert outputs["uniqueId"] is UNKNOWN
    assert outputs["disabled"] is False
    topic = planned(TOPIC, {"name": "events-a", "labels": {"v": "1"}})
    assert topic["id"] == "projects/local-proj/topics/events-a"
    assert topic["messageStoragePolicy"] is UNKNOWN
    assert topic.keys() == topic_outputs().keys()
    member = planned(
        TOPIC_MEMBER, {"topic": "events-a", "role": "roles/pubsub.publisher", "member": MEMBER}
    )
    assert member["id"] == (f"projects/local-proj/topics/events-a/roles/pubsub.publisher/{MEMBER}")
    assert member["etag"] is UNKNOWN


def test_preview_of_an_update_keeps_what_stays_and_forgets_what_changes() -> None:
    """The URL of a service survives its update, its revision does not."""
    service = RESOURCE_TYPES[RUN_SERVICE]
    old: Properties = {
        "name": "api",
        "location": "europe-west1",
        "project": "local-proj",
        "uri": "http://127.0.0.1:9",
        "latestReadyRevision": "api-1",
        "labels": None,
        "effectiveLabels": {},
        "template": {"serviceAccount": "a@b.c", "containers": []},
    }
    values: Properties = {
        "name": "api",
        "location": "europe-west1",
        "project": "local-proj",
        "template": {"containers": [{"image": "i"}]},
    }
    outputs = service.plan(values, old)
    assert outputs["uri"] == "http://127.0.0.1:9"
    assert outputs["latestReadyRevision"] is UNKNOWN
    template = outputs["template"]
    assert isinstance(template, dict)
    assert template["serviceAccount"] == "a@b.c"
