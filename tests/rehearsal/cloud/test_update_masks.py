"""An update changes exactly what its mask names, whatever the kind of resource."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rehearsal.cloud.calls import snake_case
from rehearsal.cloud.field_masks import masked, merge_patched, path_segments

PROJECT = "projects/local-proj"
PLACE = f"{PROJECT}/locations/europe-west1"
# What changes with every update by itself.
OWN = {"etag", "updateTime", "userUpdateTime", "scheduleTime"}
LABELS = [{}, {"a": "1"}, {"a": "2", "b": "3"}]


@dataclass(frozen=True)
class Kind:
    """A kind that takes masks.

    Attributes:
        name: The kind's.
        url: Where the resource is.
        create: How it is made: method, URL, parameters and body.
        values: Values that each field may have, by its path.
        defaults: What fields have that nobody set.
        wrapper: The body's field that holds the resource, where the mask may be beside it.
        unknown: Paths that lead nowhere.
        fixed: A path that cannot change, with another value.
    """

    name: str
    url: str
    create: tuple[str, str, Mapping[str, str], Any]
    values: Mapping[str, list[Any]]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    wrapper: str = ""
    unknown: tuple[str, ...] = ("nonsense", "labels.a.b", "name.first")
    fixed: tuple[str, Any] | None = None

    def patch(self, client: httpx.Client, body: Any, mask: str, where: str) -> httpx.Response:
        """Update with a mask `where` (in `query` or `body`)."""
        wrapped = {self.wrapper: body} if self.wrapper else body
        if where == "body":
            return client.patch(self.url, json=wrapped | {"updateMask": mask})
        return client.patch(self.url, params={"updateMask": mask}, json=wrapped)


KINDS = (
    Kind(
        "topic",
        f"/pubsub/v1/{PROJECT}/topics/orders",
        ("PUT", f"/pubsub/v1/{PROJECT}/topics/orders", {}, {"labels": {"z": "0"}}),
        {
            "labels": LABELS,
            "messageRetentionDuration": ["600s", "86400s"],
            "kmsKeyName": ["", "projects/p/locations/l/keyRings/r/cryptoKeys/k"],
        },
        wrapper="topic",
    ),
    Kind(
        "subscription",
        f"/pubsub/v1/{PROJECT}/subscriptions/bill",
        (
            "PUT",
            f"/pubsub/v1/{PROJECT}/subscriptions/bill",
            {},
            {"topic": f"{PROJECT}/topics/base", "expirationPolicy": {}},
        ),
        {
            "labels": LABELS,
            "ackDeadlineSeconds": [10, 20, 600],
            "messageRetentionDuration": ["600s", "604800s"],
            "retainAckedMessages": [True, False],
            "pushConfig.pushEndpoint": ["http://127.0.0.1:9/a", "http://127.0.0.1:9/b"],
            "pushConfig.attributes": [{"x-goog-version": "v1"}],
        },
        {
            "ackDeadlineSeconds": 10,
            "messageRetentionDuration": "604800s",
            "pushConfig": {},
        },
        wrapper="subscription",
        fixed=("filter", "attributes:a"),
    ),
    Kind(
        "secret",
        f"/secretmanager/v1/{PROJECT}/secrets/key",
        (
            "POST",
            f"/secretmanager/v1/{PROJECT}/secrets",
            {"secretId": "key"},
            {"replication": {"automatic": {}}},
        ),
        {
            "labels": LABELS,
            "annotations": [{"a": "b"}, {}],
            "labels.a": ["7", "8"],
            "versionDestroyTtl": ["86400s", "172800s"],
        },
        unknown=("nonsense", "labels.a.b", "rotation.nonsense", "topics.name.x"),
        fixed=("replication", {"userManaged": {"replicas": [{"location": "europe-west1"}]}}),
    ),
    Kind(
        "account",
        f"/iam/v1/{PROJECT}/serviceAccounts/worker@local-proj.iam.gserviceaccount.com",
        ("POST", f"/iam/v1/{PROJECT}/serviceAccounts", {}, {"accountId": "worker"}),
        {"displayName": ["A", "B", ""], "description": ["a", "b"]},
        wrapper="serviceAccount",
        fixed=("email", "a@b.test"),
    ),
    Kind(
        "role",
        f"/iam/v1/{PROJECT}/roles/reader",
        ("POST", f"/iam/v1/{PROJECT}/roles", {}, {"roleId": "reader"}),
        {
            "title": ["A", "B"],
            "description": ["a", "b"],
            "includedPermissions": [["pubsub.topics.get"], ["run.services.get"]],
            "stage": ["BETA", "GA"],
        },
    ),
    Kind(
        "repository",
        f"/artifactregistry/v1/{PLACE}/repositories/images",
        (
            "POST",
            f"/artifactregistry/v1/{PLACE}/repositories",
            {"repositoryId": "images"},
            {"format": "DOCKER", "labels": {"z": "0"}},
        ),
        {
            "labels": LABELS,
            "description": ["a", "b"],
            "cleanupPolicyDryRun": [True, False],
            "dockerConfig.immutableTags": [True],
            "labels.a": ["7"],
        },
        fixed=("format", "MAVEN"),
    ),
    Kind(
        "database",
        f"/firestore/v1/{PROJECT}/databases/appdb",
        (
            "POST",
            f"/firestore/v1/{PROJECT}/databases",
            {"databaseId": "appdb"},
            {"locationId": "eur3", "type": "FIRESTORE_NATIVE"},
        ),
        {
            "deleteProtectionState": ["DELETE_PROTECTION_ENABLED", "DELETE_PROTECTION_DISABLED"],
            "concurrencyMode": ["OPTIMISTIC", "PESSIMISTIC"],
        },
        {
            "deleteProtectionState": "DELETE_PROTECTION_DISABLED",
            "concurrencyMode": "PESSIMISTIC",
        },
        fixed=("locationId", "nam5"),
    ),
    Kind(
        "job",
        f"/cloudscheduler/v1/{PLACE}/jobs/nightly",
        (
            "POST",
            f"/cloudscheduler/v1/{PLACE}/jobs",
            {},
            {
                "name": f"{PLACE}/jobs/nightly",
                "schedule": "0 3 1 1 *",
                "timeZone": "Etc/UTC",
                "httpTarget": {"uri": "http://127.0.0.1:9/"},
            },
        ),
        {
            "description": ["a", "b", ""],
            "httpTarget.httpMethod": ["PUT", "POST"],
            "httpTarget.headers": [{"X-A": "1"}],
            "retryConfig.retryCount": [1, 2],
            "attemptDeadline": ["60s", "180s"],
        },
        {"attemptDeadline": "180s"},
        unknown=("nonsense", "http_target.nonsense", "schedule.hour"),
    ),
)


@pytest.fixture(name="client", scope="module")
def client_fixture(shared_cloud: Any) -> Iterator[httpx.Client]:
    """The deployer, with one resource of each kind."""
    client: httpx.Client = shared_cloud.deployer
    client.put(f"/pubsub/v1/{PROJECT}/topics/base", json={}).raise_for_status()
    for kind in KINDS:
        http_method, url, query, body = kind.create
        client.request(http_method, url, params=dict(query), json=body).raise_for_status()
    return client


def _body_of(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """A resource with the given fields, by path."""
    body: dict[str, Any] = {}
    for path, value in sorted(chosen.items()):
        *parents, last = path.split(".")
        target = body
        for parent in parents:
            target = target.setdefault(parent, {})
        target[last] = value
    return body


def _expected(kind: Kind, before: Any, body: Any, paths: list[str]) -> Any:
    """The resource after the update, as far as it is the caller's."""
    after = masked(before, body, paths)
    for path in paths:
        top = path_segments(path)[0]
        if after.get(top) in (None, "", {}, [], False):
            after.pop(top, None)
    return _settled(dict(kind.defaults) | after)


