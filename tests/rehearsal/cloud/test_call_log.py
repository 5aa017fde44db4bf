"""The call log: every call, also a refused one, and nothing that is secret."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.api_core import exceptions
from google.cloud.pubsub_v1 import SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from rehearsal.cloud.call_log import CallLog, CallRecord, previous_log

PROJECT = "/resourcemanager/v1/projects/local-proj"
TOPICS = "/pubsub/v1/projects/local-proj/topics"
DEPLOYER = "user:developer@local.test"
STRANGER = "user:stranger@local.test"
UPLOAD = "/storage/upload/storage/v1/b/bucket-0/o"


def logged(cloud: Any) -> list[dict[str, Any]]:
    """Return every record there is."""
    return [json.loads(line) for line in cloud.deployer.get("/_local/log").text.splitlines()]


def outcome(record: dict[str, Any]) -> tuple[Any, ...]:
    """Return what a record says of a call: what, who, what it needed, what came."""
    return tuple(record[key] for key in ("method", "principal", "permission", "decision", "code"))


def test_each_call_tells_what_it_needed_and_what_was_decided(local_cloud: Any, expect: Any) -> None:
    """Identity, permission, decision and injected fault of calls of every transport."""
    local_cloud.enable("storage")
    expect(local_cloud.client(STRANGER).put(f"{TOPICS}/orders", json={}), 403)
    expect(local_cloud.deployer.put(f"{TOPICS}/orders", json={}))
    params = {"project": "local-proj"}
    bucket = {"name": "bucket-0"}
    expect(local_cloud.deployer.post("/storage/storage/v1/b", params=params, json=bucket))
    expect(local_cloud.deployer.post(UPLOAD, params={"name": "report"}, content=b"x"))
    expect(local_cloud.client(STRANGER).get(f"{UPLOAD[:8]}{UPLOAD[15:]}/report?alt=media"), 403)
    expect(local_cloud.client(STRANGER).get("/v2/local-proj/images/app/tags/list"), 404)
    topics, publish = "pubsub.projects.topics", "artifactregistry.registry.get"
    assert [outcome(record) for record in logged(local_cloud)[-6:-1]] == [
        (f"{topics}.create", STRANGER, "pubsub.topics.create", "denied", 403),
        (f"{topics}.create", DEPLOYER, "pubsub.topics.create", "allowed", 200),
        ("storage.buckets.insert", DEPLOYER, "storage.buckets.create", "allowed", 200),
        ("storage.objects.insert", DEPLOYER, "storage.objects.create", "allowed", 200),
        ("storage.objects.get", STRANGER, "storage.objects.get", "denied", 403),
    ]
    pulled = logged(local_cloud)[-1]
    assert pulled["permission"] == "artifactregistry.repositories.downloadArtifacts"
    assert (pulled["method"], publish) == ("registry GET", publish)


def test_what_is_refused_at_the_door_is_logged(local_cloud: Any, expect: Any) -> None:
    """A forged token, no JSON, a method without a model, a way out and a way in from outside."""
    expect(local_cloud.client(token="ya29.local.forged").get(PROJECT), 401)
    expect(local_cloud.deployer.post(f"{PROJECT}:getIamPolicy", content=b"{"), 400)
    expect(local_cloud.deployer.get("/run/v2/projects/local-proj/locations/x/jobs"), 400)
    with httpx.Client(proxy=local_cloud.base_url, trust_env=False) as client:
        assert client.get("http://example.invalid/secret?token=abc").status_code == 403
    with pytest.raises(json.JSONDecodeError):
        expect(local_cloud.deployer.get(PROJECT, headers={"Host": "evil.test"}), 403)
    records = logged(local_cloud)[-5:]
    assert [(record["code"], record["decision"]) for record in records] == [
        (401, "denied"),
        (400, "denied"),
        (400, "unchecked"),
        (403, "denied"),
        (403, "denied"),
    ]
    assert records[0]["method"] == f"GET {PROJECT}"
    assert records[2]["method"] == "run.projects.locations.jobs.list"
    assert records[4]["message"] == "The local cloud is not at evil.test."
    assert "abc" not in json.dumps(records)


def test_calls_over_grpc_are_logged(local_cloud: Any, expect: Any) -> None:
    """Unary calls and streams, with the identity of the port or of the token."""
    expect(local_cloud.deployer.put(f"{TOPICS}/orders", json={}))
    token = local_cloud.cloud.tokens.access_token(STRANGER)
    with grpc.insecure_channel(f"127.0.0.1:{local_cloud.cloud.pubsub_port}") as channel:
        client = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        name = "projects/local-proj/subscriptions/work"
        client.create_subscription(name=name, topic="projects/local-proj/topics/orders")
        metadata = (("authorization", f"Bearer {token}"),)
        with pytest.raises(exceptions.PermissionDenied):
            client.get_subscription(subscription=name, metadata=metadata)
        forged = (("authorization", "Bearer forged"),)
        with pytest.raises(exceptions.Unauthenticated):
            client.get_subscription(subscription=name, metadata=forged)
        with pytest.raises(exceptions.FailedPrecondition):
            client.seek(request={"subscription": name})
    subscriptions = "pubsub.projects.subscriptions"
    permissions = ("pubsub.subscriptions.create", "pubsub.subscriptions.get")
    assert [outcome(record) for record in logged(local_cloud)[-4:]] == [
        (f"{subscriptions}.create", DEPLOYER, permissions[0], "allowed", 200),
        (f"{subscriptions}.get", STRANGER, permissions[1], "denied", 403),
        (f"{subscriptions}.get", "anonymous", "", "denied", 401),
        ("google.pubsub.v1.Subscriber.Seek", DEPLOYER, "", "unchecked", 400),
    ]


def test_only_the_deployer_reads_the_log(local_cloud: Any, expect: Any) -> None:
    """It tells of everybody's calls."""
    for path in ("log", "services", "logs/worker", "faults"):
        expect(local_cloud.client(STRANGER).get(f"/_local/{path}"), 403)
        expect(local_cloud.client().get(f"/_local/{path}"), 403)


