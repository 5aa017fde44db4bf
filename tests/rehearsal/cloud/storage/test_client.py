"""Objects, as `google-cloud-storage` uses them."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, Forbidden, NotFound, PreconditionFailed
from google.cloud.exceptions import GoogleCloudError
from google.cloud.storage import Blob, Client

MB = 1 << 20


def test_a_large_file_is_uploaded_resumably_and_comes_back(bucket: Any, tmp_path: Path) -> None:
    """More than 8 MB go in a session; both checksums are those that the client computes."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(9 * MB + 5))
    blob = bucket.blob("big")
    blob.metadata = {"made": "here"}
    blob.upload_from_filename(str(source), content_type="text/csv", checksum="crc32c")
    blob.reload()
    assert (blob.size, blob.content_type, blob.metadata) == (
        9 * MB + 5,
        "text/csv",
        {"made": "here"},
    )
    blob.download_to_filename(str(target), checksum="md5")
    assert target.read_bytes() == source.read_bytes()
    blob.download_to_filename(str(target), checksum="crc32c")


def test_a_file_is_uploaded_in_chunks_and_read_in_ranges(bucket: Any) -> None:
    """Chunks of 256 KiB, a stream whose length nobody knows, and reads from the middle."""
    content = os.urandom(600_000)
    chunked = bucket.blob("chunked", chunk_size=256 * 1024)
    chunked.upload_from_file(io.BytesIO(content))
    assert bucket.blob("chunked").download_as_bytes(start=7, end=300_000) == content[7:300_001]
    with bucket.blob("stream").open("wb", chunk_size=256 * 1024) as stream:
        stream.write(content)
    with bucket.blob("stream").open("rb", chunk_size=100_000) as stream:
        assert stream.read() == content
    empty = bucket.blob("empty")
    empty.upload_from_string(b"")
    assert empty.download_as_bytes() == b""
    # The client downloads in chunks when the blob has a chunk size.
    assert chunked.download_as_bytes() == content


def test_generations_guard_writes_reads_and_deletion(bucket: Any) -> None:
    """0 creates only; the generation read replaces only that; metadata has a number of its own."""
    lock = bucket.blob("lock")
    lock.upload_from_string("1", if_generation_match=0)
    with pytest.raises(PreconditionFailed):
        bucket.blob("lock").upload_from_string("2", if_generation_match=0)
    first = lock.generation
    lock.metadata = {"k": "v"}
    lock.patch(if_metageneration_match=1)
    assert lock.metageneration == 2
    with pytest.raises(PreconditionFailed):
        lock.patch(if_metageneration_match=1)
    lock.upload_from_string("2", if_generation_match=first)
    with pytest.raises(GoogleCloudError, match="304"):
        lock.download_as_bytes(if_generation_not_match=lock.generation)
    with pytest.raises(NotFound):
        bucket.blob("lock", generation=first).download_as_bytes()
    with pytest.raises(PreconditionFailed):
        lock.delete(if_generation_match=first)
    lock.delete(if_generation_match=lock.generation)
    big = bucket.blob("lock", chunk_size=256 * 1024)
    with pytest.raises(PreconditionFailed):
        big.upload_from_file(io.BytesIO(bytes(300_000)), if_generation_match=first)


def test_objects_are_joined_copied_and_rewritten(bucket: Any, client: Client) -> None:
    """A composition has no MD5; a copy keeps the metadata, a rewrite may set it."""
    for name in ("a", "b"):
        bucket.blob(name).upload_from_string(name, content_type="text/x")
    joined = bucket.blob("joined")
    joined.compose([bucket.blob("a"), bucket.blob("b")], if_generation_match=0)
    assert (joined.download_as_bytes(), joined.component_count) == (b"ab", 2)
    assert joined.md5_hash is None
    other = client.create_bucket("archive", location="EU")
    source = bucket.blob("a")
    source.metadata = {"k": "v"}
    source.patch()
    copied = bucket.copy_blob(source, other, "copied")
    assert (copied.metadata, copied.content_type) == ({"k": "v"}, "text/x")
    target = other.blob("rewritten")
    assert target.rewrite(source) == (None, 1, 1)
    assert target.download_as_bytes() == b"a"
    with pytest.raises(PreconditionFailed):
        target.rewrite(source, if_source_generation_match=1)
    target.update_storage_class("NEARLINE")
    target.reload()
    assert target.storage_class == "NEARLINE"
    bucket.rename_blob(source, "renamed")
    assert {blob.name for blob in bucket.list_blobs()} == {"b", "joined", "renamed"}
    with pytest.raises(NotFound):
        joined.compose([bucket.blob("missing")])


