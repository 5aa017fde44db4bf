"""Buckets as the provider handles them, objects as client libraries do."""

from __future__ import annotations

import json
from typing import Any

import pytest

BUCKETS = "/storage/storage/v1/b"
BUCKET = f"{BUCKETS}/local-proj-data"
UPLOAD = "/storage/upload/storage/v1/b/local-proj-data/o"


@pytest.fixture(name="storage")
def storage_with_bucket(local_cloud: Any, expect: Any) -> Any:
    """A cloud with one bucket."""
    body = {
        "name": "local-proj-data",
        "location": "eu",
        "labels": {"v": "1"},
        "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": True}},
    }
    expect(local_cloud.deployer.post(BUCKETS, params={"project": "local-proj"}, json=body))
    return local_cloud


def _upload(client: Any, name: str, content: bytes, **params: str) -> Any:
    query = {"uploadType": "media", "name": name, **params}
    return client.post(UPLOAD, params=query, content=content, headers={"Content-Type": "text/x"})


def test_bucket_lives_from_create_to_delete(storage: Any, expect: Any) -> None:
    """Locations are upper case, a patch merges, null clears, twice the same name conflicts."""
    bucket = expect(storage.deployer.get(BUCKET))
    assert (bucket["location"], bucket["locationType"]) == ("EU", "multi-region")
    assert bucket["iamConfiguration"]["bucketPolicyOnly"] == {"enabled": True}
    patched = expect(storage.deployer.patch(BUCKET, json={"labels": {"w": "2", "v": None}}))
    assert (patched["labels"], patched["metageneration"]) == ({"w": "2"}, "2")
    assert "labels" not in expect(storage.deployer.patch(BUCKET, json={"labels": None}))
    stale = storage.deployer.patch(BUCKET, params={"ifMetagenerationMatch": "1"}, json={})
    assert expect(stale, 412)["error"]["errors"][0]["reason"] == "conditionNotMet"
    again = {"name": "local-proj-data"}
    expect(storage.deployer.post(BUCKETS, params={"project": "local-proj"}, json=again), 409)
    wrong = {"name": "Upper_Case"}
    expect(storage.deployer.post(BUCKETS, params={"project": "local-proj"}, json=wrong), 400)
    listed = expect(storage.deployer.get(BUCKETS, params={"project": "local-proj"}))
    assert [item["name"] for item in listed["items"]] == ["local-proj-data"]
    expect(storage.deployer.delete(BUCKET), 204)
    expect(storage.deployer.get(BUCKET), 404)


def test_object_comes_back_byte_for_byte(storage: Any, expect: Any) -> None:
    """Upload, read by both download paths, list with folders, delete."""
    client = storage.deployer
    content = bytes(range(256))
    uploaded = expect(_upload(client, "a/b:c.bin", content))
    assert (uploaded["size"], uploaded["contentType"]) == ("256", "text/x")
    assert expect(client.get(f"{BUCKET}/o/a%2Fb:c.bin")) == uploaded
    download = "/storage/download/storage/v1/b/local-proj-data/o/a%2Fb%3Ac.bin"
    assert client.get(download, params={"alt": "media"}).content == content
    assert client.get(f"{BUCKET}/o/a%2Fb%3Ac.bin", params={"alt": "media"}).content == content
    expect(_upload(client, "top", b""))
    listed = expect(client.get(f"{BUCKET}/o", params={"delimiter": "/"}))
    assert listed["prefixes"] == ["a/"]
    assert [item["name"] for item in listed["items"]] == ["top"]
    inside = expect(client.get(f"{BUCKET}/o", params={"prefix": "a/"}))
    assert [item["name"] for item in inside["items"]] == ["a/b:c.bin"]
    not_empty = expect(client.delete(BUCKET), 409)["error"]
    assert not_empty["errors"][0]["reason"] == "conflict"
    for name in ("a%2Fb%3Ac.bin", "top"):
        expect(client.delete(f"{BUCKET}/o/{name}"), 204)
        expect(client.delete(f"{BUCKET}/o/{name}"), 404)
    expect(client.delete(BUCKET), 204)


