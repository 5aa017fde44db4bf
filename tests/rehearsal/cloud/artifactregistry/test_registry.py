"""Repositories, and pushing and pulling images as container clients do."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

REPOSITORIES = "/artifactregistry/v1/projects/local-proj/locations/europe-west1/repositories"
IMAGE = "/v2/local-proj/images/worker"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = json.dumps({"config": {"Cmd": ["python", "main.py"], "WorkingDir": "/workspace"}}).encode()
LAYER = b"not really a tar" * 1000


def digest_of(content: bytes) -> str:
    """A registry's name of some bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": digest_of(CONFIG),
            "size": len(CONFIG),
        },
        "layers": [
            {
                "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                "digest": digest_of(LAYER),
                "size": len(LAYER),
            }
        ],
    }
).encode()


@pytest.fixture(name="registry")
def registry_with_repository(local_cloud: Any, expect: Any) -> Any:
    """A cloud with the repository `images`."""
    body = {"format": "DOCKER", "labels": {"v": "1"}, "mode": "STANDARD_REPOSITORY"}
    params = {"repository_id": "images"}
    operation = expect(local_cloud.deployer.post(REPOSITORIES, params=params, json=body))
    done = expect(local_cloud.deployer.get(f"/artifactregistry/v1/{operation['name']}"))
    assert done["done"] is True
    return local_cloud


def _push_blob(client: Any, content: bytes) -> None:
    location = client.post(f"{IMAGE}/blobs/uploads/").headers["Location"]
    answer = client.put(location, params={"digest": digest_of(content)}, content=content)
    assert answer.status_code == 201, answer.text


def _push(client: Any, tag: str = "latest") -> str:
    for content in (CONFIG, LAYER):
        _push_blob(client, content)
    answer = client.put(
        f"{IMAGE}/manifests/{tag}", content=MANIFEST, headers={"Content-Type": OCI_MANIFEST}
    )
    assert answer.status_code == 201, answer.text
    return str(answer.headers["Docker-Content-Digest"])


def test_repository_lives_from_create_to_delete(registry: Any, expect: Any) -> None:
    """Create, read, relabel, list, delete; twice the same id answers 409."""
    url = f"{REPOSITORIES}/images"
    body = {"format": "DOCKER"}
    again = registry.deployer.post(REPOSITORIES, params={"repositoryId": "images"}, json=body)
    expect(again, 409)
    repository = expect(registry.deployer.get(url))
    assert repository["registryUri"] == "europe-west1-docker.pkg.dev/local-proj/images"
    body = {"cleanupPolicies": {}, "labels": {"v": "2"}}
    updated = expect(registry.deployer.patch(url, params={"updateMask": "labels"}, json=body))
    assert updated["labels"] == {"v": "2"}
    assert expect(registry.deployer.get(REPOSITORIES)) == {"repositories": [updated]}
    deletion = expect(registry.deployer.delete(url))
    assert "done" not in deletion
    polled = expect(registry.deployer.get(f"/artifactregistry/v1/{deletion['name']}"))
    assert (polled["done"], polled["response"]["@type"]) == (
        True,
        "type.googleapis.com/google.protobuf.Empty",
    )
    expect(registry.deployer.get(url), 404)


def test_image_is_pushed_and_found_by_tag_and_digest(registry: Any) -> None:
    """What was pushed comes back byte for byte, by tag and by digest."""
    client = registry.deployer
    assert client.get("/v2/").status_code == 200
    assert client.head(f"{IMAGE}/blobs/{digest_of(LAYER)}").status_code == 404
    assert client.head(f"{IMAGE}/manifests/latest").status_code == 404
    digest = _push(client)
    assert digest == digest_of(MANIFEST)
    head = client.head(f"{IMAGE}/blobs/{digest_of(LAYER)}")
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(LAYER)))
    assert client.get(f"{IMAGE}/blobs/{digest_of(LAYER)}").content == LAYER
    for reference in ("latest", digest):
        answer = client.get(f"{IMAGE}/manifests/{reference}")
        assert answer.content == MANIFEST
        assert answer.headers["Content-Type"] == OCI_MANIFEST
        assert (
            client.head(f"{IMAGE}/manifests/{reference}").headers["Docker-Content-Digest"] == digest
        )
    assert client.get(f"{IMAGE}/tags/list").json()["tags"] == ["latest"]


def test_pushed_image_resolves_to_what_runs_it(registry: Any) -> None:
    """Cloud Run gets configuration and layers of a reference, and nothing for an unknown one."""
    digest = _push(registry.deployer, "v1")
    images = registry.cloud.images
    host = f"127.0.0.1:{registry.cloud.port}"
    for reference in (
        f"{host}/local-proj/images/worker:v1",
        f"europe-west1-docker.pkg.dev/local-proj/images/worker@{digest}",
        f"{host}/local-proj/images/worker:v1@{digest}",
    ):
        image = images.resolve(reference)
        assert image.digest == digest
        assert image.config["config"]["WorkingDir"] == "/workspace"
        assert [images.blob_path(layer).read_bytes() for layer in image.layers] == [LAYER]
    for reference in (
        f"{host}/local-proj/images/worker",
        f"{host}/local-proj/images/other:v1",
        f"{host}/local-proj/images/worker@sha256:{'0' * 64}",
        "worker",
    ):
        assert images.resolve(reference) is None


