"""What each layer declares."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pulumi
import pytest

if TYPE_CHECKING:
    from tests.components.conftest import Recording
    from tests.stacks.conftest import Layers

IMAGES = "organization/conductor/test.images"
DIRECTOR = "organization/conductor/test.director"
UPSTREAM = {
    IMAGES: {"images": {"front": "r/p/i/front@sha256:1", "back": "r/p/i/back@sha256:2"}},
    DIRECTOR: {"directorUrl": "https://director.test"},
}
STACKS = ["test.foundation", "test.images", "test.director", "test.dataflow.orders"]


def grants_of(recording: Recording) -> set[tuple[str, str, str]]:
    """Return who has which role on what, as the stack puts it out."""
    return {
        (
            grant["member"].split(":")[1].split("@")[0],
            grant["role"].rsplit("/", 1)[-1],
            grant["resource"].split("@")[0],
        )
        for grant in recording.outputs["grants"]
    }


def environment_of(recording: Recording, service: str) -> dict[str, Any]:
    """Return the environment that a service was declared with."""
    declared = recording.one("gcp:cloudrunv2/service:Service", service)
    (container,) = declared.inputs["template"]["containers"]
    return {variable["name"]: variable.get("value") for variable in container["envs"]}


def test_foundation_declares_accounts_repository_role_and_project_grants(layers: Layers) -> None:
    """Every account once, however many services share it (0.3, 0.4, 0.5)."""
    recording = layers.declare("test.foundation")
    accounts = {
        f"{name}": f"{name}@shop-project.iam.gserviceaccount.com"
        for name in ("back-sa", "director-sa", "front-sa")
    }
    assert recording.outputs["accounts"] == accounts
    assert recording.outputs["repositories"] == {
        "cloud-deploy": "projects/shop-project/locations/europe-west1/repositories/cloud-deploy"
    }
    assert recording.outputs["directorRoles"] == [
        "projects/shop-project/roles/shop_director",
        "projects/shop-project/roles/shop_director_secrets",
    ]
    assert ("director-sa", "shop_director", "shop-project") in grants_of(recording)
    assert ("director-sa", "shop_director_secrets", "front-password") in grants_of(recording)
    for account in accounts:
        assert ("developer", "iam.serviceAccountTokenCreator", account) in grants_of(recording)
        assert ("developer", "iam.serviceAccountUser", account) in grants_of(recording)
    enabled = {api.inputs["service"] for api in recording.of("gcp:projects/service:Service")}
    assert {"pubsub.googleapis.com", "secretmanager.googleapis.com"} <= enabled


def test_foundation_grants_come_after_the_accounts_and_the_role(layers: Layers) -> None:
    """A policy takes neither a member nor a role that does not exist yet."""
    recording = layers.declare("test.foundation")
    (grant,) = (
        resource
        for resource in recording.of("gcp:projects/iAMMember:IAMMember")
        if resource.inputs["role"] == "projects/shop-project/roles/shop_director"
    )
    component = next(r for r in recording.of("conductor:access:Grant") if r.urn == grant.parent)
    role = recording.one("conductor:access:DirectorRole", "shop_director")
    account = recording.one("conductor:access:ServiceAccount", "director-sa")
    before = {dependency for r in (grant, component) for dependency in r.dependencies}
    assert any("DirectorRole" in urn for urn in before), (role, before)
    assert any("director-sa" in urn for urn in before), (account, before)


def test_images_are_built_for_deployed_services_and_put_out_by_digest(layers: Layers) -> None:
    """The director's image is in its own stack; a service without a deployment has none (2.1)."""
    recording = layers.declare("test.images")
    assert set(recording.outputs["images"]) == {"front", "back"}
    front = recording.one("docker:index/image:Image", "front")
    assert front.inputs["imageName"] == "127.0.0.1:5000/shop-project/cloud-deploy/front"
    assert front.inputs["build"]["context"].endswith("/contexts/front")
    assert recording.outputs["images"]["front"].startswith(
        "127.0.0.1:5000/shop-project/cloud-deploy/front@sha256:"
    )


