"""Google's own Python clients cannot tell the local cloud from the real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import google_auth_httplib2
import httplib2
import pytest
from google.api_core.exceptions import Conflict, NotFound
from google.cloud import storage
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

PROJECT = "projects/local-proj"
LOCATION = f"{PROJECT}/locations/europe-west1"
BINDING = {"role": "roles/viewer", "members": ["user:reader@local.test"]}


@pytest.fixture(name="credentials")
def credentials_fixture(local_cloud: Any) -> Credentials:
    """The deployer's, as any client of Google's takes them."""
    local_cloud.enable("storage", "bigquery")
    return Credentials(token=local_cloud.cloud.tokens.access_token(local_cloud.cloud.deployer))


@pytest.fixture(name="api")
def api_fixture(local_cloud: Any, credentials: Credentials) -> Iterator[Callable[..., Any]]:
    """Build `google-api-python-client`'s client of an API, made of Google's own document."""
    opened = []

    def client(name: str, version: str) -> Any:
        http = google_auth_httplib2.AuthorizedHttp(credentials, httplib2.Http(proxy_info=None))
        base = f"{local_cloud.base_url}/{name}"
        if name == "bigquery":
            # Its document has the version in the base, not in the methods' paths.
            base += f"/bigquery/{version}"
        built = build(name, version, http=http, client_options={"api_endpoint": f"{base}/"})
        opened.append(built)
        return built

    yield client
    for built in opened:
        built.close()


def _walk_policy(collection: Any, resource: str) -> None:
    """Grant a role with the etag read, see it, and be refused with the etag of before."""
    before = collection.getIamPolicy(resource=resource).execute()
    body = {"policy": before | {"bindings": [BINDING]}}
    granted = collection.setIamPolicy(resource=resource, body=body).execute()
    read = collection.getIamPolicy(resource=resource).execute()
    assert read == granted
    assert read["bindings"] == [BINDING]
    emptied = {"policy": {"etag": read["etag"], "bindings": []}}
    collection.setIamPolicy(resource=resource, body=emptied).execute()
    with pytest.raises(HttpError, match="409"):
        collection.setIamPolicy(resource=resource, body=emptied).execute()
    asked = {"permissions": ["resourcemanager.projects.get"]}
    assert collection.testIamPermissions(resource=resource, body=asked).execute() is not None


def test_topics_and_subscriptions(api: Any) -> None:
    """Created, read, changed by mask, listed, granted and deleted."""
    pubsub = api("pubsub", "v1").projects()
    topic, subscription = f"{PROJECT}/topics/orders", f"{PROJECT}/subscriptions/bill"
    pubsub.topics().create(name=topic, body={"labels": {"a": "b"}}).execute()
    pubsub.subscriptions().create(name=subscription, body={"topic": topic}).execute()
    change = {"subscription": {"ackDeadlineSeconds": 30}, "updateMask": "ackDeadlineSeconds"}
    pubsub.subscriptions().patch(name=subscription, body=change).execute()
    read = pubsub.subscriptions().get(subscription=subscription).execute()
    assert (read["ackDeadlineSeconds"], read["topic"]) == (30, topic)
    assert len(pubsub.topics().list(project=PROJECT).execute()["topics"]) == 1
    _walk_policy(pubsub.topics(), topic)
    _walk_policy(pubsub.subscriptions(), subscription)
    pubsub.subscriptions().delete(subscription=subscription).execute()
    pubsub.topics().delete(topic=topic).execute()
    with pytest.raises(HttpError, match="404"):
        pubsub.topics().get(topic=topic).execute()


def test_secrets(api: Any) -> None:
    """A secret with a version, its label changed; two pages walked by the client's own hand."""
    secrets = api("secretmanager", "v1").projects().secrets()
    for name in ("key", "token"):
        body: dict[str, Any] = {"replication": {"automatic": {}}}
        secrets.create(parent=PROJECT, secretId=name, body=body).execute()
    name = f"{PROJECT}/secrets/key"
    secrets.addVersion(parent=name, body={"payload": {"data": "eA=="}}).execute()
    found = secrets.versions().access(name=f"{name}/versions/latest").execute()
    assert found["payload"]["data"] == "eA=="
    labels = {"labels": {"team": "x"}}
    secrets.patch(name=name, updateMask="labels", body=labels).execute()
    assert secrets.get(name=name).execute()["labels"] == {"team": "x"}
    request = secrets.list(parent=PROJECT, pageSize=1)
    pages = []
    while request is not None:
        pages.append(request.execute())
        request = secrets.list_next(request, pages[-1])
    assert [len(page["secrets"]) for page in pages] == [1, 1]
    _walk_policy(secrets, name)
    secrets.delete(name=name).execute()
    with pytest.raises(HttpError, match="404"):
        secrets.get(name=name).execute()