def _settled(resource: Any) -> Any:
    empty = (None, "", {}, [], False)
    return {
        name: _without_empty(value)
        for name, value in resource.items()
        if name not in OWN and _without_empty(value) not in empty
    }


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: one for name, one in value.items() if one not in (None, "", {}, [], False)}
    return value


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_an_update_changes_exactly_what_its_mask_names(
    client: httpx.Client, kind: Kind, data: st.DataObject
) -> None:
    """Whatever else the body says; masks may be snake or camel case, in the query or the body."""
    paths = data.draw(st.lists(st.sampled_from(sorted(kind.values)), min_size=1, unique=True))
    body = _body_of(
        {
            path: data.draw(st.sampled_from(values))
            for path, values in kind.values.items()
            # A map as a whole and one of its keys would overwrite each other.
            if data.draw(st.booleans()) and path != "labels.a"
        }
    )
    is_snake = data.draw(st.booleans())
    where = data.draw(st.sampled_from(["query", "body"])) if kind.wrapper else "query"
    before = client.get(kind.url).json()
    mask = ",".join(snake_case(path) if is_snake else path for path in paths)
    answer = kind.patch(client, body, mask, where)
    assert answer.status_code == 200, answer.text
    after = client.get(kind.url).json()
    assert _settled(after) == _expected(kind, before, body, paths)
    if "etag" in before:
        assert after["etag"] != before["etag"]


