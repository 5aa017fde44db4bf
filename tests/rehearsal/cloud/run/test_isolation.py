"""What a running rehearsal shows to other machines and to other users of this one."""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from rehearsal.cloud import control

PROC = Path("/proc")
TOKEN_MARK = b"ya29.local."
_LISTENING = "0A"

pytestmark = pytest.mark.skipif(
    not (PROC / "net" / "tcp").exists(), reason="needs /proc, which tells who listens where"
)


def processes_below(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    parents: dict[int, int] = {}
    for status in PROC.glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # It has ended meanwhile.
        parents[int(status.parent.name)] = int(fields[1])
    found = [pid]
    for parent in found:
        found += [child for child, its in parents.items() if its == parent]
    return found


def sockets_of(pid: int) -> Iterator[str]:
    """Yield the inodes of a process's sockets."""
    for descriptor in (PROC / str(pid) / "fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            yield target.removeprefix("socket:[").removesuffix("]")


def listening() -> Iterator[tuple[str, str, int]]:
    """Yield the inode, the address and the port of every listening socket."""
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        file = PROC / "net" / table
        for line in file.read_text().splitlines()[1:] if file.exists() else ():
            fields = line.split()
            address, _, port = fields[1].partition(":")
            words = bytes.fromhex(address)
            # Each word of four bytes is in this machine's order.
            raw = b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4))
            if fields[3] == _LISTENING:
                yield fields[9], socket.inet_ntop(family, raw), int(port, 16)


@pytest.fixture(name="rehearsal")
def running_rehearsal(
    tmp_path: Path,
    run_on: Any,
    running_cloud_of: Callable[[control.CloudInfo], Any],
    echo_source: str,
) -> Iterator[tuple[control.CloudInfo, Any]]:
    """A cloud in a process of its own, with a service that runs as an account."""
    info = control.start(tmp_path / "cloud", project_id="local-proj", propagation="none")
    try:
        run = run_on(running_cloud_of(info))
        run.create("worker", run.template(run.push({"main.py": echo_source})))
        yield info, run
    finally:
        control.stop(tmp_path / "cloud")


def test_everything_listens_on_loopback(rehearsal: tuple[control.CloudInfo, Any]) -> None:
    """REST, gRPC, services, their instances and their metadata servers, each of them."""
    info, _ = rehearsal
    inodes = {inode for pid in processes_below(info.pid) for inode in sockets_of(pid)}
    ours = [(address, port) for inode, address, port in listening() if inode in inodes]
    ports = {port for _, port in ours}
    assert {info.port, info.pubsub_port} <= ports
    # The service's URL, its instance, its metadata server and its Pub/Sub.
    assert len(ports) >= 6
    assert {address for address, _ in ours} <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def test_tokens_are_in_their_files_alone(rehearsal: tuple[control.CloudInfo, Any]) -> None:
    """In no process's arguments and in no log, and the files are their owner's."""
    info, run = rehearsal
    run.client.get("/_local/services")
    for pid in processes_below(info.pid):
        assert TOKEN_MARK not in (PROC / str(pid) / "cmdline").read_bytes()
    folder = info.data_dir
    with_tokens = {
        str(file.relative_to(folder))
        for file in folder.rglob("*")
        if file.is_file() and TOKEN_MARK in file.read_bytes()
    }
    assert with_tokens == {"cloud.json"}
    assert folder.stat().st_mode & 0o777 == 0o700
    readable = [
        str(file.relative_to(folder))
        for file in folder.iterdir()
        if file.is_file() and file.stat().st_mode & 0o077
    ]
    # The control's own lock and the log that it opens are made before the server is.
    assert set(readable) <= {"control.lock", "server.log"}


