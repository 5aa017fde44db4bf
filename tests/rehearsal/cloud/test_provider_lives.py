"""What the official provider sends in a resource's whole life, and again after its end.

Creates, updates and deletes as they were recorded, with what belongs to them: polling, the reads
between, and the policy's read-modify-write. Cloud Run's is in `run/test_provider_life.py`: it needs
an image.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from official_provider import MEMBER, NUMBERED, L, P, Provider

ACCOUNT = f"iam/v1/{P}/serviceAccounts/worker-sa@local-proj.iam.gserviceaccount.com"


def account(provider: Provider) -> None:
    """Read thrice until it is there; changed by a mask in the body, in proto names."""
    body = {"accountId": "worker-sa", "serviceAccount": {"displayName": "w1"}}
    created = provider.send("POST", f"iam/v1/{P}/serviceAccounts", body)
    for _ in range(3):
        assert provider.send("GET", ACCOUNT) == created
    change = {
        "serviceAccount": {"displayName": "w2", "etag": created["etag"]},
        "updateMask": "display_name",
    }
    provider.send("PATCH", ACCOUNT, change)
    assert provider.send("GET", ACCOUNT)["displayName"] == "w2"
    provider.send("POST", f"{ACCOUNT}:disable")
    assert provider.send("GET", ACCOUNT)["disabled"]
    provider.send("POST", f"{ACCOUNT}:enable")
    provider.lend("POST", ACCOUNT, "roles/iam.serviceAccountUser")
    assert provider.send("DELETE", ACCOUNT) == {}
    provider.gone(ACCOUNT)
    provider.send("DELETE", ACCOUNT, code=404)


def role(provider: Provider) -> None:
    """A role that was deleted before is brought back and changed, not made."""
    path = f"iam/v1/{P}/roles/reader"
    body = {"title": "R", "includedPermissions": ["pubsub.topics.get"], "stage": "GA"}
    known = provider.send("GET", f"iam/v1/{P}/roles", showDeleted="true").get("roles", [])
    if not known:
        created = provider.send("POST", f"iam/v1/{P}/roles", {"roleId": "reader", "role": body})
        assert created["name"] == f"{P}/roles/reader"
    else:
        provider.send("POST", f"{path}:undelete", {})
        provider.send("PATCH", path, body, updateMask="title,includedPermissions,stage")
    changed = body | {"includedPermissions": ["pubsub.topics.get", "pubsub.topics.list"]}
    provider.send("PATCH", path, changed, updateMask="includedPermissions")
    read = provider.send("GET", path)
    assert {name: read[name] for name in changed} == changed
    provider.send("DELETE", path)
    assert provider.send("GET", path)["deleted"]


def topic(provider: Provider) -> None:
    """Created by PUT without a name in the body; a mask in the query, the topic in a wrapper."""
    path = f"pubsub/v1/{P}/topics/orders"
    body = {"labels": {"v": "1"}, "messageRetentionDuration": "86400s"}
    created = provider.send("PUT", path, body)
    assert created == body | {"name": f"{P}/topics/orders"} | created
    change = {"topic": {"labels": {"v": "2"}, "messageRetentionDuration": "86400s"}}
    provider.send("PATCH", path, change, updateMask="labels")
    assert provider.send("GET", path) == created | {"labels": {"v": "2"}}
    provider.lend("GET", path, "roles/pubsub.publisher")
    assert provider.send("DELETE", path) == {}
    provider.gone(path)


def subscription(provider: Provider) -> None:
    """Nulls are as good as absent, and `bigqueryConfig` is in the mask without cause."""
    provider.send("PUT", f"pubsub/v1/{P}/topics/orders", {})
    provider.send("PUT", f"pubsub/v1/{P}/topics/dead", {})
    path = f"pubsub/v1/{P}/subscriptions/orders-worker"
    body = {
        "ackDeadlineSeconds": 20,
        "deadLetterPolicy": {"deadLetterTopic": f"{P}/topics/dead", "maxDeliveryAttempts": 5},
        "expirationPolicy": None,
        "labels": {"v": "1"},
        "messageRetentionDuration": "604800s",
        "pushConfig": {"pushEndpoint": "http://127.0.0.1:9/worker"},
        "retryPolicy": {"minimumBackoff": "10s"},
        "topic": f"{P}/topics/orders",
    }
    created = provider.send("PUT", path, body)
    assert (created["expirationPolicy"], created["state"]) == ({"ttl": "2678400s"}, "ACTIVE")
    provider.send(
        "PATCH",
        path,
        {"subscription": body | {"labels": {"v": "2"}}},
        updateMask="labels,bigqueryConfig",
    )
    assert provider.send("GET", path) == created | {"labels": {"v": "2"}}
    provider.lend("GET", path, "roles/pubsub.subscriber")
    for name in ("subscriptions/orders-worker", "topics/orders", "topics/dead"):
        assert provider.send("DELETE", f"pubsub/v1/{P}/{name}") == {}
    provider.gone(path)


def bucket(provider: Provider) -> None:
    """Merged, its bare policy emptied without an etag; looked through before it is deleted."""
    path = "storage/storage/v1/b/local-proj-data"
    body = {
        "iamConfiguration": {
            "uniformBucketLevelAccess": {"enabled": True},
            "publicAccessPrevention": "inherited",
            "bucketPolicyOnly": {"enabled": True},
        },
        "labels": {"v": "1"},
        "lifecycle": {"rule": [{"action": {"type": "Delete"}, "condition": {"age": 30}}]},
        "location": "EU",
        "name": "local-proj-data",
        "storageClass": "STANDARD",
    }
    created = provider.send("POST", "storage/storage/v1/b", body, project="local-proj")
    assert {name: created[name] for name in ("labels", "lifecycle", "location")} == {
        name: body[name] for name in ("labels", "lifecycle", "location")
    }
    provider.send("PATCH", path, {"labels": {"v": "2"}})
    read = provider.send("GET", path)
    assert (read["labels"], read["lifecycle"]) == ({"v": "2"}, body["lifecycle"])
    assert int(read["metageneration"]) == int(created["metageneration"]) + 1
    policy = provider.send("GET", f"{path}/iam", optionsRequestedPolicyVersion="3")
    binding = {"role": "roles/storage.objectViewer", "members": [MEMBER]}
    bindings = [*policy.get("bindings", []), binding]
    granted = {"bindings": bindings, "etag": policy["etag"], "version": 3}
    provider.send("PUT", f"{path}/iam", granted)
    assert binding in provider.send("GET", f"{path}/iam")["bindings"]
    provider.send("PUT", f"{path}/iam", {"version": 3})
    assert not provider.send("GET", f"{path}/iam").get("bindings")
    provider.send("GET", f"{path}/anywhereCaches/")
    assert "items" not in provider.send("GET", f"{path}/o", versions="true")
    provider.send("DELETE", path, code=204)
    provider.gone(path)


def dataset(provider: Provider) -> None:
    """Replaced without its access list, which stays; members come and go by patches of it."""
    path = f"bigquery/bigquery/v2/{P}/datasets/events"
    version = {"accessPolicyVersion": "3"}
    body = {"datasetReference": {"datasetId": "events"}, "labels": {"v": "1"}, "location": "EU"}
    created = provider.send("POST", f"bigquery/bigquery/v2/{P}/datasets", body, **version)
    full = {
        "datasetReference": {"datasetId": "events"},
        "defaultCollation": "",
        "friendlyName": "",
        "labels": {"v": "2"},
        "location": "EU",
        "maxTimeTravelHours": "168",
    }
    provider.send("PUT", path, full, **version)
    read = provider.send("GET", path, **version)
    assert (read["labels"], read["access"]) == ({"v": "2"}, created["access"])
    # The provider's own bookkeeping is in the entry: a key that Google does not know.
    entry = {"role": "roles/bigquery.dataEditor", "userByEmail": "a@local.test", "datasetId": "x"}
    provider.send("PATCH", path, {"access": [*read["access"], entry]}, **version)
    shared = provider.send("GET", path, **version)["access"]
    assert {"role": "WRITER", "userByEmail": "a@local.test"} in shared
    provider.send("PATCH", path, {"access": read["access"]}, **version)
    assert provider.send("GET", path, **version)["access"] == read["access"]
    provider.send("DELETE", path, code=204, deleteContents="false")
    provider.gone(path, **version)


def table(provider: Provider) -> None:
    """Read and replaced as a whole; its dataset is not deleted before it."""
    datasets = f"bigquery/bigquery/v2/{P}/datasets"
    provider.send("POST", datasets, {"datasetReference": {"datasetId": "events"}})
    path = f"{datasets}/events/tables/orders"
    body = {
        "labels": {"v": "1"},
        "schema": {
            "fields": [
                {"mode": "REQUIRED", "name": "id", "policyTags": {"names": []}, "type": "STRING"},
                {"name": "ts", "policyTags": {"names": []}, "type": "TIMESTAMP"},
            ]
        },
        "tableReference": {"datasetId": "events", "projectId": "local-proj", "tableId": "orders"},
        "timePartitioning": {"field": "ts", "requirePartitionFilter": False, "type": "DAY"},
    }
    provider.send("POST", f"{datasets}/events/tables", body)
    provider.send("GET", path)
    provider.send("PUT", path, body | {"labels": {"v": "2"}})
    read = provider.send("GET", path)
    assert (read["labels"], read["timePartitioning"]["field"]) == ({"v": "2"}, "ts")
    policy = provider.send("POST", f"{path}:getIamPolicy")
    binding = {"role": "roles/bigquery.dataEditor", "members": [MEMBER]}
    granted = {"policy": {"bindings": [binding], "etag": policy["etag"], "version": 1}}
    provider.send("POST", f"{path}:setIamPolicy", granted)
    assert provider.send("POST", f"{path}:getIamPolicy")["bindings"] == [binding]
    provider.send("DELETE", f"{datasets}/events", code=400, deleteContents="false")
    provider.send("DELETE", path, code=204)
    provider.gone(path)
    provider.send("DELETE", f"{datasets}/events", code=204, deleteContents="false")


def database(provider: Provider) -> None:
    """Through operations below the database's own name."""
    path = f"firestore/v1/{P}/databases/appdb"
    body = {
        "locationId": "eur3",
        "name": f"{P}/databases/appdb",
        "pointInTimeRecoveryEnablement": "POINT_IN_TIME_RECOVERY_DISABLED",
        "type": "FIRESTORE_NATIVE",
    }
    operation = provider.send("POST", f"firestore/v1/{P}/databases", body, databaseId="appdb")
    assert operation["name"].startswith(f"{P}/databases/appdb/operations/")
    provider.wait("firestore/v1/", operation)
    read = provider.send("GET", path)
    settings = ("appEngineIntegrationMode", "concurrencyMode", "deleteProtectionState", "etag")
    change = {name: read[name] for name in settings} | {
        "pointInTimeRecoveryEnablement": "POINT_IN_TIME_RECOVERY_ENABLED",
        "type": "FIRESTORE_NATIVE",
    }
    mask = "pointInTimeRecoveryEnablement"
    provider.wait("firestore/v1/", provider.send("PATCH", path, change, updateMask=mask))
    assert provider.send("GET", path)[mask] == change[mask]
    # Not polled: what is deleted is gone with the answer.
    provider.send("DELETE", path)
    provider.gone(path)