def _holds(read: Any, sent: Any) -> bool:
    """Whether everything sent was read back; what is empty need not be."""
    if isinstance(sent, dict) and isinstance(read, dict):
        return all(_holds(read.get(name), value) for name, value in sent.items())
    return bool(read == sent or (sent in (None, "", {}, [], False) and not read))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_what_was_accepted_is_read_back(
    client: httpx.Client, kind: Kind, data: st.DataObject
) -> None:
    """A new resource has every field that it was made with."""
    http_method, url, query, body = kind.create
    old_id = kind.url.rpartition("/")[2].partition("@")[0]
    new_id = f"{old_id}{uuid.uuid4().hex[:8]}"
    extra = _body_of(
        {
            path: data.draw(st.sampled_from(values))
            for path, values in kind.values.items()
            if path != "labels.a" and data.draw(st.booleans())
        }
    )
    wrapped = {"account": "serviceAccount", "role": "role"}.get(kind.name)
    whole = merge_patched(body, {wrapped: extra} if wrapped else extra)
    made = client.request(
        http_method,
        url.replace(old_id, new_id),
        params=dict.fromkeys(query, new_id),
        json=json.loads(json.dumps(whole).replace(old_id, new_id)),
    )
    assert made.status_code == 200, (whole, made.text)
    read = client.get(kind.url.replace(old_id, new_id)).raise_for_status().json()
    assert _holds(read, extra), (extra, read)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_mask_that_leads_nowhere_is_refused(client: httpx.Client, kind: Kind) -> None:
    """An unknown path, in either place, answers 400 and names itself; nothing has changed."""
    before = client.get(kind.url).json()
    for path in kind.unknown:
        for where in ("query", "body") if kind.wrapper else ("query",):
            answer = kind.patch(client, {}, f"description,{path}", where)
            assert answer.status_code == 400, (path, answer.text)
            error = answer.json()["error"]
            assert (error["status"], path in error["message"]) == ("INVALID_ARGUMENT", True)
    assert client.get(kind.url).json() == before


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind.fixed is not None], ids=lambda kind: kind.name
)
def test_what_is_fixed_cannot_be_masked_away(client: httpx.Client, kind: Kind) -> None:
    """A field that never changes is refused in a mask, or ignored where it is only output."""
    assert kind.fixed is not None
    path, value = kind.fixed
    before = client.get(kind.url).json()
    answer = kind.patch(client, {path: value}, path, "query")
    after = client.get(kind.url).json()
    assert answer.status_code == 400 or after.get(path) == before.get(path), answer.text
    assert {name: one for name, one in after.items() if name not in OWN} == {
        name: one for name, one in before.items() if name not in OWN
    }


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_output_in_a_mask_changes_nothing(client: httpx.Client, kind: Kind) -> None:
    """`createTime` and the like in a mask leave the resource as it is, and readable."""
    before = client.get(kind.url).json()
    for path in ("name", "createTime", "etag", "uid", "state"):
        kind.patch(client, {}, path, "query")
        after = client.get(kind.url).json()
        assert _settled(after) == _settled(before), path


