"""Whatever is sent to a modelled method, it is answered as Google would, never by a failure."""

from __future__ import annotations

import random
from typing import Any

import grpc
import httpx
import pytest
from answer_shapes import misshapen
from google.cloud.pubsub_v1 import PublisherClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_requests import RandomRequest, address, damaged, messages_in, request_of

from rehearsal.cloud.discovery.documents import Method, Routes
from rehearsal.cloud.registry import all_handlers

PROJECT = "projects/local-proj"
PLACE = f"{PROJECT}/locations/europe-west1"
# These would end the test for all others, or wait for what does not come.
LEFT_OUT = {
    "cloudresourcemanager.projects.setIamPolicy",
    "pubsub.projects.subscriptions.pull",
    "run.projects.locations.operations.wait",
    "serviceusage.services.disable",
}
# Thousands of draws a test: too many for hypothesis to shrink one by one.
RANDOMS = st.randoms(use_true_random=True)
UNHURRIED = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
}


class World:
    """A cloud with one resource of each kind, and all the methods that it models."""

    def __init__(self, cloud: Any) -> None:
        self.client: httpx.Client = cloud.deployer
        modelled = all_handlers(cloud.cloud)
        self.methods = [
            method
            for api in Routes().apis
            for method in api.methods
            if method.id in modelled and method.id not in LEFT_OUT
        ]
        cloud.enable(*{method.api.name for method in self.methods})
        for http_method, path, query, body in _RESOURCES:
            made = self.client.request(http_method, path, params=query, json=body)
            assert made.status_code == 200, made.text

    def send(self, request: RandomRequest) -> httpx.Response:
        """Send one request as the deployer."""
        return self.client.request(
            request.http_method,
            request.path,
            params=dict(request.query),
            content=request.content(),
        )


_RESOURCES: tuple[tuple[str, str, dict[str, str], Any], ...] = (
    ("PUT", f"/pubsub/v1/{PROJECT}/topics/orders", {}, {}),
    ("PUT", f"/pubsub/v1/{PROJECT}/subscriptions/bill", {}, {"topic": f"{PROJECT}/topics/orders"}),
    (
        "POST",
        f"/secretmanager/v1/{PROJECT}/secrets",
        {"secretId": "key"},
        {"replication": {"automatic": {}}},
    ),
    ("POST", f"/secretmanager/v1/{PROJECT}/secrets/key:addVersion", {}, {"payload": {"data": ""}}),
    ("POST", "/storage/storage/v1/b", {"project": "local-proj"}, {"name": "data"}),
    (
        "POST",
        f"/bigquery/bigquery/v2/{PROJECT}/datasets",
        {},
        {"datasetReference": {"datasetId": "sales"}},
    ),
    (
        "POST",
        f"/bigquery/bigquery/v2/{PROJECT}/datasets/sales/tables",
        {},
        {"tableReference": {"tableId": "orders"}},
    ),
    ("POST", f"/iam/v1/{PROJECT}/serviceAccounts", {}, {"accountId": "worker"}),
    ("POST", f"/iam/v1/{PROJECT}/roles", {}, {"roleId": "reader"}),
    (
        "POST",
        f"/artifactregistry/v1/{PLACE}/repositories",
        {"repositoryId": "images"},
        {"format": "DOCKER"},
    ),
    (
        "POST",
        f"/firestore/v1/{PROJECT}/databases",
        {"databaseId": "appdb"},
        {"locationId": "eur3", "type": "FIRESTORE_NATIVE"},
    ),
    (
        "POST",
        f"/cloudscheduler/v1/{PLACE}/jobs",
        {},
        {
            "name": f"{PLACE}/jobs/nightly",
            "schedule": "0 3 1 1 *",
            "httpTarget": {"uri": "http://127.0.0.1:9/"},
        },
    ),
)


@pytest.fixture(name="world", scope="module")
def world_fixture(shared_cloud: Any) -> World:
    """A cloud with something to ask for."""
    return World(shared_cloud)


def _check(method: Method, request: RandomRequest, answer: httpx.Response) -> None:
    """The answer is the method's, or an error as Google words them."""
    what = f"{method.id} {request} -> {answer.status_code} {answer.text}"
    assert answer.status_code < 500, what
    if answer.status_code == 304:
        assert not answer.content, what
    elif answer.status_code >= 300:
        _check_error(answer, what)
    elif answer.status_code == 200 and "json" in answer.headers["Content-Type"]:
        is_whole = not {"fields", "$fields"} & set(request.query)
        problems = misshapen(method.id, request.path, answer.json()) if is_whole else []
        assert not problems, f"{problems} {what}"


