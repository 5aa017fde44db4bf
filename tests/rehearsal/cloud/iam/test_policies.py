"""Policies as every resource with one keeps them."""

from __future__ import annotations

from typing import Any

import pytest

PROJECT = "/resourcemanager/v1/projects/local-proj"
REGION = "projects/local-proj/locations/europe-west1"
ACCOUNT = "worker@local-proj.iam.gserviceaccount.com"
TABLES = "/bigquery/bigquery/v2/projects/local-proj/datasets/sales/tables"
USER = "user:a@local.test"
# Where each kind of resource is, how its policy is read, a role for it and what that permits.
RESOURCES = {
    "topic": ("/pubsub/v1/projects/local-proj/topics/orders", "GET", "pubsub.topics.publish"),
    "subscription": (
        "/pubsub/v1/projects/local-proj/subscriptions/work",
        "GET",
        "pubsub.subscriptions.consume",
    ),
    "secret": (
        "/secretmanager/v1/projects/local-proj/secrets/key",
        "GET",
        "secretmanager.versions.access",
    ),
    "repository": (
        f"/artifactregistry/v1/{REGION}/repositories/images",
        "GET",
        "artifactregistry.repositories.downloadArtifacts",
    ),
    "service": (f"/run/v2/{REGION}/services/front", "GET", "run.routes.invoke"),
    "account": (
        f"/iam/v1/projects/local-proj/serviceAccounts/{ACCOUNT}",
        "POST",
        "iam.serviceAccounts.actAs",
    ),
    "project": (PROJECT, "POST", "resourcemanager.projects.get"),
    "table": (f"{TABLES}/orders", "POST", "bigquery.tables.getData"),
}
ROLES = {
    "topic": "roles/pubsub.publisher",
    "subscription": "roles/pubsub.subscriber",
    "secret": "roles/secretmanager.secretAccessor",
    "repository": "roles/artifactregistry.reader",
    "service": "roles/run.invoker",
    "account": "roles/iam.serviceAccountUser",
    "project": "roles/browser",
    "table": "roles/bigquery.dataViewer",
}


@pytest.fixture(name="full")
def cloud_with_everything(local_cloud: Any, expect: Any) -> Any:
    """A cloud with one of each resource that has a policy."""
    local_cloud.account("worker")
    make, urls = local_cloud.deployer, {kind: url for kind, (url, *_) in RESOURCES.items()}
    expect(make.put(urls["topic"], json={}))
    topic = {"topic": "projects/local-proj/topics/orders"}
    expect(make.put(urls["subscription"], json=topic))
    secrets = "/secretmanager/v1/projects/local-proj/secrets"
    replication: dict[str, Any] = {"replication": {"automatic": {}}}
    expect(make.post(secrets, params={"secretId": "key"}, json=replication))
    repositories, repository = urls["repository"].rsplit("/", 1)
    params = {"repositoryId": repository}
    expect(make.post(repositories, params=params, json={"format": "DOCKER"}))
    image = "europe-west1-docker.pkg.dev/local-proj/images/missing:1"
    template = {"serviceAccount": ACCOUNT, "containers": [{"image": image}]}
    services = urls["service"].rsplit("/", 1)[0]
    expect(make.post(services, params={"serviceId": "front"}, json={"template": template}))
    reference = {"projectId": "local-proj", "datasetId": "sales"}
    datasets = TABLES.rsplit("/", 2)[0]
    expect(make.post(datasets, json={"datasetReference": reference}))
    expect(make.post(TABLES, json={"tableReference": reference | {"tableId": "orders"}}))
    return local_cloud


@pytest.mark.parametrize("kind", RESOURCES)
def test_every_policy_is_read_modified_written_and_tested(
    full: Any, expect: Any, kind: str
) -> None:
    """The same etags, defaults and errors for whatever has a policy."""
    url, reads, permission = RESOURCES[kind]
    call = full.deployer
    policy = expect(call.request(reads, f"{url}:getIamPolicy"))
    assert policy["version"] == 1
    binding = {"role": ROLES[kind], "members": [USER]}
    wanted = {"policy": policy | {"bindings": [*policy.get("bindings", ()), binding]}}
    stored = expect(call.post(f"{url}:setIamPolicy", json=wanted))
    assert binding in stored["bindings"]
    assert stored["etag"] != policy["etag"]
    assert expect(call.request(reads, f"{url}:getIamPolicy")) == stored
    error = expect(call.post(f"{url}:setIamPolicy", json=wanted), 409)["error"]
    assert (error["status"], error["errors"][0]["reason"]) == ("ABORTED", "aborted")
    asked = {"permissions": [permission, "resourcemanager.projects.update"]}
    tested = full.client(USER).post(f"{url}:testIamPermissions", json=asked)
    assert expect(tested) == {"permissions": [permission]}
    assert (
        expect(full.client("user:b@local.test").post(f"{url}:testIamPermissions", json=asked)) == {}
    )
    without_etag = {"policy": {"bindings": policy.get("bindings", [])}}
    assert binding not in expect(call.post(f"{url}:setIamPolicy", json=without_etag)).get(
        "bindings", []
    )
    expect(call.post(f"{url}:setIamPolicy", json={}), 400)