def test_multipart_upload_carries_metadata(storage: Any, expect: Any) -> None:
    """Metadata and content in one request, as client libraries send small objects."""
    content = b"\r\nline\r\n--not a boundary\r\n\x00\xff"
    metadata = json.dumps({"name": "multi", "metadata": {"k": "v"}}).encode()
    body = (
        b"--==b==\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n"
        + metadata
        + b"\r\n--==b==\r\ncontent-type: text/plain\r\n\r\n"
        + content
        + b"\r\n--==b==--"
    )
    kind = {"Content-Type": 'multipart/related; boundary="==b=="'}
    params = {"uploadType": "multipart"}
    uploaded = expect(storage.deployer.post(UPLOAD, params=params, content=body, headers=kind))
    assert (uploaded["name"], uploaded["metadata"]) == ("multi", {"k": "v"})
    assert uploaded["contentType"] == "text/plain"
    read = storage.deployer.get(f"{BUCKET}/o/multi", params={"alt": "media"})
    assert read.content == content
    broken = storage.deployer.post(UPLOAD, params=params, content=b"--x--", headers=kind)
    expect(broken, 400)


def test_preconditions_guard_generations(storage: Any, expect: Any) -> None:
    """`ifGenerationMatch` 0 creates only, another one replaces only what was read."""
    client = storage.deployer
    first = expect(_upload(client, "lock", b"1", ifGenerationMatch="0"))
    expect(_upload(client, "lock", b"2", ifGenerationMatch="0"), 412)
    second = expect(_upload(client, "lock", b"2", ifGenerationMatch=first["generation"]))
    assert int(second["generation"]) > int(first["generation"])
    stale = {"ifGenerationMatch": first["generation"]}
    expect(client.delete(f"{BUCKET}/o/lock", params=stale), 412)
    expect(client.get(f"{BUCKET}/o/lock", params={"generation": first["generation"]}), 404)
    fresh = {"ifGenerationMatch": second["generation"]}
    expect(client.delete(f"{BUCKET}/o/lock", params=fresh), 204)


def test_bucket_policy_is_bare_and_works(storage: Any, expect: Any) -> None:
    """A viewer reads objects, a creator adds but does not overwrite."""
    expect(_upload(storage.deployer, "top", b"content"))
    member = f"serviceAccount:{storage.account('worker')}"
    worker = storage.client(member)
    download = (f"{BUCKET}/o/top", {"alt": "media"})
    expect(worker.get(download[0], params=download[1]), 403)
    policy = expect(storage.deployer.get(f"{BUCKET}/iam"))
    roles = ("roles/storage.objectViewer", "roles/storage.objectCreator")
    policy["bindings"] = [{"role": role, "members": [member]} for role in roles]
    stored = expect(storage.deployer.put(f"{BUCKET}/iam", json=policy))
    assert stored["kind"] == "storage#policy"
    assert worker.get(download[0], params=download[1]).content == b"content"
    expect(_upload(worker, "new", b""))
    expect(_upload(worker, "top", b"other"), 403)
    asked = {"permissions": ["storage.objects.get", "storage.objects.delete"]}
    answer = expect(worker.get(f"{BUCKET}/iam/testPermissions", params=asked))
    assert answer["permissions"] == ["storage.objects.get"]
    # The provider removes the last binding without an etag.
    assert "bindings" not in expect(storage.deployer.put(f"{BUCKET}/iam", json={"version": 3}))
    expect(worker.get(download[0], params=download[1]), 403)


def test_object_is_public_only_by_grant(storage: Any, expect: Any) -> None:
    """Without a token an object is there for `allUsers` only."""
    expect(_upload(storage.deployer, "top", b"content"))
    public = storage.client()
    expect(public.get(f"{BUCKET}/o/top", params={"alt": "media"}), 401)
    expect(_upload(public, "mine", b""), 401)
    binding = {"role": "roles/storage.objectViewer", "members": ["allUsers"]}
    expect(storage.deployer.put(f"{BUCKET}/iam", json={"bindings": [binding]}))
    assert public.get(f"{BUCKET}/o/top", params={"alt": "media"}).content == b"content"