def test_the_director_is_one_instance_with_its_own_topics(layers: Layers) -> None:
    """Its environment is the deployment's and the conductor's, its image by digest (0.9)."""
    recording = layers.declare("test.director")
    assert recording.outputs["directorUrl"] == "https://director.test"
    assert set(recording.outputs["topics"]) == {"commands", "completions"}
    assert set(recording.outputs["subscriptions"]) == {"commands-sub"}
    service = recording.one("gcp:cloudrunv2/service:Service")
    template = service.inputs["template"]
    assert template["scaling"] == {"minInstanceCount": 1, "maxInstanceCount": 1}
    assert template["containers"][0]["image"] == recording.outputs["image"]
    assert template["serviceAccount"] == "director-sa@shop-project.iam.gserviceaccount.com"
    environment = environment_of(recording, "director")
    assert environment["LEDGER"] == "here"
    assert environment["SERVICE_NAME"] == "director"
    assert ("director-sa", "pubsub.subscriber", "commands-sub") in grants_of(recording)
    assert ("director-sa", "pubsub.publisher", "completions") in grants_of(recording)


def test_the_directors_grants_come_before_its_service(layers: Layers) -> None:
    """It is healthy only while it pulls commands, and for that it needs its grants."""
    recording = layers.declare("test.director")
    service = recording.one("conductor:service:CloudRunService")
    child = recording.one("gcp:cloudrunv2/service:Service")
    needed = service.dependencies | child.dependencies
    assert any("SubscriptionIAMMember" in urn for urn in needed)
    assert any("TopicIAMMember" in urn for urn in needed)


def test_a_dataflow_has_its_topics_and_subscriptions_as_the_architecture_says(
    layers: Layers,
) -> None:
    """Durations in the one form that Pub/Sub takes; labels ours and theirs (0.10)."""
    recording = layers.declare("test.dataflow.orders")
    topic = recording.one("gcp:pubsub/topic:Topic", "orders")
    assert topic.inputs["messageRetentionDuration"] == "2678400s"
    assert topic.protect is True
    assert recording.one("gcp:pubsub/topic:Topic", "dead").protect is False
    assert topic.inputs["labels"] == {
        "dataflow": "orders",
        "environment": "test",
        "kind": "new",
        "managed-by": "conductor",
        "team": "blue",
    }
    inputs = recording.one("gcp:pubsub/subscription:Subscription").inputs
    assert inputs["topic"] == "projects/shop-project/topics/orders"
    assert inputs["messageRetentionDuration"] == "604800s"
    assert inputs["retryPolicy"] == {"minimumBackoff": "1s", "maximumBackoff": "60s"}
    assert inputs["deadLetterPolicy"]["deadLetterTopic"] == "projects/shop-project/topics/dead"
    assert recording.outputs["topics"] == {
        "orders": "projects/shop-project/topics/orders",
        "dead": "projects/shop-project/topics/dead",
    }
    assert recording.outputs["subscriptions"] == {
        "orders-sub": "projects/shop-project/subscriptions/orders-sub"
    }


def test_a_dataflow_grants_what_its_links_imply(layers: Layers) -> None:
    """Producers publish, consumers subscribe, secrets are readable by who uses them (0.11)."""
    granted = grants_of(layers.declare("test.dataflow.orders"))
    assert {
        ("front-sa", "pubsub.publisher", "orders"),
        ("front-sa", "pubsub.viewer", "orders"),
        ("back-sa", "pubsub.subscriber", "orders-sub"),
        ("back-sa", "pubsub.viewer", "orders-sub"),
        ("front-sa", "secretmanager.secretAccessor", "front-password"),
    } <= granted


def test_a_dataflow_declares_topics_then_subscriptions_then_grants(layers: Layers) -> None:
    """Each step depends on what it needs, so that the engine keeps the order."""
    recording = layers.declare("test.dataflow.orders")
    subscription = recording.one("gcp:pubsub/subscription:Subscription")
    component = recording.one("conductor:dataflow:Subscription")
    needed = subscription.dependencies | component.dependencies
    assert {urn.rsplit("::", 1)[-1] for urn in needed} >= {"orders", "dead"}
    for grant in recording.of("gcp:pubsub/topicIAMMember:TopicIAMMember"):
        parent = next(r for r in recording.resources if r.urn == grant.parent)
        needed = grant.dependencies | parent.dependencies
        assert any(urn.endswith(f"::{grant.inputs['topic']}") for urn in needed)