def _check_error(answer: httpx.Response, what: str) -> None:
    error = answer.json()["error"]
    assert error["code"] == answer.status_code, what
    assert error["message"], what
    assert error["status"].isupper(), what
    (legacy,) = error["errors"]
    assert {"message", "domain", "reason"} <= legacy.keys(), what
    assert all("@type" in detail for detail in error.get("details", ())), what


def _send_all(world: World, rng: random.Random) -> None:
    """One sound and one damaged request of each method."""
    for method in world.methods:
        # What is deleted would be missed by the requests to come.
        is_known = method.http_method != "DELETE" and rng.random() < 0.8
        request = request_of(method, rng, is_known=is_known)
        _check(method, request, world.send(request))
        if request.body is not None:
            broken = RandomRequest(
                request.http_method, request.path, request.query, damaged(request.body, rng)
            )
            _check(method, broken, world.send(broken))


@settings(max_examples=3, **UNHURRIED)
@given(rng=RANDOMS)
def test_every_request_is_answered_in_googles_shape(world: World, rng: random.Random) -> None:
    """Random and damaged requests of every method get an answer of its schema or Google's error."""
    _send_all(world, rng)


@pytest.mark.long
@pytest.mark.timeout(900)
@settings(max_examples=60, **UNHURRIED)
@given(rng=RANDOMS)
def test_many_requests_are_answered_in_googles_shape(world: World, rng: random.Random) -> None:
    """The same with many more requests, one after another on the same cloud."""
    _send_all(world, rng)


@settings(max_examples=3, **UNHURRIED)
@given(rng=RANDOMS)
def test_an_unknown_field_is_refused_wherever_it_is(world: World, rng: random.Random) -> None:
    """A field that no message has is named in a 400, at any depth; the older APIs ignore it."""
    for method in world.methods:
        request = request_of(method, rng)
        if method.request is None:
            continue
        places = list(messages_in(method, request.body))
        rng.choice(places)["noSuchField"] = 1
        answer = world.send(request)
        if method.api.is_lenient:
            _check(method, request, answer)
            continue
        assert answer.status_code == 400, (method.id, request, answer.text)
        error = answer.json()["error"]
        assert error["status"] == "INVALID_ARGUMENT"
        assert 'Unknown name "noSuchField"' in error["message"], (method.id, request)
        assert error["details"][0]["@type"].endswith("google.rpc.BadRequest")


def test_an_unknown_parameter_is_refused(world: World) -> None:
    """One Platform's APIs name a query parameter that they cannot bind."""
    for method in world.methods:
        if method.api.is_lenient:
            continue
        request = request_of(method, random.Random(method.id))  # noqa: S311 - not a secret
        answer = world.client.request(request.http_method, request.path, params={"nope": "1"})
        message = answer.json()["error"]["message"]
        assert answer.status_code == 400, (method.id, answer.text)
        assert 'Unknown name "nope": Cannot bind query parameter.' in message


@pytest.mark.parametrize(
    "content",
    [
        b"{not json",
        b"[1]",
        b'"text"',
        b"null",
        b"{}{}",
        b'{"a": NaN}',
        b'{"a": "\xff\xfe"}',
        b'{"a": "\\ud800"}',
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b"[" * 100_000,
        b'{"a": ' + b"9" * 6000 + b"}",
    ],
    ids=lambda content: content[:12].decode("ascii", "replace"),
)
def test_a_body_that_is_no_json_object_is_refused(world: World, content: bytes) -> None:
    """Whatever the method takes, it is told what is wrong with the text, with 400."""
    for method in world.methods:
        if method.request is None:
            continue
        path = request_of(method, random.Random(1)).path  # noqa: S311 - not a secret
        query = {"project": "local-proj"} if "project" in method.parameters else {}
        answer = world.client.request(method.http_method, path, params=query, content=content)
        if method.api.is_lenient and content.startswith(b'{"a": 9'):
            continue
        assert answer.status_code == 400, (method.id, answer.text)
        _check_error(answer, method.id)


def test_the_projects_number_is_as_good_as_its_id(world: World) -> None:
    """Every method that reads answers the same to both names of the project."""
    asked = 0
    for method in world.methods:
        path = address(method, random.Random(1), is_known=True)  # noqa: S311 - not a secret
        if method.http_method != "GET" or "local-proj" not in path:
            continue
        by_id = world.client.get(path)
        by_number = world.client.get(path.replace("/local-proj", "/123456789012"))
        assert by_number.status_code == by_id.status_code, (path, by_number.text)
        if by_id.status_code == 200:
            assert by_number.json() == by_id.json(), path
            asked += 1
    assert asked > 15


