"""Images are assembled from build contexts and pushed to the local registry."""

from __future__ import annotations

import asyncio
import importlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi_docker
import pytest

from rehearsal.engine.provider import UNKNOWN, Properties, ProviderError
from rehearsal.providers.docker.contexts import BuildError, read_context
from rehearsal.providers.docker.oci import assemble
from rehearsal.providers.docker.provider import DockerProvider
from rehearsal.providers.docker.registry import parse_reference

IMAGE = "docker:index/image:Image"


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """Return a build context with a small service in it."""
    folder = tmp_path / "context"
    (folder / "app").mkdir(parents=True)
    (folder / "main.py").write_text("print('hello')\n")
    (folder / "app" / "work.py").write_text("ANSWER = 42\n")
    return folder


def inputs_for(context: Path, port: int = 1, name: str = "worker") -> Properties:
    """Return the inputs of an image."""
    return {
        "imageName": f"127.0.0.1:{port}/local-proj/images/{name}:v1",
        "build": {"context": str(context)},
        "registry": {"server": f"127.0.0.1:{port}"},
    }


def check(inputs: Properties) -> Properties:
    """Check inputs that must be right."""
    result = asyncio.run(DockerProvider().check(urn="", type_=IMAGE, olds=None, news=inputs))
    assert result.failures == ()
    return result.inputs


def preview(inputs: Properties) -> Properties:
    """Foresee an image."""
    provider = DockerProvider()
    result = asyncio.run(
        provider.create(urn="", type_=IMAGE, inputs=check(inputs), timeout=0, preview=True)
    )
    return result.outputs


def test_pushed_image_has_the_digest_that_its_preview_foresaw(
    on_cloud: Callable[..., None], context: Path
) -> None:
    """A preview names the digest, the push makes it, and the registry resolves it."""

    async def scenario(rehearsal: Any) -> None:
        repository = rehearsal.resource("gcp:artifactregistry/repository:Repository")
        await repository.create({"repositoryId": "images", "format": "DOCKER"})
        news = inputs_for(context, rehearsal.cloud.port)
        image = rehearsal.resource(IMAGE)
        foreseen = await image.preview(news)
        outputs = await image.create(news)
        assert outputs == foreseen
        name, _, digest = str(outputs["repoDigest"]).partition("@")
        assert name == f"127.0.0.1:{rehearsal.cloud.port}/local-proj/images/worker"
        resolved = rehearsal.cloud.images.resolve(outputs["repoDigest"])
        assert resolved.digest == digest
        assert resolved.config["config"]["Cmd"] == ["python", "main.py"]
        assert not (await image.diff(news)).changes
        assert await image.read() is not None

    on_cloud(scenario)


def test_changed_source_updates_the_image_and_pushes_again(
    on_cloud: Callable[..., None], context: Path
) -> None:
    """A new line in a source shows in the diff without a build, and makes another digest."""

    async def scenario(rehearsal: Any) -> None:
        repository = rehearsal.resource("gcp:artifactregistry/repository:Repository")
        await repository.create({"repositoryId": "images", "format": "DOCKER"})
        news = inputs_for(context, rehearsal.cloud.port)
        image = rehearsal.resource(IMAGE)
        before = await image.create(news)
        (context / "app" / "work.py").write_text("ANSWER = 43\n")
        diff = await image.diff(news)
        assert list(diff.detailed) == ["build.contextDigest"]
        after = await image.update(news)
        assert after["repoDigest"] != before["repoDigest"]
        assert await image.read() is not None

    on_cloud(scenario)


def test_image_that_vanished_from_the_registry_is_gone(
    on_cloud: Callable[..., None], context: Path
) -> None:
    """A refresh notices that the registry does not have the image."""

    async def scenario(rehearsal: Any) -> None:
        repository = rehearsal.resource("gcp:artifactregistry/repository:Repository")
        await repository.create({"repositoryId": "images", "format": "DOCKER"})
        image = rehearsal.resource(IMAGE)
        await image.create(inputs_for(context, rehearsal.cloud.port))
        reference, _, _ = str(image.outputs["repoDigest"]).partition("@")
        image.outputs["repoDigest"] = f"{reference}@sha256:{'0' * 64}"
        assert await image.read() is None

    on_cloud(scenario)


def test_image_bytes_depend_on_paths_modes_and_contents_only(context: Path, tmp_path: Path) -> None:
    """Two copies of a context give the same image; an executable bit gives another one."""
    copy = tmp_path / "copy"
    (copy / "app").mkdir(parents=True)
    (copy / "app" / "work.py").write_text("ANSWER = 42\n")
    (copy / "main.py").write_text("print('hello')\n")
    assert assemble(read_context(copy)).digest == assemble(read_context(context)).digest
    (copy / "main.py").chmod(0o755)
    assert assemble(read_context(copy)).digest != assemble(read_context(context)).digest


def test_layer_holds_the_context_under_workspace(context: Path) -> None:
    """Files lie under workspace/ with normalised times and owners."""
    image = assemble(read_context(context))
    config, layer = image.blobs
    with tarfile.open(fileobj=io.BytesIO(layer.content), mode="r:gz") as archive:
        names = archive.getnames()
        entry = archive.getmember("workspace/main.py")
    assert names == ["workspace", "workspace/app", "workspace/app/work.py", "workspace/main.py"]
    assert (entry.mtime, entry.uid, entry.mode) == (0, 0, 0o644)
    assert json.loads(config.content)["config"] == {
        "WorkingDir": "/workspace",
        "Cmd": ["python", "main.py"],
        "Env": [],
    }