def test_a_service_has_its_accounts_identity_and_no_other(
    rehearsal: tuple[control.CloudInfo, Any],
) -> None:
    """What comes to its ports without a token is its account; a foreign page is nobody."""
    _, run = rehearsal
    uri = run.client.get("/run/v2/projects/local-proj/locations/europe-west1/services/worker")
    environment = run.environment(uri.json()["uri"])
    metadata = f"http://{environment['GCE_METADATA_HOST']}"
    path = "/computeMetadata/v1/instance/service-accounts/default/token"
    flavor = {"Metadata-Flavor": "Google"}
    with httpx.Client(base_url=metadata, trust_env=False) as client:
        assert client.get(path, headers=flavor).json()["access_token"]
        assert client.get(path).status_code == 403
        assert client.get(path, headers=flavor | {"Host": "evil.test"}).status_code == 403
        url = "/pubsub/v1/projects/local-proj/topics/orders"
        page = {"Origin": "https://evil.test", "Content-Type": "text/plain"}
        assert client.put(url, content="{}", headers=page).status_code == 403
        assert client.put(url, json={}).json()["error"]["status"] == "PERMISSION_DENIED"
        assert client.get("/_local/log").status_code == 403
    with grpc.insecure_channel(environment["PUBSUB_EMULATOR_HOST"]) as channel:
        call = channel.unary_unary("/google.pubsub.v1.Publisher/ListTopics")
        with pytest.raises(grpc.RpcError, match=r"pubsub\.topics\.list"):
            call(b"\n\x13projects/local-proj")


@pytest.mark.parametrize(
    "path",
    [
        "/v2/local-proj/images/app/blobs/..%2F..%2Fstate.sqlite",
        "/v2/local-proj/images/app/blobs/sha256:..%2F..%2Fkeys",
        "/v2/local-proj/images/app/blobs/uploads/..%2F..%2Fcloud.json",
        "/v2/local-proj/images/../../keys/manifests/latest",
        "/_local/logs/..%2F..%2Fcloud.json",
        "/_local/../cloud.json",
        "/storage/storage/v1/b/bucket-0/o/..%2F..%2Fcloud.json?alt=media",
        "/storage/storage/v1/b/..%2Fkeys/o/identity-tokens.pem?alt=media",
    ],
)
def test_no_path_leads_to_files_of_the_cloud(
    local_cloud: Any, raw_get: Callable[[str], str], path: str
) -> None:
    """Names are keys, never parts of paths."""
    local_cloud.enable("storage")
    local_cloud.cloud.tokens.jwks()
    answer = raw_get(path)
    assert " 404 " in answer.partition("\r\n")[0] or " 400 " in answer.partition("\r\n")[0]
    assert "PRIVATE KEY" not in answer
    assert "deployer_token" not in answer


@pytest.fixture(name="raw_get")
def get_without_normalising(local_cloud: Any) -> Callable[[str], str]:
    """Ask for a path as it is; clients tidy it up before they send it."""
    repositories = "/artifactregistry/v1/projects/local-proj/locations/europe-west1/repositories"
    made = local_cloud.deployer.post(
        repositories, params={"repositoryId": "images"}, json={"format": "DOCKER"}
    )
    assert made.is_success
    authorization = local_cloud.deployer.headers["Authorization"]

    def get(path: str) -> str:
        request = (
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {authorization}\r\n"
            "Connection: close\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", local_cloud.cloud.port), 10) as connection:
            connection.sendall(request.encode())
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode(errors="replace")

    return get


def test_an_object_may_be_called_like_a_path(local_cloud: Any, expect: Any) -> None:
    """It is stored under another name, and comes back as it was."""
    local_cloud.enable("storage")
    params = {"project": "local-proj"}
    buckets = "/storage/storage/v1/b"
    expect(local_cloud.deployer.post(buckets, params=params, json={"name": "bucket-0"}))
    name = "../../keys/../cloud.json"
    url = "/storage/upload/storage/v1/b/bucket-0/o"
    content = base64.b64encode(b"harmless")
    expect(local_cloud.deployer.post(url, params={"name": name}, content=content))
    read = f"{buckets}/bucket-0/o/..%2F..%2Fkeys%2F..%2Fcloud.json?alt=media"
    assert local_cloud.deployer.get(read).content == content
    assert not (local_cloud.cloud.data_dir / "cloud.json").exists()
    for bucket in ("..", "../keys", "a/b", "con\x00"):
        made = local_cloud.deployer.post(buckets, params=params, json={"name": bucket})
        assert made.status_code == 400