def test_services_get_images_urls_and_accounts_of_the_layers_below(layers: Layers) -> None:
    """Images from phase 4, accounts from phase 2, the director's URL (0.12, 0.15, 2.7, 2.8)."""
    recording = layers.declare("test.services.orders", stacks=UPSTREAM)
    assert recording.outputs["urls"] == {
        "front": "https://front.test",
        "back": "https://back.test",
    }
    front = recording.one("gcp:cloudrunv2/service:Service", "front").inputs["template"]
    assert front["containers"][0]["image"] == "r/p/i/front@sha256:1"
    assert front["serviceAccount"] == "front-sa@shop-project.iam.gserviceaccount.com"
    assert environment_of(recording, "front") == {
        "DATAFLOW_NAME": "orders",
        "MODE": "fast",
        "PASSWORD": None,
        "PROJECT_ID": "shop-project",
        "SERVICE_DIRECTOR_URL": "https://director.test",
        "SERVICE_NAME": "front",
    }
    assert ("front-sa", "run.invoker", "back") in grants_of(recording)


def test_a_missing_image_is_named_not_deployed_as_nothing(layers: Layers) -> None:
    """An image that was never built stops the stack; no service starts without one (0.15)."""
    upstream = {**UPSTREAM, IMAGES: {"images": {"front": "x"}}}
    with pytest.raises(pulumi.RunError, match="'back'"):
        layers.declare("test.services.orders", stacks=upstream)


def test_predicted_outputs_are_used_and_no_stack_is_referenced(
    layers: Layers, predicted: Callable[..., None]
) -> None:
    """A preview of what was never deployed knows what can be known; the rest is unknown."""
    predicted(
        {
            "test.images": {"images": {"front": "r/front@sha256:9", "back": {"__unknown__": True}}},
            "test.director": {"directorUrl": {"__unknown__": True}},
        }
    )
    recording = layers.declare("test.services.orders", preview=True)
    assert recording.of("pulumi:pulumi:StackReference") == []
    front = recording.one("gcp:cloudrunv2/service:Service", "front").inputs["template"]
    assert front["containers"][0]["image"] == "r/front@sha256:9"
    back = recording.one("gcp:cloudrunv2/service:Service", "back").inputs["template"]
    assert "sha256" not in str(back["containers"][0]["image"])


def test_a_stack_without_predictions_is_unknown_as_a_whole(
    layers: Layers, predicted: Callable[..., None]
) -> None:
    """What was never previewed cannot be known, and is no error."""
    predicted({})
    recording = layers.declare("test.services.orders", preview=True)
    assert len(recording.of("gcp:cloudrunv2/service:Service")) == 2


def test_an_up_refuses_unknown_values(layers: Layers, predicted: Callable[..., None]) -> None:
    """Only a preview may leave something open."""
    predicted({"test.images": {"images": {"__unknown__": True}}})
    with pytest.raises(pulumi.RunError, match="unknown"):
        layers.declare("test.services.orders")


@pytest.mark.parametrize("stack", STACKS)
def test_preview_and_up_declare_the_same_resources(layers: Layers, stack: str) -> None:
    """No resource depends on a value that only an up knows."""
    up = layers.declare(stack)
    assert layers.declare(stack, preview=True).urns == up.urns
    assert len(set(up.urns)) == len(up.urns)


def test_preview_and_up_declare_the_same_services(
    layers: Layers, predicted: Callable[..., None]
) -> None:
    """Also where everything from the layers below is unknown."""
    known = {name.rsplit("/", 1)[-1]: outputs for name, outputs in UPSTREAM.items()}
    predicted(known)
    up = layers.declare("test.services.orders")
    predicted({})
    assert layers.declare("test.services.orders", preview=True).urns == up.urns
