"""Resumable uploads, request by request."""

from __future__ import annotations

import json
import os
import socket
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from rehearsal.cloud.storage.uploads import GRAIN_BYTES, Uploads

BUCKETS = "/storage/storage/v1/b"
UPLOAD = "/storage/upload/storage/v1/b/bucket-0/o"
CONTENT = os.urandom(3 * GRAIN_BYTES + 100)


def _make_bucket(cloud: Any, expect: Any) -> None:
    cloud.enable("storage")
    params = {"project": "local-proj"}
    expect(cloud.deployer.post(BUCKETS, params=params, json={"name": "bucket-0"}))


@pytest.fixture(name="storage")
def storage_fixture(local_cloud: Any, expect: Any) -> Any:
    """A cloud with an empty bucket."""
    _make_bucket(local_cloud, expect)
    return local_cloud


def begin(cloud: Any, expect: Any, **headers: str) -> str:
    """Begin an upload of the object `o` and return the session's address."""
    params = {"uploadType": "resumable", "name": "o"}
    body = {"metadata": {"k": "v"}}
    begun = cloud.deployer.post(UPLOAD, params=params, json=body, headers=headers)
    expect_no_body = begun.content
    assert (begun.status_code, expect_no_body) == (200, b"")
    return str(begun.headers["Location"])


def send(address: str, start: int, end: int, total: str | int, **headers: str) -> httpx.Response:
    """Send a part of the content, as nobody: the address is secret enough."""
    headers |= {"Content-Range": f"bytes {start}-{end - 1}/{total}"}
    return httpx.put(address, content=CONTENT[start:end], headers=headers, trust_env=False)


def ask(address: str, total: str | int = "*") -> httpx.Response:
    """Ask how far an upload is."""
    headers = {"Content-Range": f"bytes */{total}"}
    return httpx.put(address, headers=headers, trust_env=False)


def test_parts_are_counted_until_the_last(storage: Any, expect: Any) -> None:
    """308 tells what is kept, a gap is refused, what is there may come again; then 200."""
    kind = {"X-Upload-Content-Type": "text/x", "X-Upload-Content-Length": str(len(CONTENT))}
    address = begin(storage, expect, **kind)
    nothing = ask(address)
    assert (nothing.status_code, "Range" in nothing.headers) == (308, False)
    part = send(address, 0, 2 * GRAIN_BYTES, "*")
    assert (part.status_code, part.headers["Range"]) == (308, f"bytes=0-{2 * GRAIN_BYTES - 1}")
    gap = expect(send(address, 3 * GRAIN_BYTES, len(CONTENT), len(CONTENT)), 400)
    assert "exceeds already uploaded size" in gap["error"]["message"]
    expect(send(address, 2 * GRAIN_BYTES, 2 * GRAIN_BYTES + 9, "*"), 400)
    expect(send(address, 2 * GRAIN_BYTES, len(CONTENT), len(CONTENT) + 7), 400)
    resource = expect(send(address, GRAIN_BYTES, len(CONTENT), len(CONTENT)))
    assert (resource["size"], resource["contentType"]) == (str(len(CONTENT)), "text/x")
    assert resource["metadata"] == {"k": "v"}
    assert expect(ask(address)) == resource
    read = storage.deployer.get(f"{BUCKETS}/bucket-0/o/o?alt=media")
    assert read.content == CONTENT


def test_a_part_is_kept_in_whole_grains(storage: Any, expect: Any) -> None:
    """What is beyond the last 256 KiB is told to be missing; an upload may end with `*/N`."""
    address = begin(storage, expect)
    part = send(address, 0, 2 * GRAIN_BYTES + 5, "*")
    assert part.headers["Range"] == f"bytes=0-{2 * GRAIN_BYTES - 1}"
    assert expect(ask(address, 2 * GRAIN_BYTES))["size"] == str(2 * GRAIN_BYTES)


def test_what_arrived_before_a_cut_is_kept(storage: Any, expect: Any, wait_until: Any) -> None:
    """A connection that breaks in the middle of a part costs no more than a grain."""
    address = begin(storage, expect)
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as connection:
        head = (
            f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            f"Content-Length: {len(CONTENT)}\r\n\r\n"
        )
        connection.sendall(head.encode() + CONTENT[: GRAIN_BYTES + 7])
        wait_until(lambda: ask(address).headers.get("Range"))
    assert ask(address).headers["Range"] == f"bytes=0-{GRAIN_BYTES - 1}"
    rest = send(address, GRAIN_BYTES, len(CONTENT), len(CONTENT))
    assert expect(rest)["size"] == str(len(CONTENT))
    read = storage.deployer.get(f"{BUCKETS}/bucket-0/o/o?alt=media")
    assert read.content == CONTENT


