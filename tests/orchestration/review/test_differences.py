"""What a reviewer is told of each resource."""

from typing import Any

from orchestration.automation.results import UNKNOWN_OUTPUT
from orchestration.review.differences import resource_change

BUCKET = "gcp:storage/bucket:Bucket"
SERVICE = "gcp:cloudrunv2/service:Service"


def test_an_update_shows_each_property_from_what_to_what(step: Any) -> None:
    """The engine names the paths, the inputs have the values."""
    change = resource_change(
        "prod.dataflow.orders",
        step(
            "update",
            "gcp:pubsub/subscription:Subscription",
            "orders-sub",
            before={"ackDeadlineSeconds": 10, "retryPolicy": {"minimumBackoff": "1s"}},
            after={"ackDeadlineSeconds": 60, "retryPolicy": {"minimumBackoff": "5s"}},
            paths={"ackDeadlineSeconds": "update", "retryPolicy.minimumBackoff": "update"},
        ),
    )
    assert [(a.path, a.before, a.after) for a in change.attributes] == [
        ("ackDeadlineSeconds", 10, 60),
        ("retryPolicy.minimumBackoff", "1s", "5s"),
    ]
    assert not change.warning
    assert not change.is_destructive


def test_a_replacement_says_what_forces_it_and_what_is_lost(step: Any) -> None:
    """A bucket that moves loses its objects."""
    change = resource_change(
        "prod.dataflow.orders",
        step(
            "replace",
            BUCKET,
            "invoices",
            before={"location": "EU", "name": "invoices"},
            after={"location": "US", "name": "invoices"},
            paths={"location": "update-replace"},
        ),
    )
    assert change.because == ("location",)
    assert change.warning == "loses every object in the bucket"
    assert change.holds_data


def test_an_unknown_value_says_where_it_will_come_from(step: Any) -> None:
    """An image's digest comes from the build, a URL from the service."""
    image, url = "template.containers[0].image", "template.containers[0].envs[1].value"
    containers = [
        {
            "image": dict(UNKNOWN_OUTPUT),
            "envs": [{"name": "A"}, {"name": "STORE_URL", "value": dict(UNKNOWN_OUTPUT)}],
        }
    ]
    change = resource_change(
        "prod.services.orders",
        step(
            "update",
            SERVICE,
            "taker",
            before={"template": {"containers": [{"image": "old"}]}},
            after={"template": {"containers": containers}},
            paths={image: "update", url: "add"},
        ),
    )
    by_path = {attribute.path: attribute for attribute in change.attributes}
    assert "image's digest" in by_path[image].unknown_from
    named = 'template.containers[0].envs["STORE_URL"].value'
    assert "URL" in by_path[named].unknown_from
    assert by_path[named].before is None


def test_without_paths_from_the_engine_the_inputs_are_compared(step: Any) -> None:
    """What is created or deleted has every property as a difference."""
    created = resource_change("s", step("create", BUCKET, "b", after={"name": "b", "tags": {}}))
    assert [a.path for a in created.attributes] == ["name", "tags"]
    deleted = resource_change("s", step("delete", BUCKET, "b", before={"name": "b"}))
    assert [(a.before, a.after) for a in deleted.attributes] == [("b", None)]


def test_a_variable_in_the_middle_moves_none_of_the_others(step: Any) -> None:
    """The engine names what stands at each index; a reader asks which variable is new."""

    def variables(*names: str) -> dict[str, Any]:
        return {"envs": [{"name": name, "value": name.lower()} for name in names]}

    change = resource_change(
        "s",
        step(
            "update",
            SERVICE,
            "taker",
            before=variables("A", "C", "D"),
            after=variables("A", "B", "C", "D"),
            paths={
                "envs[1].name": "update",
                "envs[1].value": "update",
                "envs[2].name": "update",
                "envs[2].value": "update",
                "envs[3]": "add",
            },
        ),
    )
    assert [(a.path, a.before, a.after) for a in change.attributes] == [
        ('envs["B"].value', None, "b")
    ]


def test_only_what_the_engine_names_is_told(step: Any) -> None:
    """What a provider takes for no difference is none."""
    change = resource_change(
        "s",
        step(
            "update",
            "docker:index/image:Image",
            "taker",
            before={"build": {"context": "/old", "contextDigest": "1"}},
            after={"build": {"context": "/new", "contextDigest": "2"}},
            paths={"build.contextDigest": "update"},
        ),
    )
    assert [a.path for a in change.attributes] == ["build.contextDigest"]


def test_what_differs_in_the_cloud_only_is_told_by_the_engines_path(step: Any) -> None:
    """Drift: what is asked for has not changed."""
    inputs = {"labels": {"team": "blue"}}
    change = resource_change(
        "s", step("update", BUCKET, "b", before=inputs, after=inputs, paths={"labels.x": "delete"})
    )
    assert [a.path for a in change.attributes] == ["labels.x"]
