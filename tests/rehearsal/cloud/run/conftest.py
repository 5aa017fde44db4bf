"""Small services, pushed as OCI images through the registry API and run for real."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from rehearsal.cloud.info import CloudInfo
from rehearsal.cloud.tokens import Tokens

LOCATION = "/run/v2/projects/local-proj/locations/europe-west1"
# Answers what it sees; `/crash` ends it, `/slow` takes its time, `/headers` tells what came,
# `/large` is large, and what is posted comes back.
ECHO_SERVICE = """
import http.server, json, os, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/crash":
            os._exit(3)
        if self.path == "/slow":
            time.sleep(3)
        if self.path == "/headers":
            return self.answer(json.dumps(dict(self.headers)).encode())
        if self.path == "/large":
            return self.answer(b"x" * (32 * 1024 * 1024 + 1))
        self.answer(json.dumps(dict(os.environ) | {"PID": str(os.getpid())}).encode())
    def do_POST(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.answer(body)
    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Path", self.path)
        self.end_headers()
        self.wfile.write(body)
print("hello from", os.environ["K_REVISION"], flush=True)
class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def layer_of(files: Mapping[str, str]) -> bytes:
    """Pack files as an image layer, below `workspace/`."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in sorted(files.items()):
            entry = tarfile.TarInfo(f"workspace/{name}")
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return gzip.compress(packed.getvalue(), mtime=0)


class CloudRun:
    """Deploys services on a local cloud and calls them."""

    def __init__(self, running: Any) -> None:
        self.running = running
        self.cloud = running.cloud
        self.client: httpx.Client = running.deployer

    def push(self, files: Mapping[str, str], command: Sequence[str] = ("python", "main.py")) -> str:
        """Push an image and return its reference by digest."""
        repositories = (
            "/artifactregistry/v1/projects/local-proj/locations/europe-west1/repositories"
        )
        self.client.post(repositories, params={"repositoryId": "images"}, json={"format": "DOCKER"})
        config = {
            "config": {"WorkingDir": "/workspace", "Cmd": list(command), "Env": ["FROM=image"]}
        }
        content = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": self._blob(json.dumps(config).encode(), "image.config.v1+json"),
                "layers": [self._blob(layer_of(files), "image.layer.v1.tar+gzip")],
            }
        ).encode()
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        answer = self.client.put(
            f"/v2/local-proj/images/service/manifests/{digest}",
            content=content,
            headers={"Content-Type": "application/vnd.oci.image.manifest.v1+json"},
        )
        assert answer.status_code == 201, answer.text
        return f"127.0.0.1:{self.cloud.port}/local-proj/images/service@{digest}"

    def _blob(self, content: bytes, kind: str) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        begun = self.client.post("/v2/local-proj/images/service/blobs/uploads/")
        assert begun.status_code == 202, begun.text
        put = self.client.put(begun.headers["Location"], params={"digest": digest}, content=content)
        assert put.status_code == 201, put.text
        return {
            "mediaType": f"application/vnd.oci.{kind}",
            "digest": digest,
            "size": len(content),
        }

    def template(self, image: str, *, account: str = "", **container: Any) -> dict[str, Any]:
        """Return a service body around a container."""
        template: dict[str, Any] = {"containers": [{"image": image, **container}]}
        if account:
            template["serviceAccount"] = account
        return {"template": template}

    def create(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create a service and return its finished operation."""
        params = {"serviceId": name}
        return self.finished(self.client.post(f"{LOCATION}/services", params=params, json=body))

    def patch(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """Replace a service and return its finished operation."""
        return self.finished(self.client.patch(f"{LOCATION}/services/{name}", json=body))

    def delete(self, name: str) -> dict[str, Any]:
        """Delete a service and return its finished operation."""
        return self.finished(self.client.delete(f"{LOCATION}/services/{name}"))

    def finished(self, answer: httpx.Response) -> dict[str, Any]:
        """Wait for an operation."""
        assert answer.status_code == 200, answer.text
        operation = answer.json()
        deadline = time.monotonic() + 30
        while not operation.get("done"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
            operation = self.client.get(f"/run/v2/{operation['name']}").json()
        return dict(operation)

    def get(self, name: str) -> dict[str, Any]:
        """Return a service."""
        answer = self.client.get(f"{LOCATION}/services/{name}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def token(self, audience: str, email: str = "developer@local.test") -> dict[str, str]:
        """Return the header with an identity token."""
        token = self.cloud.tokens.identity_token(email, audience)
        return {"Authorization": f"Bearer {token}"}

    def call(self, uri: str, path: str = "/", **request: Any) -> httpx.Response:
        """Call a service as the deployer."""
        method = request.pop("method", "GET")
        return httpx.request(
            method, f"{uri}{path}", headers=self.token(uri), trust_env=False, timeout=20, **request
        )

    def environment(self, uri: str) -> dict[str, str]:
        """Return the environment a service's process sees."""
        answer = self.call(uri)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@pytest.fixture
def run(local_cloud: Any) -> CloudRun:
    """Cloud Run on a cloud with the usual APIs enabled."""
    return CloudRun(local_cloud)


@pytest.fixture
def run_on() -> Callable[[Any], CloudRun]:
    """Cloud Run on a given cloud."""
    return CloudRun


@pytest.fixture
def echo(run: CloudRun) -> str:
    """The image of a service that answers its environment."""
    return run.push({"main.py": ECHO_SERVICE})


@pytest.fixture
def echo_source() -> str:
    """The source of that service."""
    return ECHO_SERVICE


@pytest.fixture
def is_alive() -> Callable[[str], bool]:
    """Tell whether a process exists and is no zombie."""

    def alive(pid: str) -> bool:
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return False
        status = Path(f"/proc/{pid}/stat")
        return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"

    return alive


@pytest.fixture
def watch(wait_until: Any, is_alive: Any) -> tuple[Any, Any]:
    """Both of the above."""
    return wait_until, is_alive


class ControlledCloud:
    """A cloud in a process of its own, for `CloudRun`."""

    def __init__(self, info: CloudInfo, client: httpx.Client) -> None:
        self.cloud = self
        self.port = info.port
        self.tokens = Tokens(info.data_dir / "keys", self)
        self.deployer = client

    def account(self, email: str) -> dict[str, Any] | None:
        """A service account of the cloud."""
        answer = self.deployer.get(f"/iam/v1/projects/local-proj/serviceAccounts/{email}")
        return answer.json() if answer.is_success else None

    def is_ours(self, email: str) -> bool:
        """Whether it is the project's."""
        return email.endswith("@local-proj.iam.gserviceaccount.com")


@pytest.fixture
def running_cloud_of() -> Iterator[Callable[[CloudInfo], ControlledCloud]]:
    """Reach a cloud that runs in a process of its own, with the usual APIs enabled."""
    with ExitStack() as clients:

        def reach(info: CloudInfo) -> ControlledCloud:
            headers = {"Authorization": f"Bearer {info.deployer_token}"}
            base_url = f"http://127.0.0.1:{info.port}"
            client = clients.enter_context(
                httpx.Client(base_url=base_url, headers=headers, trust_env=False)
            )
            project = "/serviceusage/v1/projects/local-proj/services"
            for api in ("run", "artifactregistry", "pubsub", "iam"):
                answer = client.post(f"{project}/{api}.googleapis.com:enable")
                assert answer.status_code == 200, answer.text
            return ControlledCloud(info, client)

        yield reach
