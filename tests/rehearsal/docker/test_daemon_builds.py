"""Images built by a real docker daemon and pushed to the local registry."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from rehearsal.cloud import control
from rehearsal.cloud.info import CloudInfo
from rehearsal.engine.provider import UNKNOWN, Properties, ProviderError
from rehearsal.providers.docker.provider import DockerProvider

IMAGE = "docker:index/image:Image"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[CloudInfo]:
    """A local cloud with a repository for images."""
    info = control.start(tmp_path / "cloud", project_id="local-proj", propagation="none")
    with client_of(info) as client:
        client.post(
            "/serviceusage/v1/projects/local-proj/services/artifactregistry.googleapis.com:enable",
            json={},
        ).raise_for_status()
        client.post(
            "/artifactregistry/v1/projects/local-proj/locations/europe-west1/repositories",
            params={"repositoryId": "images"},
            json={"format": "DOCKER"},
        ).raise_for_status()
    yield info
    control.stop(tmp_path / "cloud")


@pytest.fixture
def context(tmp_path: Path, docker: Any) -> Path:
    """A build context whose Dockerfile keeps itself and the notes out of the image."""
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "greeting").write_text("hello")
    (folder / "notes").write_text("not for the image")
    (folder / ".dockerignore").write_text("notes\nDockerfile\n.dockerignore\n")
    (folder / "Dockerfile").write_text(
        f"FROM {docker.base}\nARG WHO=nobody\nCOPY . /app/\nRUN echo $WHO >> /app/greeting\n"
        'CMD ["cat", "/app/greeting"]\n'
    )
    return folder


def client_of(info: CloudInfo) -> httpx.Client:
    """A client that calls as the deployer."""
    return httpx.Client(
        base_url=f"http://127.0.0.1:{info.port}",
        headers={"Authorization": f"Bearer {info.deployer_token}"},
        trust_env=False,
    )


def inputs_for(context: Path, port: int, **build: Any) -> Properties:
    """Return the inputs of an image."""
    return {
        "imageName": f"127.0.0.1:{port}/local-proj/images/worker",
        "build": {"context": str(context), **build},
        "registry": {"server": f"127.0.0.1:{port}"},
    }


async def provider_for(host: str, info: CloudInfo) -> DockerProvider:
    """Return a provider that builds with the daemon of a host, without one where it is empty."""
    provider = DockerProvider()
    config: Properties = {"host": host} if host else {}
    checked = await provider.check_config(config)
    assert checked.failures == ()
    await provider.configure(config, {"GOOGLE_OAUTH_ACCESS_TOKEN": info.deployer_token})
    return provider


async def checked(provider: DockerProvider, inputs: Properties) -> Properties:
    """Return inputs as the provider keeps them."""
    result = await provider.check(urn="", type_=IMAGE, olds=None, news=inputs)
    assert result.failures == ()
    return result.inputs


async def created(provider: DockerProvider, inputs: Properties, *, preview: bool) -> Properties:
    """Create (or foresee) an image."""
    news = await checked(provider, inputs)
    result = await provider.create(urn="", type_=IMAGE, inputs=news, timeout=0, preview=preview)
    return result.outputs


def failing(host: str, info: CloudInfo, context: Path) -> str:
    """Build an image that must fail, and return the message."""

    async def build() -> None:
        await created(await provider_for(host, info), inputs_for(context, info.port), preview=False)

    with pytest.raises(ProviderError) as caught:
        asyncio.run(build())
    return str(caught.value)


def test_image_of_the_daemon_is_in_the_registry_by_the_digest_of_the_push(
    docker: Any, cloud: CloudInfo, context: Path
) -> None:
    """A build honours Dockerfile, arguments and .dockerignore; a second look finds no change."""
    inputs = inputs_for(context, cloud.port, args={"WHO": "world"})

    async def life() -> Properties:
        provider = await provider_for(docker.host, cloud)
        assert (await created(provider, inputs, preview=True))["repoDigest"] is UNKNOWN
        kept = await checked(provider, inputs)
        outputs = await created(provider, inputs, preview=False)
        found = await provider.read(urn="", type_=IMAGE, id="x", outputs=outputs, inputs=kept)
        assert found is not None
        again = await provider.diff(
            urn="", type_=IMAGE, id="x", old_outputs=outputs, old_inputs=kept, news=kept
        )
        assert not again.changes
        return outputs

    name, _, digest = str(asyncio.run(life())["repoDigest"]).partition("@")
    assert name == f"127.0.0.1:{cloud.port}/local-proj/images/worker"
    with client_of(cloud) as client:
        manifest = client.get(f"/v2/local-proj/images/worker/manifests/{digest}").json()
        config = client.get(
            f"/v2/local-proj/images/worker/blobs/{manifest['config']['digest']}"
        ).json()
    assert config["config"]["Cmd"] == ["cat", "/app/greeting"]
    # Run it where it was built: the image has what the Dockerfile says, and nothing ignored.
    body = {"Image": f"{name}@{digest}", "Cmd": ["sh", "-c", "ls /app; cat /app/greeting"]}
    made = docker.client.post("/containers/create", json=body).json()["Id"]
    docker.client.post(f"/containers/{made}/start")
    docker.client.post(f"/containers/{made}/wait")
    said = docker.client.get(f"/containers/{made}/logs?stdout=1").content
    docker.client.delete(f"/containers/{made}")
    assert b"helloworld" in said
    assert b"notes" not in said
    assert b"Dockerfile" not in said


def test_another_builder_is_another_image(docker: Any, cloud: CloudInfo, context: Path) -> None:
    """A change between docker and assembling is an update, though no source has changed."""
    (context / "main.py").write_text("print('hello')\n")
    inputs = inputs_for(context, cloud.port)

    async def change() -> None:
        with_docker = await checked(await provider_for(docker.host, cloud), inputs)
        provider = await provider_for("", cloud)
        without = await checked(provider, inputs)
        diff = await provider.diff(
            urn="", type_=IMAGE, id="x", old_outputs={}, old_inputs=with_docker, news=without
        )
        assert diff.changes
        assert diff.replaces == ()

    asyncio.run(change())


def test_failed_step_says_what_it_printed(docker: Any, cloud: CloudInfo, context: Path) -> None:
    """A failing RUN gives the step, its code, and its last words."""
    (context / "Dockerfile").write_text(f"FROM {docker.base}\nRUN echo no such package && exit 7\n")
    message = failing(docker.host, cloud, context)
    assert "step 'RUN echo no such package && exit 7' failed" in message.splitlines()[0]
    assert "returned a non-zero code: 7" in message
    assert message.splitlines()[-1] == "no such package"


def test_base_image_that_cannot_be_pulled_names_the_way_out(
    docker: Any, cloud: CloudInfo, context: Path
) -> None:
    """One line names the base image, the reason, and what to do instead."""
    # Nobody listens there, so that no test depends on the internet.
    (context / "Dockerfile").write_text("FROM 127.0.0.1:9/nothing/here:1\n")
    message = failing(docker.host, cloud, context)
    assert "the base image 127.0.0.1:9/nothing/here:1 is not here and cannot be pulled" in message
    assert "--builder assemble" in message
    assert len(message.splitlines()) == 1


def test_context_without_a_dockerfile_is_refused(
    docker: Any, cloud: CloudInfo, context: Path
) -> None:
    """Docker builds of Dockerfiles only, and the message says where there is none."""
    (context / "Dockerfile").unlink()
    assert f"there is no Dockerfile in the build context {context}" in failing(
        docker.host, cloud, context
    )


def test_registry_that_refuses_is_quoted(docker: Any, cloud: CloudInfo, context: Path) -> None:
    """A push to a repository that does not exist fails with the registry's words."""

    async def push() -> None:
        inputs = inputs_for(context, cloud.port)
        inputs["imageName"] = f"127.0.0.1:{cloud.port}/local-proj/elsewhere/worker"
        await created(await provider_for(docker.host, cloud), inputs, preview=False)

    with pytest.raises(ProviderError, match=r"could not push .*elsewhere"):
        asyncio.run(push())


def test_no_daemon_is_one_line(tmp_path: Path) -> None:
    """Without a daemon the message names the host; a host that is no socket is refused."""
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM scratch\n")
    info = CloudInfo(
        pid=1,
        port=1,
        pubsub_port=1,
        project_id="p",
        project_number="1",
        deployer="user:a@b",
        deployer_token="t",
        data_dir=tmp_path,
    )
    message = failing(f"unix://{tmp_path}/no.sock", info, context)
    assert f"no docker daemon answers at unix://{tmp_path}/no.sock" in message
    assert len(message.splitlines()) == 1
    refused = asyncio.run(DockerProvider().check_config({"host": "tcp://10.0.0.1:2375"}))
    assert "no unix socket" in json.dumps([failure.reason for failure in refused.failures])