def test_a_session_survives_a_restart(start_cloud: Any, expect: Any) -> None:
    """What had arrived is still there, and the upload goes on under its id."""
    with start_cloud() as cloud:
        _make_bucket(cloud, expect)
        address = urlsplit(begin(cloud, expect))
        send(address.geturl(), 0, GRAIN_BYTES, "*")
    with start_cloud() as cloud:
        moved = f"{cloud.base_url}{address.path}?{address.query}"
        assert ask(moved).headers["Range"] == f"bytes=0-{GRAIN_BYTES - 1}"
        expect(send(moved, GRAIN_BYTES, len(CONTENT), len(CONTENT)))
        assert len(list((cloud.cloud.data_dir / "objects").iterdir())) == 1


def test_a_session_whose_process_died_at_its_end_is_lost(
    start_cloud: Any, expect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The object stays as it is, and the client has to begin again."""
    with start_cloud() as cloud:
        _make_bucket(cloud, expect)
        address = urlsplit(begin(cloud, expect))
        with monkeypatch.context() as patched:
            patched.setattr(Uploads, "_save", lambda *_, **__: None)
            expect(send(address.geturl(), 0, len(CONTENT), len(CONTENT)))
    with start_cloud() as cloud:
        moved = f"{cloud.base_url}{address.path}?{address.query}"
        assert ask(moved).status_code == 404
        read = cloud.deployer.get(f"{BUCKETS}/bucket-0/o/o?alt=media")
        assert read.content == CONTENT


def test_a_session_is_cancelled_unknown_or_expired(storage: Any, expect: Any) -> None:
    """499, 404 and 410: the client has to begin again."""
    address = begin(storage, expect)
    assert httpx.delete(address, trust_env=False).status_code == 499
    assert ask(address).status_code == 499
    assert ask(address.rpartition("=")[0] + "=other").status_code == 404
    late = begin(storage, expect)
    storage.clock.ahead_s = 8 * 86_400.0
    assert ask(late).status_code == 410


def test_go_hears_of_the_rest_without_308(storage: Any, expect: Any) -> None:
    """Its client asks for 200 with the code in a header, and posts to the session."""
    address = begin(storage, expect)
    headers = {"X-GUploader-No-308": "yes", "Content-Range": f"bytes 0-{GRAIN_BYTES - 1}/*"}
    part = httpx.post(address, content=CONTENT[:GRAIN_BYTES], headers=headers, trust_env=False)
    assert (part.status_code, part.headers["X-HTTP-Status-Code-Override"]) == (200, "308")


def test_a_storage_client_may_drop_our_prefix(storage: Any, expect: Any) -> None:
    """Go's client keeps of its endpoint only the host."""
    client = storage.deployer
    uploaded = client.post("/upload/storage/v1/b/bucket-0/o?name=x", content=b"x")
    assert expect(uploaded)["size"] == "1"
    assert expect(client.get("/storage/v1/b/bucket-0/o"))["items"][0]["name"] == "x"
    assert client.get("/download/storage/v1/b/bucket-0/o/x").content == b"x"


def test_a_condition_is_checked_at_both_ends(storage: Any, expect: Any) -> None:
    """An object that came in between is not overwritten."""
    params = {"uploadType": "resumable", "name": "o", "ifGenerationMatch": "0"}
    begun = storage.deployer.post(UPLOAD, params=params)
    expect(storage.deployer.post(UPLOAD, params={"name": "o"}, content=b"other"))
    expect(storage.deployer.post(UPLOAD, params=params), 412)
    expect(send(begun.headers["Location"], 0, len(CONTENT), len(CONTENT)), 412)
    assert ask(begun.headers["Location"]).status_code == 404
    read = storage.deployer.get(f"{BUCKETS}/bucket-0/o/o?alt=media")
    assert read.content == b"other"


def test_ranges_are_bounded(storage: Any, expect: Any) -> None:
    """The middle, the end, one beyond it, and none that makes sense."""
    expect(storage.deployer.post(UPLOAD, params={"name": "o"}, content=b"0123456789"))
    url = f"{BUCKETS}/bucket-0/o/o?alt=media"

    def read(range_: str) -> tuple[int, bytes, str | None]:
        answer = storage.deployer.get(url, headers={"Range": range_})
        content = answer.content if answer.is_success else b""
        return answer.status_code, content, answer.headers.get("Content-Range")

    assert read("bytes=2-4") == (206, b"234", "bytes 2-4/10")
    assert read("bytes=-3") == (206, b"789", "bytes 7-9/10")
    assert read("bytes=8-99") == (206, b"89", "bytes 8-9/10")
    assert read("bytes=10-")[0] == 416
    assert read("lines=1-2") == (200, b"0123456789", None)
    etag = storage.deployer.get(url).headers["ETag"]
    assert storage.deployer.get(url, headers={"If-None-Match": etag}).status_code == 304


def test_the_log_names_who_began_an_upload(storage: Any, expect: Any) -> None:
    """Parts arrive without a token; they are still somebody's."""
    address = begin(storage, expect)
    expect(send(address, 0, len(CONTENT), len(CONTENT)))
    lines = storage.deployer.get("/_local/log").text.splitlines()
    inserts = [line for line in map(json.loads, lines) if line["method"].endswith(".insert")]
    assert {line["principal"] for line in inserts[-2:]} == {storage.cloud.deployer}