def secret(provider: Provider) -> None:
    """Named by the project's number in answers, and from then on in calls."""
    path = f"secretmanager/v1/{P}/secrets/db-pass"
    body = {"labels": {"v": "1"}, "replication": {"automatic": {}}}
    created = provider.send("POST", f"secretmanager/v1/{P}/secrets", body, secretId="db-pass")
    assert created["name"] == f"{NUMBERED}/secrets/db-pass"
    payload = {"payload": {"data": "czNjcmV0"}}
    version = provider.send("POST", f"{path}:addVersion", payload)["name"]
    assert version == f"{NUMBERED}/secrets/db-pass/versions/1"
    versioned = f"secretmanager/v1/{version}"
    assert provider.send("POST", f"{versioned}:enable")["state"] == "ENABLED"
    assert provider.send("GET", f"{versioned}:access")["payload"]["data"] == "czNjcmV0"
    change = {"labels": {"v": "2"}, "replication": {"automatic": {}}}
    provider.send("PATCH", path, change, updateMask="labels")
    assert provider.send("GET", path)["labels"] == {"v": "2"}
    provider.lend("GET", path, "roles/secretmanager.secretAccessor")
    assert provider.send("POST", f"{versioned}:destroy")["state"] == "DESTROYED"
    assert provider.send("GET", versioned)["state"] == "DESTROYED"
    assert provider.send("DELETE", path) == {}
    provider.gone(path)
    provider.gone(versioned)