def test_a_star_replaces_everything_that_can_be_set(client: httpx.Client) -> None:
    """What the body does not have is cleared; what cannot change stays."""
    for kind in KINDS:
        if kind.name in ("job", "database", "secret", "repository"):
            continue  # Their bodies must then hold what cannot change, as below.
        answer = kind.patch(client, {}, "*", "query")
        assert answer.status_code == 200, (kind.name, answer.text)
        assert "labels" not in answer.json()
    secret = next(kind for kind in KINDS if kind.name == "secret")
    body = {"replication": {"automatic": {}}, "annotations": {"a": "1"}}
    assert secret.patch(client, {"labels": {"a": "b"}}, "labels", "query").status_code == 200
    replaced = secret.patch(client, body, "*", "query").json()
    assert replaced["annotations"] == {"a": "1"}
    assert "labels" not in replaced


def test_an_empty_mask_means_what_is_documented(client: httpx.Client) -> None:
    """Pub/Sub and Secret Manager require one; the others take the fields that are given."""
    for kind in KINDS:
        body = {"labels": {"m": "1"}} if "labels" in kind.values else {}
        if kind.wrapper == "serviceAccount":
            body = {"displayName": "given"}
        answer = kind.patch(client, body, "", "query")
        if kind.name in ("topic", "subscription", "secret"):
            assert answer.status_code == 400, kind.name
            assert "mask" in answer.json()["error"]["message"]
        elif kind.name in ("repository", "account"):
            assert answer.status_code == 200
            assert body.items() <= answer.json().items()


def test_a_services_mask_keeps_what_it_does_not_name(shared_cloud: Any) -> None:
    """Cloud Run without a mask replaces the whole service, with one only what it names."""
    client = shared_cloud.deployer
    url = f"/run/v2/{PLACE}/services"
    template = {"timeout": "60s", "containers": [{"image": "127.0.0.1:9/none/none"}]}
    body = {"description": "ours", "labels": {"a": "1"}, "template": template}
    client.post(url, params={"serviceId": "web"}, json=body).raise_for_status()

    def planned(change: Any, **query: str) -> Any:
        answer = client.patch(f"{url}/web", params={"validateOnly": "true"} | query, json=change)
        assert answer.status_code == 200, answer.text
        return answer.json()["metadata"]

    changed = planned({"template": {"timeout": "90s"}}, updateMask="template.timeout")
    assert changed["template"]["timeout"] == "90s"
    assert changed["template"]["containers"][0]["image"] == "127.0.0.1:9/none/none"
    assert (changed["description"], changed["labels"]) == ("ours", {"a": "1"})
    cleared = planned({}, update_mask="labels")
    assert "labels" not in cleared
    assert cleared["description"] == "ours"
    replaced = planned({"template": template})
    assert "description" not in replaced
    bad = client.patch(f"{url}/web", params={"updateMask": "template.nope"}, json={})
    assert bad.status_code == 400


def test_masks_with_quoted_keys_lead_into_maps(client: httpx.Client) -> None:
    """A key of a map may hold a dot, in backquotes."""
    secret = next(kind for kind in KINDS if kind.name == "secret")
    body = {"annotations": {"a.b": "1", "c": "2"}}
    answer = secret.patch(client, body, "annotations.`a.b`", "query")
    annotations = answer.json()["annotations"]
    assert annotations["a.b"] == "1"
    assert "c" not in annotations
