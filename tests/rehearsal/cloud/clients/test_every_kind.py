"""What holds for every kind of resource, seen by the client that its users have.

What a kind alone does is in the module of its service; Cloud Run's services, which need images, are
in `tests/rehearsal/cloud/run/test_google_client.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from google.cloud.artifactregistry_v1 import ArtifactRegistryClient
from google.cloud.firestore_admin_v1 import FirestoreAdminClient
from google.cloud.scheduler_v1 import CloudSchedulerClient
from google.cloud.secretmanager_v1 import SecretManagerServiceClient
from google_clients import LOCATION, PROJECT, STRANGER, Clients, refused

Act = Callable[[Any, str], Any]


@dataclass(frozen=True)
class Kind:
    """A kind of resource, as its client handles it.

    Attributes:
        name: The kind's, for the test's own name.
        connect: The client, of a principal.
        create: Make one with an id, and wait for it.
        get: Read one.
        delete: Remove one, and wait for it.
        ids: All ids there are, in pages of two where the client can ask for them.
        bad_id: What no resource of the kind may be called.
    """

    name: str
    connect: Callable[[Clients, str], Any]
    create: Act
    get: Act
    delete: Act
    ids: Callable[[Any], list[str]]
    bad_id: str = "No_Such-"


def _secret(manager: Any, secret_id: str) -> Any:
    return manager.create_secret(
        parent=PROJECT, secret_id=secret_id, secret={"replication": {"automatic": {}}}
    )


def _database(admin: Any, database_id: str) -> Any:
    body = {"location_id": "eur3", "type_": "FIRESTORE_NATIVE"}
    return admin.create_database(parent=PROJECT, database_id=database_id, database=body).result(10)


def _repository(registry: Any, repository_id: str) -> Any:
    return registry.create_repository(
        parent=LOCATION, repository_id=repository_id, repository={"format_": "DOCKER"}
    ).result(10)


def _job(scheduler: Any, job_id: str) -> Any:
    job = {
        "name": f"{LOCATION}/jobs/{job_id}",
        "schedule": "0 3 1 1 *",
        "http_target": {"uri": "http://127.0.0.1:9/"},
    }
    return scheduler.create_job(parent=LOCATION, job=job)


def _account(iam: Any, account_id: str) -> Any:
    return iam.serviceAccounts().create(name=PROJECT, body={"accountId": account_id}).execute()


def _account_name(account_id: str) -> str:
    return f"{PROJECT}/serviceAccounts/{account_id}@local-proj.iam.gserviceaccount.com"


def _role(iam: Any, role_id: str) -> Any:
    body = {"roleId": role_id, "role": {"includedPermissions": ["pubsub.topics.get"]}}
    return iam.roles().create(parent=PROJECT, body=body).execute()


def _last(names: Any) -> list[str]:
    return [str(name).rpartition("/")[2].partition("@")[0] for name in names]


def _listed(collection: Any, field: str, **query: Any) -> list[Any]:
    """All entries, walked page by page as the library does it."""
    entries = []
    request = collection.list(**query)
    while request is not None:
        page = request.execute()
        assert len(page.get(field, ())) <= 2
        entries += page.get(field, ())
        request = collection.list_next(request, page)
    return entries


def _dataset(bigquery: Any, dataset_id: str) -> Any:
    reference = {"datasetReference": {"projectId": "local-proj", "datasetId": dataset_id}}
    return bigquery.datasets().insert(projectId="local-proj", body=reference).execute()


def _dataset_ids(bigquery: Any) -> list[str]:
    query = {"projectId": "local-proj", "maxResults": 2}
    entries = _listed(bigquery.datasets(), "datasets", **query)
    return [entry["datasetReference"]["datasetId"] for entry in entries]


KINDS = (
    Kind(
        "secret",
        lambda clients, who: clients.rest(SecretManagerServiceClient, "secretmanager", who),
        _secret,
        lambda manager, name: manager.get_secret(name=f"{PROJECT}/secrets/{name}"),
        lambda manager, name: manager.delete_secret(name=f"{PROJECT}/secrets/{name}"),
        lambda manager: _last(
            secret.name for secret in manager.list_secrets({"parent": PROJECT, "page_size": 2})
        ),
        bad_id="no spaces",
    ),
    Kind(
        "database",
        lambda clients, who: clients.rest(FirestoreAdminClient, "firestore", who),
        _database,
        lambda admin, name: admin.get_database(name=f"{PROJECT}/databases/{name}"),
        lambda admin, name: admin.delete_database(name=f"{PROJECT}/databases/{name}").result(10),
        lambda admin: _last(base.name for base in admin.list_databases(parent=PROJECT).databases),
    ),
    Kind(
        "repository",
        lambda clients, who: clients.rest(ArtifactRegistryClient, "artifactregistry", who),
        _repository,
        lambda registry, name: registry.get_repository(name=f"{LOCATION}/repositories/{name}"),
        lambda registry, name: registry.delete_repository(
            name=f"{LOCATION}/repositories/{name}"
        ).result(10),
        lambda registry: _last(
            found.name for found in registry.list_repositories({"parent": LOCATION, "page_size": 2})
        ),
    ),
    Kind(
        "job",
        lambda clients, who: clients.rest(CloudSchedulerClient, "cloudscheduler", who),
        _job,
        lambda scheduler, name: scheduler.get_job(name=f"{LOCATION}/jobs/{name}"),
        lambda scheduler, name: scheduler.delete_job(name=f"{LOCATION}/jobs/{name}"),
        lambda scheduler: _last(
            job.name for job in scheduler.list_jobs({"parent": LOCATION, "page_size": 2})
        ),
        bad_id="no spaces",
    ),
    Kind(
        "service account",
        lambda clients, who: clients.document("iam", "v1", who).projects(),
        _account,
        lambda iam, name: iam.serviceAccounts().get(name=_account_name(name)).execute(),
        lambda iam, name: iam.serviceAccounts().delete(name=_account_name(name)).execute(),
        lambda iam: _last(
            account["email"]
            for account in _listed(iam.serviceAccounts(), "accounts", name=PROJECT, pageSize=2)
        ),
    ),
    Kind(
        "custom role",
        lambda clients, who: clients.document("iam", "v1", who).projects(),
        _role,
        lambda iam, name: iam.roles().get(name=f"{PROJECT}/roles/{name}").execute(),
        lambda iam, name: iam.roles().delete(name=f"{PROJECT}/roles/{name}").execute(),
        lambda iam: _last(
            role["name"] for role in _listed(iam.roles(), "roles", parent=PROJECT, pageSize=2)
        ),
        bad_id="no spaces",
    ),
    Kind(
        "topic",
        lambda clients, who: clients.document("pubsub", "v1", who).projects(),
        lambda pubsub, name: (
            pubsub.topics().create(name=f"{PROJECT}/topics/{name}", body={}).execute()
        ),
        lambda pubsub, name: pubsub.topics().get(topic=f"{PROJECT}/topics/{name}").execute(),
        lambda pubsub, name: pubsub.topics().delete(topic=f"{PROJECT}/topics/{name}").execute(),
        lambda pubsub: _last(
            topic["name"]
            for topic in _listed(pubsub.topics(), "topics", project=PROJECT, pageSize=2)
        ),
        bad_id="googly",
    ),
    Kind(
        "dataset",
        lambda clients, who: clients.document("bigquery", "v2", who),
        _dataset,
        lambda bigquery, name: (
            bigquery.datasets().get(projectId="local-proj", datasetId=name).execute()
        ),
        lambda bigquery, name: (
            bigquery.datasets().delete(projectId="local-proj", datasetId=name).execute()
        ),
        _dataset_ids,
        bad_id="no-dashes",
    ),
    Kind(
        "bucket",
        lambda clients, who: clients.storage(who),
        lambda storage, name: storage.create_bucket(name),
        lambda storage, name: storage.get_bucket(name),
        lambda storage, name: storage.get_bucket(name).delete(),
        lambda storage: [bucket.name for bucket in storage.list_buckets(page_size=2)],
        bad_id="goog-data",
    ),
)
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def _ids(kind: Kind, *endings: str) -> list[str]:
    # No character beside letters and digits is allowed everywhere.
    separator = {"dataset": "_", "custom role": "."}.get(kind.name, "-")
    return [f"entry{separator}{ending}" for ending in endings]


@each_kind
def test_what_is_deleted_is_not_found(clients: Clients, kind: Kind) -> None:
    """Reading and deleting what was never there, or is no longer, ends in the same error."""
    client = kind.connect(clients, "")
    (known,) = _ids(kind, "first")
    with refused("NOT_FOUND"):
        kind.get(client, known)
    with refused("NOT_FOUND"):
        kind.delete(client, known)
    kind.create(client, known)
    kind.get(client, known)
    kind.delete(client, known)
    assert kind.ids(client) == []
    if kind.name == "custom role":
        # Google keeps it for a while: marked, and its name not free.
        assert kind.get(client, known)["deleted"]
        return
    with refused("NOT_FOUND"):
        kind.get(client, known)
    kind.create(client, known)
    assert kind.ids(client) == [known]


@each_kind
def test_what_exists_is_not_made_again(clients: Clients, kind: Kind) -> None:
    """The second of two creations is told so, and changes nothing."""
    client = kind.connect(clients, "")
    (name,) = _ids(kind, "first")
    kind.create(client, name)
    with refused("ALREADY_EXISTS"):
        kind.create(client, name)
    assert kind.ids(client) == [name]


@each_kind
def test_a_wrong_name_makes_nothing(clients: Clients, kind: Kind) -> None:
    """The request is at fault, not the resource."""
    client = kind.connect(clients, "")
    with refused("INVALID_ARGUMENT"):
        kind.create(client, kind.bad_id)
    assert kind.ids(client) == []


@each_kind
def test_a_stranger_is_denied(clients: Clients, kind: Kind) -> None:
    """Without a grant nothing is read, made, listed or deleted, whether it exists or not."""
    owner, stranger = kind.connect(clients, ""), kind.connect(clients, STRANGER)
    known, unknown = _ids(kind, "first", "second")
    kind.create(owner, known)
    for name in (known, unknown):
        with refused("PERMISSION_DENIED"):
            kind.get(stranger, name)
        with refused("PERMISSION_DENIED"):
            kind.delete(stranger, name)
    with refused("PERMISSION_DENIED"):
        kind.create(stranger, unknown)
    with refused("PERMISSION_DENIED"):
        kind.ids(stranger)
    assert kind.ids(owner) == [known]


@each_kind
def test_a_list_is_walked_page_by_page(clients: Clients, kind: Kind) -> None:
    """Every entry comes once, in the order of names, however the client turns the pages."""
    client = kind.connect(clients, "")
    names = _ids(kind, *"abcde")
    for name in reversed(names):
        kind.create(client, name)
    assert kind.ids(client) == names
