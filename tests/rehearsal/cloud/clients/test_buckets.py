"""`google-cloud-storage`: buckets, their policies and their objects."""

from __future__ import annotations

import pytest
from google.cloud.exceptions import Conflict, PreconditionFailed
from google_clients import READER, STRANGER, Clients, refused

VIEWER = "roles/storage.objectViewer"


def test_a_bucket_lives(clients: Clients) -> None:
    """Made where it was asked for, changed, granted, listed; only an empty one is deleted."""
    storage = clients.storage()
    bucket = storage.create_bucket("reports", location="EU")
    assert (bucket.location, bucket.location_type) == ("EU", "multi-region")
    bucket.labels = {"team": "x"}
    bucket.versioning_enabled = True
    bucket.patch()
    read = storage.get_bucket("reports")
    assert (read.labels, read.versioning_enabled) == ({"team": "x"}, True)
    assert read.metageneration > 1
    policy = bucket.get_iam_policy(requested_policy_version=3)
    policy.bindings = [{"role": VIEWER, "members": {READER}}]
    bucket.set_iam_policy(policy)
    assert bucket.get_iam_policy().bindings[0]["role"] == VIEWER
    asked = ["storage.buckets.get", "storage.objects.list"]
    assert bucket.test_iam_permissions(asked) == asked
    bucket.blob("a").upload_from_string("a")
    with pytest.raises(Conflict, match="not empty"):
        bucket.delete()
    bucket.delete(force=True)
    assert not list(storage.list_buckets())


def test_objects_live(clients: Clients) -> None:
    """Uploaded, listed with folders and pages, downloaded, changed only when expected, deleted."""
    storage = clients.storage()
    bucket = storage.create_bucket("reports")
    for name in ("a/1", "a/2", "b"):
        bucket.blob(name).upload_from_string(name, content_type="text/plain")
    assert [blob.name for blob in storage.list_blobs("reports", page_size=2)] == ["a/1", "a/2", "b"]
    folders = storage.list_blobs("reports", delimiter="/")
    assert [blob.name for blob in folders] == ["b"]
    assert folders.prefixes == {"a/"}
    blob = bucket.get_blob("a/2")
    assert (blob.size, blob.content_type, blob.download_as_bytes()) == (3, "text/plain", b"a/2")
    with pytest.raises(PreconditionFailed):
        bucket.blob("b").upload_from_string("other", if_generation_match=0)
    assert bucket.blob("b").download_as_text() == "b"
    blob.delete()
    assert bucket.get_blob("a/2") is None
    with refused("NOT_FOUND"):
        blob.download_as_bytes()
    with refused("NOT_FOUND"):
        blob.delete()


def test_objects_are_private(clients: Clients) -> None:
    """A stranger neither reads nor writes until a grant says so."""
    bucket = clients.storage().create_bucket("reports")
    bucket.blob("a").upload_from_string("a")
    theirs = clients.storage(STRANGER).bucket("reports")
    with refused("PERMISSION_DENIED"):
        theirs.blob("a").download_as_bytes()
    policy = bucket.get_iam_policy(requested_policy_version=3)
    policy.bindings.append({"role": VIEWER, "members": {STRANGER}})
    bucket.set_iam_policy(policy)
    assert theirs.blob("a").download_as_bytes() == b"a"
    with refused("PERMISSION_DENIED"):
        theirs.blob("b").upload_from_string("b")