def test_resources_are_named_by_number_in_bodies_too(world: World, shared_cloud: Any) -> None:
    """A subscription to a topic of the project's number is one to the topic, REST or gRPC."""
    body = {
        "topic": "projects/123456789012/topics/orders",
        "deadLetterPolicy": {"deadLetterTopic": "projects/123456789012/topics/orders"},
    }
    path = "/pubsub/v1/projects/123456789012/subscriptions/numbered"
    made = world.client.put(path, json=body).raise_for_status().json()
    assert made["name"] == f"{PROJECT}/subscriptions/numbered"
    assert (
        made["topic"] == made["deadLetterPolicy"]["deadLetterTopic"] == f"{PROJECT}/topics/orders"
    )
    numbered = "projects/123456789012/topics/orders"
    target = f"127.0.0.1:{shared_cloud.cloud.pubsub_port}"
    with grpc.insecure_channel(target) as channel:
        publisher = PublisherClient(transport=PublisherGrpcTransport(channel=channel))
        assert publisher.get_topic(topic=numbered).name == f"{PROJECT}/topics/orders"
        listed = publisher.list_topic_subscriptions(topic=numbered)
        assert f"{PROJECT}/subscriptions/numbered" in set(listed)


@pytest.mark.parametrize(
    ("path", "query", "message"),
    [
        (f"/iam/v1/{PROJECT}/serviceAccounts", {"pageSize": "many"}, "'page_size' (TYPE_INT32)"),
        (f"/iam/v1/{PROJECT}/roles", {"view": "SOME"}, "'view' (TYPE_ENUM)"),
        (f"/iam/v1/{PROJECT}/roles", {"showDeleted": "maybe"}, "'show_deleted' (TYPE_BOOL)"),
        (f"/iam/v1/{PROJECT}/roles", {"pageSize": "-1"}, "must not be negative"),
        (f"/iam/v1/{PROJECT}/roles", {"pageToken": "x"}, "page token"),
        ("/storage/storage/v1/b", {}, "Required parameter: project"),
    ],
)
def test_a_parameter_of_a_wrong_type_is_refused(
    world: World, path: str, query: dict[str, str], message: str
) -> None:
    """Numbers, enums, booleans and page tokens are read before anything is done."""
    answer = world.client.get(path, params=query)
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("http_method", "path", "body", "field"),
    [
        ("POST", f"/secretmanager/v1/{PROJECT}/secrets", {"replication": {}}, "secret_id"),
        ("POST", f"/secretmanager/v1/{PROJECT}/secrets/key:addVersion", {}, "payload"),
        ("PATCH", f"/secretmanager/v1/{PROJECT}/secrets/key", {}, "update_mask"),
        (
            "POST",
            f"/artifactregistry/v1/{PLACE}/repositories",
            {"format": "DOCKER"},
            "repository_id",
        ),
        ("POST", f"/firestore/v1/{PROJECT}/databases?databaseId=other", {}, "database.location_id"),
        ("POST", f"/iam/v1/{PROJECT}/serviceAccounts", {}, "account_id"),
        ("PUT", f"/pubsub/v1/{PROJECT}/subscriptions/other", {}, "topic"),
        ("POST", f"/pubsub/v1/{PROJECT}/topics/orders:publish", {}, "messages"),
        ("POST", f"/pubsub/v1/{PROJECT}/topics/orders:setIamPolicy", {}, "policy"),
        (
            "POST",
            f"/cloudscheduler/v1/{PLACE}/jobs",
            {"schedule": "* * * * *", "httpTarget": {}},
            "job.http_target.uri",
        ),
        ("POST", f"/run/v2/{PLACE}/services?serviceId=web", {}, "service.template"),
        (
            "POST",
            f"/run/v2/{PLACE}/services?serviceId=web",
            {"template": {"containers": [{"env": [{"value": "x"}], "image": "a/b"}]}},
            "service.template.containers[0].env[0].name",
        ),
    ],
)
def test_what_is_required_and_missing_is_named(
    world: World, http_method: str, path: str, body: Any, field: str
) -> None:
    """A required parameter or field, at any depth, that is not there is told by its proto name."""
    answer = world.client.request(http_method, path, json=body)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert f"Missing required field: {field}" in error["message"]
    assert error["details"][0]["fieldViolations"][0]["field"] == field