def test_no_token_is_ever_written(local_cloud: Any, expect: Any) -> None:
    """Neither a good one nor a forged one, wherever a caller puts it."""
    token = local_cloud.cloud.tokens.access_token(DEPLOYER)
    expect(local_cloud.deployer.get(PROJECT, params={"access_token": token}))
    expect(local_cloud.client(token=f"{token}x").get(PROJECT), 401)
    basic = httpx.BasicAuth("oauth2accesstoken", token)
    assert httpx.get(f"{local_cloud.base_url}/v2/", auth=basic, trust_env=False).is_success
    folder: Path = local_cloud.cloud.data_dir
    secret = token.rpartition(".")[2]
    written = [file for file in folder.rglob("*") if file.is_file() and "keys" not in file.parts]
    assert written
    assert [file for file in written if secret.encode() in file.read_bytes()] == []


def test_the_log_is_whole_while_many_call(local_cloud: Any, expect: Any) -> None:
    """Each line is a record, however many calls run beside each other and beside reading."""

    def call() -> None:
        with httpx.Client(
            base_url=local_cloud.base_url, headers=local_cloud.deployer.headers, trust_env=False
        ) as client:
            for _ in range(40):
                assert client.get(PROJECT).is_success

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    while any(caller.is_alive() for caller in callers):
        whole = local_cloud.deployer.get("/_local/log").text.rpartition("\n")[0]
        assert all(json.loads(line)["code"] for line in whole.splitlines())
    for caller in callers:
        caller.join()
    gets = [one for one in logged(local_cloud) if one["method"].endswith("projects.get")]
    assert len(gets) == 160


def record_of(number: int) -> CallRecord:
    """Return some record."""
    return CallRecord(number, "m", DEPLOYER, "r", "allowed", 200, 0.1, message="x" * 100)


def test_a_full_log_is_put_aside(tmp_path: Path) -> None:
    """It never takes more than twice its bound, and its latest records are always there."""
    path = tmp_path / "calls.jsonl"
    log = CallLog(path, largest=2_000)
    for number in range(100):
        log.write(record_of(number))
        sizes = [file.stat().st_size for file in tmp_path.iterdir()]
        assert sum(sizes) <= 2 * 2_300
    log.close()
    lines = previous_log(path).read_text() + path.read_text()
    numbers = [json.loads(line)["at"] for line in lines.splitlines()]
    assert numbers == list(range(100 - len(numbers), 100))
    assert len(numbers) >= 5


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.test"},
        {"Host": "127.0.0.1.evil.test"},
        {"Host": "localhost.evil.test:80"},
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_pages_of_the_internet_are_refused(
    local_cloud: Any, expect: Any, headers: dict[str, str]
) -> None:
    """A foreign name for loopback (DNS rebinding) and another site's form change nothing."""
    url = f"{local_cloud.base_url}{TOPICS}/orders"
    expect(local_cloud.deployer.put(f"{TOPICS}/kept", json={}))
    assert local_cloud.deployer.put(url, json={}, headers=headers).status_code == 403
    expect(local_cloud.deployer.get(f"{TOPICS}/orders"), 404)


@pytest.mark.parametrize("host", ["127.0.0.1:80", "localhost", "LOCALHOST:8080", "[::1]:80"])
def test_loopback_has_several_names(local_cloud: Any, expect: Any, host: str) -> None:
    """Clients, and a page that this machine serves, may use any of them."""
    headers = {"Host": host, "Origin": f"http://{host}"}
    expect(local_cloud.deployer.get(PROJECT, headers=headers))


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
    ],
)
def test_a_request_of_two_lengths_is_refused(head: str, raw: Callable[[str], str]) -> None:
    """What two readers would cut differently (request smuggling) is no request."""
    answer = raw(f"POST {PROJECT}:getIamPolicy HTTP/1.1\r\nHost: localhost\r\n{head}\r\n0\r\n\r\n")
    assert " 400 " in answer.partition("\r\n")[0]


@pytest.fixture(name="raw")
def raw_exchange(local_cloud: Any) -> Callable[[str], str]:
    """Send bytes as they are and return what comes back first."""

    def exchange(text: str) -> str:
        with socket.create_connection(("127.0.0.1", local_cloud.cloud.port), 10) as connection:
            connection.sendall(text.encode())
            return connection.recv(4096).decode(errors="replace")

    return exchange