def repository(provider: Provider) -> None:
    """Its id in a proto name; created and deleted by operations, changed without one."""
    path = f"artifactregistry/v1/{L}/repositories/images"
    body = {"format": "DOCKER", "labels": {"v": "1"}, "mode": "STANDARD_REPOSITORY"}
    creating = provider.send(
        "POST", f"artifactregistry/v1/{L}/repositories", body, repository_id="images"
    )
    provider.wait("artifactregistry/v1/", creating)
    created = provider.send("GET", path)
    assert created == body | created
    change = {"cleanupPolicies": {}, "labels": {"v": "2"}}
    changed = provider.send("PATCH", path, change, updateMask="labels")
    assert changed["name"] == f"{L}/repositories/images"
    assert provider.send("GET", path)["labels"] == {"v": "2"}
    provider.lend("GET", path, "roles/artifactregistry.reader")
    provider.wait("artifactregistry/v1/", provider.send("DELETE", path))
    provider.gone(path)


def job(provider: Provider) -> None:
    """Resumed after its creation, replaced as a whole."""
    path = f"cloudscheduler/v1/{L}/jobs/tick"
    body = {
        "description": "v1",
        "httpTarget": {"httpMethod": "POST", "uri": "http://127.0.0.1:9/worker"},
        "name": f"{L}/jobs/tick",
        "schedule": "0 3 1 1 *",
        "timeZone": "Etc/UTC",
    }
    provider.send("POST", f"cloudscheduler/v1/{L}/jobs", body)
    assert provider.send("POST", f"{path}:resume")["state"] == "ENABLED"
    created = provider.send("GET", path)
    assert created["attemptDeadline"] == "180s"
    assert "retryConfig" not in created
    change = {name: value for name, value in body.items() if name != "name"}
    provider.send("PATCH", path, change | {"attemptDeadline": "180s", "description": "v2"})
    changed = provider.send("GET", path)
    kept = {"userUpdateTime": changed["userUpdateTime"], "description": "v2"}
    assert changed == created | kept
    assert provider.send("POST", f"{path}:pause")["state"] == "PAUSED"
    assert provider.send("DELETE", path) == {}
    provider.gone(path)