def test_procfile_says_how_a_service_starts(context: Path) -> None:
    """The `web` entry of a Procfile wins over main.py."""
    (context / "Procfile").write_text("release: ./migrate\nweb: gunicorn app:app\n")
    assert read_context(context).start_command() == ("/bin/sh", "-c", "exec gunicorn app:app")


def test_dockerignore_patterns_start_at_the_root_of_the_context(context: Path) -> None:
    """`*.log` ignores at the top only, `**/*.tmp` everywhere, and `!` takes back."""
    for name in ("a.log", "app/b.log", "c.tmp", "app/d.tmp", "secret/e.txt", "secret/keep.txt"):
        (context / name).parent.mkdir(exist_ok=True)
        (context / name).write_text(name)
    (context / ".dockerignore").write_text(
        "# not in images\n*.log\n**/*.tmp\n/secret/\n!secret/keep.txt\n"
    )
    paths = {str(file.path) for file in read_context(context).files}
    assert paths == {
        ".dockerignore",
        "app/b.log",
        "app/work.py",
        "main.py",
        "secret/keep.txt",
    }


def test_syntax_error_names_image_file_and_line(context: Path) -> None:
    """A service that cannot compile is a build error in one line, found in the preview already."""
    (context / "app" / "work.py").write_text("ANSWER = 42\ndef broken(:\n")
    with pytest.raises(ProviderError, match=r"^image 127.*worker:v1: app/work\.py:2: ") as caught:
        preview(inputs_for(context))
    assert "\n" not in str(caught.value)


def test_context_without_start_command_is_refused(context: Path) -> None:
    """Without Procfile and main.py nothing could start."""
    (context / "main.py").unlink()
    with pytest.raises(ProviderError, match=r"neither a Procfile with a 'web:' entry nor a main"):
        preview(inputs_for(context))


def test_missing_context_is_unknown_in_a_preview_and_an_error_in_an_update(tmp_path: Path) -> None:
    """A context may be generated after the preview, but must be there for the build."""
    news = inputs_for(tmp_path / "later")
    assert preview(news)["repoDigest"] is UNKNOWN
    provider = DockerProvider()
    with pytest.raises(ProviderError, match=r"image .*later does not exist"):
        asyncio.run(
            provider.create(urn="", type_=IMAGE, inputs=check(news), timeout=0, preview=False)
        )


def test_link_out_of_the_context_is_refused(context: Path, tmp_path: Path) -> None:
    """What a link outside points to would not be in the image."""
    (context / "outside").symlink_to(tmp_path)
    with pytest.raises(BuildError, match="outside is a link that leads out"):
        read_context(context)


@pytest.mark.parametrize(
    "host",
    [
        "europe-west1-docker.pkg.dev",
        "localhost.example.com:5000",
        "127.0.0.1:80@example.com",
        "0.0.0.0:5000",
    ],
)
def test_registry_elsewhere_is_refused(context: Path, host: str) -> None:
    """The embedded engine pushes to this machine only (0.12)."""
    news = {**inputs_for(context), "imageName": f"{host}/p/images/worker"}
    provider = DockerProvider()
    with pytest.raises(ProviderError, match="not on this machine"):
        asyncio.run(
            provider.create(urn="", type_=IMAGE, inputs=check(news), timeout=0, preview=False)
        )


def test_credentials_alone_do_not_change_an_image(context: Path) -> None:
    """A new password needs no new image."""
    old, new = inputs_for(context), inputs_for(context)
    old["registry"] = {"server": "127.0.0.1:1", "username": "a", "password": "b"}
    new["registry"] = {"server": "127.0.0.1:1", "username": "a", "password": "c"}
    diff = asyncio.run(
        DockerProvider().diff(
            urn="", type_=IMAGE, id="x", old_outputs={}, old_inputs=check(old), news=check(new)
        )
    )
    assert not diff.changes


@pytest.mark.parametrize("name", ["worker", "Local/Worker:v1", "a b/c"])
def test_image_name_without_registry_is_refused(name: str) -> None:
    """An image name needs a registry and a lowercase path."""
    with pytest.raises(ProviderError, match="not an image name"):
        parse_reference(name)


def test_unknown_image_name_is_tolerated_in_a_preview(context: Path) -> None:
    """A name that depends on something not made yet leaves the digest unknown."""
    assert preview({**inputs_for(context), "imageName": UNKNOWN})["repoDigest"] is UNKNOWN


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("imageName", {"imageName": "worker"}),
        ("build.platform", {"build": {"context": "/x", "platform": "amd64"}}),
        ("build.builderVersion", {"build": {"context": "/x", "builderVersion": "BuildKit"}}),
        ("build.context", {"build": {"context": "x"}}),
        ("build.contxt", {"build": {"context": "/x", "contxt": "y"}}),
        ("registry.url", {"registry": {"url": "127.0.0.1:1"}}),
        ("tag", {"tag": "v1"}),
    ],
)
def test_what_docker_would_refuse_fails_at_its_property(
    context: Path, path: str, changes: Properties
) -> None:
    """Before anything is built."""
    news = {**inputs_for(context), **changes}
    result = asyncio.run(DockerProvider().check(urn="", type_=IMAGE, olds=None, news=news))
    assert [failure.property for failure in result.failures] == [path]


def test_an_image_has_the_official_outputs(context: Path) -> None:
    """What the SDK's class declares, and nothing else."""
    assert preview(inputs_for(context)).keys() == OUTPUTS


# Of `pulumi_docker.Image`, as pulumi reads its class.
OUTPUTS = importlib.import_module("pulumi._types").resource_types(pulumi_docker.Image).keys()
