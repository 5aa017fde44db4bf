"""What a reviewer is told of each resource."""

from typing import Any

import pytest

from orchestration.automation.results import UNKNOWN_OUTPUT
from orchestration.review.differences import leaves, resource_change, value_at

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
    assert "URL" in by_path[url].unknown_from
    assert by_path[url].item == "STORE_URL"
    assert by_path[url].before is None


def test_without_paths_from_the_engine_the_inputs_are_compared(step: Any) -> None:
    """What is created or deleted has every property as a difference."""
    created = resource_change("s", step("create", BUCKET, "b", after={"name": "b", "tags": {}}))
    assert [a.path for a in created.attributes] == ["name", "tags"]
    deleted = resource_change("s", step("delete", BUCKET, "b", before={"name": "b"}))
    assert [(a.before, a.after) for a in deleted.attributes] == [("b", None)]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b[1].c", 3),
        ('labels["with.dot"]', "x"),
        ("a.b[7].c", None),
        ("a.nothing.here", None),
        ("a", {"b": [{}, {"c": 3}]}),
    ],
)
def test_paths_are_looked_up_as_the_engine_writes_them(path: str, value: Any) -> None:
    """Indexes, quoted keys, and what is not there."""
    assert value_at({"a": {"b": [{}, {"c": 3}]}, "labels": {"with.dot": "x"}}, path) == value


def test_every_leaf_has_a_path_that_leads_back_to_it() -> None:
    """`leaves` and `value_at` agree."""
    properties: dict[str, Any] = {"a": {"b": 1, "c.d": {"e": 2}}, "f": [1, 2]}
    assert {path: value_at(properties, path) for path in leaves(properties)} == {
        "a.b": 1,
        'a["c.d"].e': 2,
        "f": [1, 2],
    }
