"""Services of the local cloud as containers: their contract, their log, and their sure end."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from rehearsal.cloud import control
from rehearsal.cloud.info import CloudInfo
from rehearsal.providers.docker.provider import DockerProvider

LOCATION = "/run/v2/projects/local-proj/locations/europe-west1"
IMAGE = "docker:index/image:Image"
# Serves its environment, says when it is asked to end, and fails at once where it is told to.
SERVICE = """FROM {base}
ENV HOST=0.0.0.0 OF_IMAGE=kept
WORKDIR /www
RUN echo index.html > /www/list
CMD ["sh", "-c", "trap 'echo asked to end; exit 0' TERM; \
test -z $BROKEN || exit 3; env > index.html; echo started $K_REVISION; \
httpd -f -p $HOST:$PORT & wait"]
"""


class Deployment:
    """A service of a local cloud, and the daemon that runs it."""

    def __init__(self, docker: Any, folder: Path) -> None:
        self.docker = docker
        self.folder = folder
        self.image = ""

    def start(self) -> None:
        """Start the cloud."""
        self.info: CloudInfo = control.start(
            self.folder, project_id="local-proj", propagation="none"
        )
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{self.info.port}",
            headers={"Authorization": f"Bearer {self.info.deployer_token}"},
            trust_env=False,
            timeout=30,
        )

    def kill(self) -> None:
        """End the cloud by `kill -9`."""
        self.client.close()
        os.kill(self.info.pid, signal.SIGKILL)
        until(lambda: control.status(self.folder) is None)

    def build(self, context: Path) -> None:
        """Build and push the service's image."""
        name = f"127.0.0.1:{self.info.port}/local-proj/images/worker"

        async def make() -> str:
            provider = DockerProvider()
            environ = {"GOOGLE_OAUTH_ACCESS_TOKEN": self.info.deployer_token}
            await provider.configure({"host": self.docker.host}, environ)
            inputs = await provider.check(
                urn="",
                type_=IMAGE,
                olds=None,
                news={"imageName": name, "build": {"context": str(context)}},
            )
            made = await provider.create(
                urn="", type_=IMAGE, inputs=inputs.inputs, timeout=0, preview=False
            )
            return str(made.outputs["repoDigest"])

        self.image = asyncio.run(make())

    def deploy(self, **variables: str) -> dict[str, Any]:
        """Create the service and return its operation when it is done."""
        template = {
            "containers": [
                {
                    "image": self.image,
                    "env": [{"name": name, "value": value} for name, value in variables.items()],
                }
            ]
        }
        answer = self.client.post(
            f"{LOCATION}/services", params={"serviceId": "worker"}, json={"template": template}
        )
        return self.finished(answer)

    def delete(self) -> None:
        """Delete the service."""
        self.finished(self.client.delete(f"{LOCATION}/services/worker"))

    def finished(self, answer: httpx.Response) -> dict[str, Any]:
        """Wait for an operation."""
        operation: dict[str, Any] = answer.raise_for_status().json()
        until(lambda: self._look(operation).get("done", False))
        return self._look(operation)

    def _look(self, operation: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get(f"/run/v2/{operation['name']}").json()
        return found

    def environment(self) -> dict[str, str]:
        """Ask the service for its environment, through its URL."""
        url = self.client.get(f"{LOCATION}/services/worker").json()["uri"]
        token = self.client.get("/_local/identity-token", params={"audience": url}).json()["token"]
        answer = httpx.get(url, headers={"Authorization": f"Bearer {token}"}, trust_env=False)
        answer.raise_for_status()
        return dict(line.split("=", 1) for line in answer.text.splitlines())

    def log(self) -> str:
        """Read the service's log."""
        return self.client.get("/_local/logs/worker").text

    def ours(self) -> list[str]:
        """Name this cloud's containers, running or not."""
        return [
            container["Names"][0].lstrip("/")
            for container in self.docker.containers()
            if container["Labels"].get("conductor.local-cloud") == str(self.folder)
        ]


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


@pytest.fixture
def deployment(
    docker: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployment]:
    """A local cloud whose daemon is the tests' own, with the service's image in its registry."""
    monkeypatch.setenv("DOCKER_HOST", docker.host)
    made = Deployment(docker, tmp_path / "cloud")
    made.start()
    for api in ("artifactregistry", "run"):
        made.client.post(
            f"/serviceusage/v1/projects/local-proj/services/{api}.googleapis.com:enable", json={}
        ).raise_for_status()
    made.client.post(
        "/artifactregistry/v1/projects/local-proj/locations/europe-west1/repositories",
        params={"repositoryId": "images"},
        json={"format": "DOCKER"},
    ).raise_for_status()
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(SERVICE.format(base=docker.base))
    made.build(context)
    yield made
    made.client.close()
    control.stop(made.folder)
    assert made.ours() == []


def test_service_runs_as_a_container_and_leaves_none(deployment: Deployment) -> None:
    """A container has Cloud Run's contract on loopback only; deleting it ends it by SIGTERM."""
    deployment.deploy(COLOUR="green")
    seen = deployment.environment()
    assert (seen["COLOUR"], seen["OF_IMAGE"], seen["K_SERVICE"]) == ("green", "kept", "worker")
    assert seen["HOST"] == "127.0.0.1"
    assert seen["GOOGLE_CLOUD_PROJECT"] == "local-proj"
    # What belongs to this machine's processes stays out of containers.
    assert seen["PATH"] == "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    (name,) = deployment.ours()
    container = deployment.docker.container(name)
    assert container["HostConfig"]["NetworkMode"] == "host"
    assert f"started {seen['K_REVISION']}" in deployment.log()
    log = next((deployment.folder / "run" / "logs").glob("*/worker/*.log"))
    deployment.delete()
    assert deployment.ours() == []
    assert log.read_text().endswith("asked to end\n")


def test_container_that_crashes_is_replaced(deployment: Deployment) -> None:
    """A container that ends by itself is started again, and what is left of it is removed."""
    deployment.deploy()
    (first,) = deployment.ours()
    deployment.docker.client.post(f"/containers/{first}/kill").raise_for_status()
    until(lambda: bool(deployment.ours()) and first not in deployment.ours())
    until(lambda: deployment.log().count("started worker-") == 2)
    (second,) = deployment.ours()
    assert second != first


def test_container_that_ends_at_once_fails_the_rollout(deployment: Deployment) -> None:
    """A service that does not come up fails in Cloud Run's words, and leaves no container."""
    operation = deployment.deploy(BROKEN="yes")
    assert "failed to start and listen" in operation["error"]["message"]
    assert deployment.ours() == []


def test_killed_cloud_leaves_no_container_and_starts_them_again(deployment: Deployment) -> None:
    """After `kill -9` the watchdog removes the containers; the next start brings them back."""
    deployment.deploy()
    assert len(deployment.ours()) == 1
    deployment.kill()
    until(lambda: not deployment.ours())
    deployment.start()
    until(lambda: deployment.log().count("started worker-") == 2)
    assert len(deployment.ours()) == 1


def test_next_start_removes_what_was_left(deployment: Deployment) -> None:
    """Where the watchdog was ended as well, the next start of the cloud cleans up."""
    deployment.deploy()
    (left,) = deployment.ours()
    children = Path(f"/proc/{deployment.info.pid}/task/{deployment.info.pid}/children")
    for child in children.read_text().split():
        os.kill(int(child), signal.SIGKILL)
    deployment.kill()
    assert deployment.docker.container(left)["State"]["Running"]
    deployment.start()
    until(lambda: left not in deployment.ours())


def test_image_of_docker_without_a_daemon_says_so(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A local cloud without a daemon cannot run such an image, and names where it looked."""
    control.stop(deployment.folder)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{deployment.folder}/none.sock")
    deployment.client.close()
    deployment.start()
    operation = deployment.deploy()
    assert "no docker daemon answers at unix://" in operation["error"]["message"]
