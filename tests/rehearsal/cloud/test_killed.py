"""`kill -9` in the middle of writes of every service: what was acknowledged is there."""

from __future__ import annotations

import base64
import hashlib
import itertools
import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.api_core import exceptions
from google.pubsub_v1 import PublisherClient, PubsubMessage, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from rehearsal.cloud import control
from rehearsal.cloud.info import CloudInfo

PROJECT = "projects/local-proj"
REGION = f"{PROJECT}/locations/europe-west1"
TOPIC = f"{PROJECT}/topics/orders"
SUBSCRIPTION = f"{PROJECT}/subscriptions/work"
APIS = ("artifactregistry", "cloudscheduler", "firestore", "iam", "pubsub", "secretmanager")
REPOSITORIES = f"/artifactregistry/v1/{REGION}/repositories"
BUCKETS = "/storage/storage/v1/b"
SECRETS = f"/secretmanager/v1/{PROJECT}/secrets"
DATASETS = f"/bigquery/bigquery/v2/{PROJECT}/datasets"
DATABASES = f"/firestore/v1/{PROJECT}/databases"
JOBS = f"/cloudscheduler/v1/{REGION}/jobs"


@dataclass
class Acknowledged:
    """What the cloud has confirmed before it died."""

    found_at: list[tuple[str, str]] = field(default_factory=list)
    """Where to look, and what must be in the answer."""
    published: set[str] = field(default_factory=set)
    settled: set[str] = field(default_factory=set)
    maybe_settled: set[str] = field(default_factory=set)

    @property
    def writes(self) -> int:
        """How much was confirmed."""
        return len(self.found_at) + len(self.published)

    def note(self, url: str, text: str) -> None:
        """Remember a write that was confirmed."""
        self.found_at.append((url, text))


def client_of(info: CloudInfo) -> httpx.Client:
    """Return a client of a cloud that calls as its deployer."""
    return httpx.Client(
        base_url=f"http://127.0.0.1:{info.port}",
        headers={"Authorization": f"Bearer {info.deployer_token}"},
        trust_env=False,
        timeout=30,
    )


def prepare(client: httpx.Client) -> None:
    """Make what the writers write to."""
    for api in APIS:
        url = f"/serviceusage/v1/{PROJECT}/services/{api}.googleapis.com:enable"
        client.post(url).raise_for_status()
    client.put(f"/pubsub/v1/{TOPIC}", json={}).raise_for_status()
    client.put(f"/pubsub/v1/{SUBSCRIPTION}", json={"topic": TOPIC}).raise_for_status()
    params = {"repositoryId": "images"}
    client.post(REPOSITORIES, params=params, json={"format": "DOCKER"}).raise_for_status()
    params = {"project": "local-proj"}
    client.post(BUCKETS, params=params, json={"name": "bucket-0"}).raise_for_status()
    reference = {"datasetReference": {"projectId": "local-proj", "datasetId": "sales"}}
    client.post(DATASETS, json=reference).raise_for_status()


def write_object(client: httpx.Client, done: Acknowledged, number: int) -> None:
    """Upload an object, every third time over an old one."""
    name, content = f"object-{number - number % 3}", f"content {number}"
    params = {"name": name}
    client.post(
        "/storage/upload/storage/v1/b/bucket-0/o", params=params, content=content.encode()
    ).raise_for_status()
    # The next write may have replaced it; until then it is this one.
    done.note(f"{BUCKETS}/bucket-0/o/{name}?alt=media", "content " if number % 3 != 2 else content)


def write_blob(client: httpx.Client, done: Acknowledged, number: int) -> None:
    """Push a blob to the registry."""
    content = f"layer {number}".encode()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    begun = client.post("/v2/local-proj/images/app/blobs/uploads/")
    begun.raise_for_status()
    pushed = client.put(begun.headers["Location"], params={"digest": digest}, content=content)
    pushed.raise_for_status()
    done.note(f"/v2/local-proj/images/app/blobs/{digest}", content.decode())


def write_secret(client: httpx.Client, done: Acknowledged, number: int) -> None:
    """Create a secret and a version of it."""
    params = {"secretId": f"key-{number}"}
    client.post(SECRETS, params=params, json={"replication": {"automatic": {}}}).raise_for_status()
    data = base64.b64encode(f"value {number}".encode()).decode()
    url = f"{SECRETS}/key-{number}"
    client.post(f"{url}:addVersion", json={"payload": {"data": data}}).raise_for_status()
    done.note(f"{url}/versions/1:access", data)


def write_table(client: httpx.Client, done: Acknowledged, number: int) -> None:
    """Create a table and insert a row."""
    reference = {"projectId": "local-proj", "datasetId": "sales", "tableId": f"table_{number}"}
    schema = {"fields": [{"name": "id", "type": "STRING"}]}
    body = {"tableReference": reference, "schema": schema}
    client.post(f"{DATASETS}/sales/tables", json=body).raise_for_status()
    url = f"{DATASETS}/sales/tables/table_{number}"
    done.note(url, f"table_{number}")
    row = {"rows": [{"json": {"id": f"row {number}"}}]}
    client.post(f"{url}/insertAll", json=row).raise_for_status()
    done.note(f"{url}/data", f"row {number}")


def write_database(client: httpx.Client, done: Acknowledged, number: int) -> None:
    """Create a database by a long-running operation."""
    params = {"databaseId": f"database-{number}"}
    body = {"locationId": "eur3", "type": "FIRESTORE_NATIVE"}
    made = client.post(DATABASES, params=params, json=body)
    made.raise_for_status()
    done.note(f"/firestore/v1/{made.json()['name']}", '"done": true')
    done.note(f"{DATABASES}/database-{number}", f"database-{number}")


