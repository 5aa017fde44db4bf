"""Faults of what is no JSON call: contents of objects and container images."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

BUCKETS = "/storage/storage/v1/b"
UPLOAD = "/storage/upload/storage/v1/b/bucket-0/o"


def set_rule(cloud: Any, **rule: Any) -> None:
    """Leave the cloud with one fault rule."""
    answer = cloud.deployer.put("/_local/faults", json={"rules": [rule]})
    assert answer.status_code == 200, answer.text


@pytest.fixture(name="bucket")
def bucket_fixture(local_cloud: Any, expect: Any) -> Any:
    """A cloud with an empty bucket."""
    local_cloud.enable("storage")
    params = {"project": "local-proj"}
    expect(local_cloud.deployer.post(BUCKETS, params=params, json={"name": "bucket-0"}))
    return local_cloud


def test_an_upload_is_refused_or_its_answer_lost(bucket: Any, expect: Any) -> None:
    """Refused it leaves nothing; where the answer is lost the object is there."""
    match = {"method": "storage.objects.insert", "resource": "*/objects/report-*"}
    set_rule(bucket, match=match, times=1, reply={"preset": "UNAVAILABLE"})
    send = {"content": b"x"}
    expect(bucket.deployer.post(UPLOAD, params={"name": "other"}, **send))
    expect(bucket.deployer.post(UPLOAD, params={"name": "report-1"}, **send), 503)
    expect(bucket.deployer.get(f"{BUCKETS}/bucket-0/o/report-1"), 404)
    set_rule(bucket, match=match, times=1, when="after", drop_connection=True)
    with pytest.raises(httpx.RemoteProtocolError):
        bucket.deployer.post(UPLOAD, params={"name": "report-1"}, **send)
    expect(bucket.deployer.get(f"{BUCKETS}/bucket-0/o/report-1"))


def test_a_download_is_refused(bucket: Any, expect: Any) -> None:
    """The next one passes, and the log names the fault."""
    expect(bucket.deployer.post(UPLOAD, params={"name": "report"}, content=b"x"))
    match = {"method": "storage.objects.get"}
    set_rule(bucket, match=match, times=1, reply={"preset": "RATE_LIMIT_EXCEEDED"})
    url = f"{BUCKETS}/bucket-0/o/report?alt=media"
    expect(bucket.deployer.get(url), 429)
    assert "reply RATE_LIMIT_EXCEEDED before" in bucket.deployer.get("/_local/log").text
    assert bucket.deployer.get(url).content == b"x"


def test_the_registry_is_refused_in_its_own_shape(local_cloud: Any, expect: Any) -> None:
    """A push hears the code of the distribution specification, then begins."""
    url = "/artifactregistry/v1/projects/local-proj/locations/europe-west1/repositories"
    created = local_cloud.deployer.post(
        url, params={"repositoryId": "images"}, json={"format": "DOCKER"}
    )
    expect(created)
    match = {"method": "artifactregistry.registry.post", "resource": "/v2/*/images/*"}
    set_rule(local_cloud, match=match, times=1, reply={"preset": "RATE_LIMIT_EXCEEDED"})
    push = "/v2/local-proj/images/app/blobs/uploads/"
    (error,) = expect(local_cloud.deployer.post(push), 429)["errors"]
    assert error["code"] == "TOOMANYREQUESTS"
    assert "Quota exceeded" in error["message"]
    expect(local_cloud.deployer.post(push), 202)