def test_a_buckets_policy_is_bare_and_answers_storages_conflict(
    local_cloud: Any, expect: Any
) -> None:
    """Storage says 412 where other APIs say 409."""
    local_cloud.enable("storage")
    url = "/storage/storage/v1/b"
    params = {"project": "local-proj"}
    expect(local_cloud.deployer.post(url, params=params, json={"name": "bucket-0"}))
    policy = expect(local_cloud.deployer.get(f"{url}/bucket-0/iam"))
    wanted = policy | {"bindings": [{"role": "roles/storage.objectViewer", "members": [USER]}]}
    expect(local_cloud.deployer.put(f"{url}/bucket-0/iam", json=wanted))
    error = expect(local_cloud.deployer.put(f"{url}/bucket-0/iam", json=wanted), 412)["error"]
    assert error["errors"][0]["reason"] == "conditionNotMet"
    asked = {"permissions": ["storage.objects.get", "storage.objects.create"]}
    tested = local_cloud.client(USER).get(f"{url}/bucket-0/iam/testPermissions", params=asked)
    assert expect(tested)["permissions"] == ["storage.objects.get"]
    version = {"optionsRequestedPolicyVersion": 2}
    expect(local_cloud.deployer.get(f"{url}/bucket-0/iam", params=version), 400)


@pytest.mark.parametrize(
    ("kind", "gone"),
    [("topic", {}), ("subscription", {}), ("secret", {}), ("table", {}), ("repository", None)],
)
def test_what_is_missing_permits_nothing_or_is_not_found(
    local_cloud: Any, expect: Any, kind: str, gone: dict[str, Any] | None
) -> None:
    """Some APIs answer tests of a missing resource with nothing, others with 404."""
    url, _, permission = RESOURCES[kind]
    asked = {"permissions": [permission]}
    answer = local_cloud.deployer.post(f"{url}:testIamPermissions", json=asked)
    assert expect(answer, 404 if gone is None else 200) == gone or gone is None


def test_versions_are_googles(local_cloud: Any, expect: Any) -> None:
    """A policy without conditions is of version 1 whatever was sent; there is no version 2."""
    post = local_cloud.deployer.post
    options = {"options": {"requestedPolicyVersion": 3}}
    policy = expect(post(f"{PROJECT}:getIamPolicy", json=options))
    written = expect(post(f"{PROJECT}:setIamPolicy", json={"policy": policy | {"version": 3}}))
    assert written["version"] == 1
    expect(post(f"{PROJECT}:setIamPolicy", json={"policy": written | {"version": 2}}), 400)
    options = {"options": {"requestedPolicyVersion": 2}}
    expect(post(f"{PROJECT}:getIamPolicy", json=options), 400)


def test_a_mask_leaves_the_rest_as_it_is(local_cloud: Any, expect: Any) -> None:
    """By default a write is about bindings; audit settings change only where they are named."""
    post = local_cloud.deployer.post
    before = expect(post(f"{PROJECT}:getIamPolicy"))
    audit = [{"service": "allServices", "auditLogConfigs": [{"logType": "DATA_READ"}]}]
    unnamed = expect(
        post(f"{PROJECT}:setIamPolicy", json={"policy": before | {"auditConfigs": audit}})
    )
    assert "auditConfigs" not in unnamed
    body = {"policy": {"auditConfigs": audit}, "updateMask": "auditConfigs"}
    named = expect(post(f"{PROJECT}:setIamPolicy", json=body))
    assert (named["auditConfigs"], named["bindings"]) == (audit, before["bindings"])
    body = {"policy": {"bindings": before["bindings"]}}
    assert expect(post(f"{PROJECT}:setIamPolicy", json=body))["auditConfigs"] == audit
    expect(post(f"{PROJECT}:setIamPolicy", json=body | {"updateMask": "members"}), 400)


def test_a_policy_has_so_many_members_and_no_more(local_cloud: Any, expect: Any) -> None:
    """Every appearance counts, in Google's words."""
    post = local_cloud.deployer.post
    policy = expect(post(f"{PROJECT}:getIamPolicy"))
    members = [f"user:{number}@local.test" for number in range(750)]
    roles = ("roles/browser", "roles/viewer")
    bindings = [*policy["bindings"], *({"role": role, "members": members} for role in roles)]
    body = {"policy": policy | {"bindings": bindings}}
    error = expect(post(f"{PROJECT}:setIamPolicy", json=body), 400)["error"]
    assert error["message"] == (
        "The number of members in the policy (1,501) is larger than the maximum allowed size 1,500."
    )
    members.pop()
    expect(post(f"{PROJECT}:setIamPolicy", json=body))