def write_job(client: httpx.Client, done: Acknowledged, number: int) -> None:
    """Create a job that fires next year at the earliest."""
    name = f"{REGION}/jobs/job-{number}"
    target = {"uri": "http://127.0.0.1:9/", "httpMethod": "POST"}
    body = {"name": name, "schedule": "0 0 29 2 *", "httpTarget": target}
    client.post(JOBS, json=body).raise_for_status()
    done.note(f"{JOBS}/job-{number}", f"job-{number}")


def write_account_and_grant(client: httpx.Client, done: Acknowledged, number: int) -> None:
    """Create a service account and a topic, and grant the one the other."""
    accounts = f"/iam/v1/{PROJECT}/serviceAccounts"
    made = client.post(accounts, json={"accountId": f"account-{number}"})
    made.raise_for_status()
    email = made.json()["email"]
    topic = f"/pubsub/v1/{PROJECT}/topics/topic-{number}"
    client.put(topic, json={}).raise_for_status()
    role = {"role": "roles/pubsub.publisher", "members": [f"serviceAccount:{email}"]}
    policy = {"policy": {"bindings": [role]}}
    client.post(f"{topic}:setIamPolicy", json=policy).raise_for_status()
    done.note(f"{accounts}/{email}", email)
    done.note(f"{topic}:getIamPolicy", email)


WRITERS = (
    write_object,
    write_blob,
    write_secret,
    write_table,
    write_database,
    write_job,
    write_account_and_grant,
)


def publish_and_settle(channel: Any, done: Acknowledged) -> None:
    """Publish messages over gRPC, pull some and acknowledge every other one."""
    publisher = PublisherClient(transport=PublisherGrpcTransport(channel=channel))
    subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
    for number in itertools.count():
        text = f"message {number}"
        message = PubsubMessage(data=text.encode())
        publisher.publish(topic=TOPIC, messages=[message], retry=None)
        done.published.add(text)
        request = {"subscription": SUBSCRIPTION, "max_messages": 2}
        pulled = subscriber.pull(request=request, retry=None).received_messages[:1]
        texts = {one.message.data.decode() for one in pulled}
        done.maybe_settled |= texts
        ack_ids = [one.ack_id for one in pulled]
        subscriber.acknowledge(subscription=SUBSCRIPTION, ack_ids=ack_ids, retry=None)
        done.settled |= texts


def until_it_dies(work: Callable[[], None]) -> Callable[[], None]:
    """Return the work, ended by the death of the cloud and by nothing else."""

    def run() -> None:
        try:
            work()
        except (httpx.TransportError, exceptions.ServiceUnavailable):
            return

    return run


def write_http(info: CloudInfo, done: Acknowledged, seed: int) -> None:
    """Write one thing after the other, to services in a seeded order."""
    order = random.Random(seed)  # noqa: S311 - must repeat itself
    numbers = {writer: itertools.count() for writer in WRITERS}
    with client_of(info) as client:
        while True:
            writer = order.choice(WRITERS)
            writer(client, done, next(numbers[writer]))


def messages_left(info: CloudInfo) -> set[str]:
    """Pull everything that the subscription is owed."""
    found: set[str] = set()
    with client_of(info) as client:
        while True:
            body = {"maxMessages": 1000, "returnImmediately": True}
            answer = client.post(f"/pubsub/v1/{SUBSCRIPTION}:pull", json=body).json()
            received = answer.get("receivedMessages", [])
            if not received:
                return found
            found |= {base64.b64decode(one["message"]["data"]).decode() for one in received}


@pytest.fixture(name="data_dir")
def data_dir_that_is_stopped(tmp_path: Path) -> Iterator[Path]:
    """A folder whose cloud does not outlive the test."""
    yield tmp_path / "cloud"
    control.stop(tmp_path / "cloud")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_acknowledged_is_lost(data_dir: Path, seed: int) -> None:
    """Objects, blobs, secrets, tables, operations, jobs, policies and messages, over both ways."""
    info = control.start(data_dir, project_id="local-proj", propagation="none")
    with client_of(info) as client:
        prepare(client)
    done = Acknowledged()
    with grpc.insecure_channel(f"127.0.0.1:{info.pubsub_port}") as channel:
        writers = [
            threading.Thread(target=until_it_dies(lambda: write_http(info, done, seed))),
            threading.Thread(target=until_it_dies(lambda: publish_and_settle(channel, done))),
        ]
        for writer in writers:
            writer.start()
        enough = random.Random(seed).randint(100, 250)  # noqa: S311 - must repeat itself
        while done.writes < enough:
            assert all(writer.is_alive() for writer in writers)
            writers[0].join(0.001)
        os.kill(info.pid, signal.SIGKILL)
        os.waitpid(info.pid, 0)
        for writer in writers:
            writer.join()
    again = control.start(data_dir, project_id="local-proj", propagation="none")
    with client_of(again) as client:
        answers = [(url, text, client.get(url).text) for url, text in done.found_at]
    assert [url for url, text, answer in answers if text not in answer] == []
    assert {url.split("/")[1] for url, _ in done.found_at} >= {"storage", "v2", "secretmanager"}
    left = messages_left(again)
    assert done.published - done.maybe_settled <= left
    assert not done.settled & left
    assert done.settled