def api(provider: Provider) -> None:
    """Enabled alone or together, polled on the older version, and seen in the list."""
    services = f"serviceusage/v1/{P}/services"
    enabling = provider.send("POST", f"{services}/run.googleapis.com:enable")
    provider.wait("serviceusage/v1beta1/", enabling)
    together = {"serviceIds": ["run.googleapis.com", "pubsub.googleapis.com"]}
    provider.wait(
        "serviceusage/v1beta1/", provider.send("POST", f"{services}:batchEnable", together)
    )
    listing = {
        "fields": "services/name,nextPageToken",
        "filter": "state:ENABLED",
        "pageSize": "200",
    }
    name = f"{NUMBERED}/services/run.googleapis.com"
    assert name in [
        found["name"] for found in provider.send("GET", services, **listing)["services"]
    ]
    disabling = provider.send(
        "POST", f"{services}/run.googleapis.com:disable", {"checkIfServiceHasUsage": "SKIP"}
    )
    provider.wait("serviceusage/v1beta1/", disabling)
    left = provider.send("GET", services, **listing)["services"]
    assert name not in [found["name"] for found in left]


def project_member(provider: Provider) -> None:
    """The project's policy keeps its other bindings; options are in the body."""
    path = f"resourcemanager/v1/{P}"
    options = {"options": {"requestedPolicyVersion": 3}}
    policy = provider.send("POST", f"{path}:getIamPolicy", options)
    binding = {"role": "roles/logging.logWriter", "members": [MEMBER]}
    for bindings in ([*policy["bindings"], binding], policy["bindings"]):
        etag = provider.send("POST", f"{path}:getIamPolicy", options)["etag"]
        wanted = {"bindings": bindings, "etag": etag, "version": 3}
        body = {"policy": wanted, "updateMask": "bindings,etag,auditConfigs"}
        provider.send("POST", f"{path}:setIamPolicy", body)
        read = provider.send("POST", f"{path}:getIamPolicy", options)
        assert sorted(read["bindings"], key=_by_role) == sorted(bindings, key=_by_role)
        assert read["etag"] != etag


def _by_role(binding: dict[str, Any]) -> str:
    return str(binding["role"])


LIVES = (
    account,
    role,
    topic,
    subscription,
    bucket,
    dataset,
    table,
    database,
    secret,
    repository,
    job,
    api,
    project_member,
)


@pytest.fixture(name="provider")
def provider_fixture(local_cloud: Any) -> Provider:
    """The provider, as the deployer."""
    return Provider(local_cloud)


@pytest.mark.parametrize("live", LIVES, ids=lambda live: live.__name__)
def test_a_life_as_the_provider_leads_it(
    provider: Provider, live: Callable[[Provider], None]
) -> None:
    """Created, read, changed, shared and deleted; a second life begins as the first one did."""
    if live is not account:
        body = {"accountId": "worker-sa"}
        provider.send("POST", f"iam/v1/{P}/serviceAccounts", body)
    live(provider)
    live(provider)