def test_lists_have_folders_pages_globs_and_bounds(bucket: Any) -> None:
    """Folders come between objects by name, whatever the size of a page."""
    names = ["a/1", "a/2", "b", "c/d/1", "c/e.txt", "z.txt"]
    for name in names:
        bucket.blob(name).upload_from_string(name)
    for page_size in (1, 2, 10):
        listing = bucket.list_blobs(delimiter="/", page_size=page_size)
        assert [blob.name for blob in listing] == ["b", "z.txt"]
        assert listing.prefixes == {"a/", "c/"}

    def found(**options: Any) -> list[str]:
        return [blob.name for blob in bucket.list_blobs(**options)]

    assert found(prefix="c/") == ["c/d/1", "c/e.txt"]
    assert found(start_offset="a/2", end_offset="c/e") == ["a/2", "b", "c/d/1"]
    assert found(match_glob="**.txt") == ["c/e.txt", "z.txt"]
    assert found(match_glob="*.txt") == ["z.txt"]
    assert found(match_glob="{a,c}/?") == ["a/1", "a/2"]
    assert found(max_results=3) == ["a/1", "a/2", "b"]


def test_old_generations_are_kept_where_versions_are(client: Client) -> None:
    """Overwritten and deleted objects stay as old generations until each is deleted by number."""
    bucket = client.bucket("versions")
    bucket.versioning_enabled = True
    bucket.create(location="EU")
    blob = bucket.blob("report")
    blob.upload_from_string("1")
    first = blob.generation
    blob.upload_from_string("2")
    second = blob.generation
    bucket.blob("report").delete()
    assert not bucket.blob("report").exists()
    kept = list(bucket.list_blobs(versions=True, page_size=1))
    assert [one.generation for one in kept] == [first, second]
    assert all(one.time_deleted for one in kept)
    assert bucket.blob("report", generation=first).download_as_bytes() == b"1"
    bucket.copy_blob(bucket.blob("report"), bucket, "report", source_generation=first)
    assert bucket.blob("report").download_as_bytes() == b"1"
    with pytest.raises(GoogleCloudError, match="not empty"):
        bucket.delete()
    for one in bucket.list_blobs(versions=True):
        bucket.blob("report", generation=one.generation).delete()
    bucket.delete()


def test_a_batch_deletes_many_and_tells_of_each(bucket: Any, client: Client) -> None:
    """One request, an answer for each call; what is missing stops nothing."""
    for name in ("a", "b"):
        bucket.blob(name).upload_from_string(name)
    with client.batch(raise_exception=False) as batch:
        for name in ("a", "missing", "b"):
            bucket.delete_blob(name)
    assert [answer.status_code for answer in batch._responses] == [204, 404, 204]
    assert list(bucket.list_blobs()) == []
    with client.batch():
        blob = Blob("c", bucket)
        blob.metadata = {"k": "v"}
        bucket.labels = {"a": "b"}
        bucket.patch()
    assert client.get_bucket("reports").labels == {"a": "b"}


def test_a_wrong_checksum_and_a_hold_are_honoured(bucket: Any) -> None:
    """What was damaged on its way is refused; what is held cannot be lost."""
    damaged = bucket.blob("damaged")
    damaged.md5_hash = "AAAAAAAAAAAAAAAAAAAAAA=="
    with pytest.raises(BadRequest, match="doesn't match calculated MD5 hash"):
        damaged.upload_from_string("content")
    assert not damaged.exists()
    held = bucket.blob("held")
    held.upload_from_string("1")
    held.temporary_hold = True
    held.patch()
    for lose in (held.delete, lambda: bucket.blob("held").upload_from_string("2")):
        with pytest.raises(Forbidden, match="Temporary hold"):
            lose()
    held.temporary_hold = False
    held.patch()
    bucket.retention_period = 60
    bucket.patch()
    kept = bucket.blob("kept")
    kept.upload_from_string("1")
    with pytest.raises(Forbidden, match="retention policy"):
        kept.delete()


def test_packed_content_is_unpacked_for_who_cannot(bucket: Any, local_cloud: Any) -> None:
    """The client gets what was packed; a caller without gzip gets it plain."""
    import gzip  # noqa: PLC0415 - only here

    blob = bucket.blob("packed")
    blob.content_encoding = "gzip"
    blob.upload_from_string(gzip.compress(b"plain"))
    assert blob.download_as_bytes() == b"plain"
    assert gzip.decompress(blob.download_as_bytes(raw_download=True)) == b"plain"
    url = "/storage/storage/v1/b/reports/o/packed?alt=media"
    answer = local_cloud.deployer.get(url, headers={"Accept-Encoding": "identity"})
    assert (answer.content, "content-encoding" in answer.headers) == (b"plain", False)