def test_accounts_and_roles(api: Any) -> None:
    """A service account and a custom role, changed and deleted."""
    iam = api("iam", "v1").projects()
    body = {"accountId": "worker", "serviceAccount": {"displayName": "Worker"}}
    account = iam.serviceAccounts().create(name=PROJECT, body=body).execute()
    change = {"serviceAccount": {"displayName": "Other"}, "updateMask": "displayName"}
    iam.serviceAccounts().patch(name=account["name"], body=change).execute()
    assert iam.serviceAccounts().get(name=account["name"]).execute()["displayName"] == "Other"
    _walk_policy(iam.serviceAccounts(), account["name"])
    role = {"roleId": "reader", "role": {"includedPermissions": ["pubsub.topics.get"]}}
    created = iam.roles().create(parent=PROJECT, body=role).execute()
    iam.roles().patch(name=created["name"], updateMask="title", body={"title": "R"}).execute()
    assert iam.roles().get(name=created["name"]).execute()["title"] == "R"
    iam.roles().delete(name=created["name"]).execute()
    iam.serviceAccounts().delete(name=account["name"]).execute()
    with pytest.raises(HttpError, match="404"):
        iam.serviceAccounts().get(name=account["name"]).execute()


def test_repositories_and_jobs(api: Any) -> None:
    """A repository through its operations, and a job of Cloud Scheduler."""
    repositories = api("artifactregistry", "v1").projects().locations().repositories()
    name = f"{LOCATION}/repositories/images"
    made = repositories.create(
        parent=LOCATION, repositoryId="images", body={"format": "DOCKER"}
    ).execute()
    assert made["done"]
    change = {"description": "ours"}
    repositories.patch(name=name, updateMask="description", body=change).execute()
    assert repositories.get(name=name).execute()["description"] == "ours"
    _walk_policy(repositories, name)
    assert repositories.delete(name=name).execute()["done"]
    jobs = api("cloudscheduler", "v1").projects().locations().jobs()
    job = {
        "name": f"{LOCATION}/jobs/nightly",
        "schedule": "0 3 1 1 *",
        "httpTarget": {"uri": "http://127.0.0.1:9/"},
    }
    jobs.create(parent=LOCATION, body=job).execute()
    jobs.patch(name=job["name"], updateMask="schedule", body={"schedule": "0 4 1 1 *"}).execute()
    assert jobs.get(name=job["name"]).execute()["schedule"] == "0 4 1 1 *"
    jobs.delete(name=job["name"]).execute()
    assert jobs.list(parent=LOCATION).execute() == {}


def test_buckets_and_objects(local_cloud: Any, credentials: Credentials) -> None:
    """`google-cloud-storage` makes a bucket, fills, lists, reads, grants and empties it."""
    endpoint = {"api_endpoint": f"{local_cloud.base_url}/storage"}
    client = storage.Client("local-proj", credentials=credentials, client_options=endpoint)
    try:
        bucket = client.create_bucket("reports", location="EU")
        with pytest.raises(Conflict):
            client.create_bucket("reports")
        bucket.labels = {"team": "x"}
        bucket.patch()
        assert client.get_bucket("reports").labels == {"team": "x"}
        for name in ("a/1", "a/2", "b"):
            bucket.blob(name).upload_from_string(name)
        names = [blob.name for blob in client.list_blobs("reports", page_size=2)]
        assert names == ["a/1", "a/2", "b"]
        assert bucket.blob("a/2").download_as_bytes() == b"a/2"
        policy = bucket.get_iam_policy(requested_policy_version=3)
        role = "roles/storage.objectViewer"
        policy.bindings = [{"role": role, "members": {"user:reader@local.test"}}]
        bucket.set_iam_policy(policy)
        assert bucket.get_iam_policy().bindings[0]["role"] == role
        bucket.delete(force=True)
        with pytest.raises(NotFound):
            client.get_bucket("reports")
    finally:
        client.close()


def test_datasets_and_tables(api: Any) -> None:
    """BigQuery's metadata, with an error of the older kind at the end."""
    bigquery = api("bigquery", "v2")
    at = {"projectId": "local-proj", "datasetId": "sales"}
    where = {"projectId": "local-proj"}
    bigquery.datasets().insert(**where, body={"datasetReference": at}).execute()
    bigquery.datasets().patch(**at, body={"description": "ours"}).execute()
    assert bigquery.datasets().get(**at).execute()["description"] == "ours"
    fields = [{"name": "id", "type": "STRING"}]
    body = {"tableReference": at | {"tableId": "orders"}, "schema": {"fields": fields}}
    bigquery.tables().insert(**at, body=body).execute()
    assert bigquery.tables().get(**at, tableId="orders").execute()["schema"]["fields"]
    assert bigquery.tables().list(**at).execute()["totalItems"] == 1
    with pytest.raises(HttpError, match="400"):
        bigquery.datasets().delete(**at).execute()
    bigquery.datasets().delete(**at, deleteContents=True).execute()
    with pytest.raises(HttpError, match="404"):
        bigquery.datasets().get(**at).execute()