def test_index_resolves_to_its_image(registry: Any) -> None:
    """What buildx pushes (an index with an attestation) resolves to the image in it."""
    digest = _push(registry.deployer)
    manifest = {"mediaType": OCI_MANIFEST, "digest": digest, "size": len(MANIFEST)}
    unknown = {"os": "unknown", "architecture": "unknown"}
    linux = {"os": "linux", "architecture": "amd64"}
    index = {
        "schemaVersion": 2,
        "manifests": [{**manifest, "platform": unknown}, {**manifest, "platform": linux}],
    }
    media_type = "application/vnd.oci.image.index.v1+json"
    answer = registry.deployer.put(
        f"{IMAGE}/manifests/multi",
        content=json.dumps(index).encode(),
        headers={"Content-Type": media_type},
    )
    assert answer.status_code == 201, answer.text
    image = registry.cloud.images.resolve("127.0.0.1/local-proj/images/worker:multi")
    assert image.layers == (digest_of(LAYER),)


def test_blob_arrives_in_chunks(registry: Any) -> None:
    """A chunked upload continues where it stands, and refuses a gap."""
    client = registry.deployer
    location = client.post(f"{IMAGE}/blobs/uploads/").headers["Location"]
    first = client.patch(location, content=LAYER[:100], headers={"Content-Range": "0-99"})
    assert (first.status_code, first.headers["Range"]) == (202, "0-99")
    gap = client.patch(location, content=LAYER[200:], headers={"Content-Range": "200-300"})
    assert gap.status_code == 416
    assert client.get(location).headers["Range"] == "0-99"
    assert client.patch(location, content=LAYER[100:]).status_code == 202
    assert client.put(location, params={"digest": digest_of(LAYER)}).status_code == 201
    assert client.get(f"{IMAGE}/blobs/{digest_of(LAYER)}").content == LAYER


def test_single_request_upload_mount_and_cancel(registry: Any) -> None:
    """POST with a digest uploads at once; a known blob mounts; a cancelled upload is gone."""
    client = registry.deployer
    url = f"{IMAGE}/blobs/uploads/"
    digest = digest_of(LAYER)
    assert client.post(url, params={"digest": digest}, content=LAYER).status_code == 201
    other = "/v2/local-proj/images/other/blobs/uploads/"
    mount = {"mount": digest, "from": "local-proj/images/worker"}
    assert client.post(other, params=mount).status_code == 201
    location = client.post(url).headers["Location"]
    assert client.delete(location).status_code == 204
    assert client.put(location, params={"digest": digest}).status_code == 404


def test_broken_pushes_are_refused(registry: Any) -> None:
    """A wrong digest, a manifest without its blobs, and no manifest at all."""
    client = registry.deployer
    location = client.post(f"{IMAGE}/blobs/uploads/").headers["Location"]
    wrong = client.put(location, params={"digest": digest_of(b"other")}, content=LAYER)
    assert wrong.json()["errors"][0]["code"] == "DIGEST_INVALID"
    missing = client.put(f"{IMAGE}/manifests/latest", content=MANIFEST)
    assert missing.json()["errors"][0]["code"] == "MANIFEST_BLOB_UNKNOWN"
    for content in (b"{", b"[]", b'{"layers": [{}]}', b"\xff"):
        invalid = client.put(f"{IMAGE}/manifests/latest", content=content)
        assert invalid.json()["errors"][0]["code"] == "MANIFEST_INVALID", content
    mislabelled = client.put(f"{IMAGE}/manifests/sha256:{'0' * 64}", content=b'{"manifests": []}')
    assert mislabelled.json()["errors"][0]["code"] == "DIGEST_INVALID"


def test_pushing_and_pulling_need_permissions(registry: Any, expect: Any) -> None:
    """Readers pull, writers push, strangers do neither; nobody is asked to log in."""
    anonymous = registry.client().get("/v2/")
    assert anonymous.status_code == 401
    assert anonymous.headers["WWW-Authenticate"].startswith("Basic")
    _push(registry.deployer)
    member = f"serviceAccount:{registry.account('worker')}"
    worker = registry.client(member)
    assert worker.get(f"{IMAGE}/manifests/latest").status_code == 403
    registry.grant(f"{REPOSITORIES}/images", "roles/artifactregistry.reader", member)
    assert worker.get(f"{IMAGE}/manifests/latest").status_code == 200
    denied = worker.post(f"{IMAGE}/blobs/uploads/")
    assert (denied.status_code, denied.json()["errors"][0]["code"]) == (403, "DENIED")
    unknown = registry.deployer.get("/v2/local-proj/nothing/worker/manifests/latest")
    assert (unknown.status_code, unknown.json()["errors"][0]["code"]) == (404, "NAME_UNKNOWN")


def test_basic_login_names_a_principal(registry: Any) -> None:
    """Docker logs in as `oauth2accesstoken` with an access token for password."""
    token = registry.cloud.tokens.access_token(registry.cloud.deployer)
    client = registry.client()
    assert client.get("/v2/", auth=("oauth2accesstoken", token)).status_code == 200
    assert client.get("/v2/", auth=("somebody", token)).status_code == 401
    assert client.get("/v2/", auth=("oauth2accesstoken", "wrong")).status_code == 401


def test_deleted_repository_takes_its_images_along(registry: Any, expect: Any) -> None:
    """A repository of the same name starts empty."""
    _push(registry.deployer)
    expect(registry.deployer.delete(f"{REPOSITORIES}/images"))
    assert registry.deployer.get(f"{IMAGE}/manifests/latest").status_code == 404
    body = {"format": "DOCKER"}
    params = {"repositoryId": "images"}
    expect(registry.deployer.post(REPOSITORIES, params=params, json=body))
    unknown = registry.deployer.get(f"{IMAGE}/manifests/latest")
    assert unknown.json()["errors"][0]["code"] == "MANIFEST_UNKNOWN"
