"""What every call goes through, whatever the API."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.local_cloud import LocalCloud

PROJECT = "/resourcemanager/v1/projects/local-proj"


def test_project_is_found_by_id_and_by_number(local_cloud: Any, expect: Any) -> None:
    """Both names of the project lead to it, in both versions of the API."""
    first = expect(local_cloud.deployer.get(PROJECT))
    assert first["projectNumber"] == "123456789012"
    assert first["lifecycleState"] == "ACTIVE"
    by_number = "/resourcemanager/v1/projects/123456789012"
    assert expect(local_cloud.deployer.get(by_number)) == first
    third = expect(local_cloud.deployer.get("/resourcemanager/v3/projects/local-proj"))
    assert third["name"] == "projects/123456789012"


def test_foreign_project_is_forbidden(local_cloud: Any, expect: Any) -> None:
    """A project that is not ours is refused like one that does not exist."""
    for path in (
        "/resourcemanager/v1/projects/other",
        "/pubsub/v1/projects/other/topics",
        "/bigquery/bigquery/v2/projects/other/datasets",
    ):
        expect(local_cloud.deployer.get(path), 403)
    expect(local_cloud.deployer.post("/resourcemanager/v1/projects/other:getIamPolicy"), 403)


def test_unknown_method_is_not_found(local_cloud: Any, expect: Any) -> None:
    """A path of no discovery document answers 404 in Google's shape."""
    error = expect(local_cloud.deployer.get("/run/v2/nothing/here"), 404)["error"]
    assert (error["status"], error["errors"][0]["reason"]) == ("NOT_FOUND", "notFound")
    expect(local_cloud.deployer.post(f"{PROJECT}:frobnicate"), 404)


def test_known_method_without_a_model_names_itself(local_cloud: Any, expect: Any) -> None:
    """What Google has and we have not answers 400 with the method's id, never 501."""
    answer = local_cloud.deployer.get("/run/v2/projects/local-proj/locations/x/jobs")
    error = expect(answer, 400)["error"]
    assert error["status"] == "FAILED_PRECONDITION"
    assert "run.projects.locations.jobs.list" in error["message"]


def test_call_without_token_is_unauthenticated(local_cloud: Any, expect: Any) -> None:
    """No token and a forged token are refused with 401."""
    expect(local_cloud.client().get(PROJECT), 401)
    expect(local_cloud.client(token="ya29.local.forged.token").get(PROJECT), 401)
    expect(local_cloud.client(token="nonsense").get(PROJECT), 401)


def test_principal_without_grant_is_denied(local_cloud: Any, expect: Any) -> None:
    """A stranger gets 403 with the permission and the resource in the details."""
    error = expect(local_cloud.client("user:stranger@local.test").get(PROJECT), 403)["error"]
    assert error["status"] == "PERMISSION_DENIED"
    (details,) = error["details"]
    assert details["reason"] == "IAM_PERMISSION_DENIED"
    assert details["metadata"] == {
        "permission": "resourcemanager.projects.get",
        "resource": "projects/local-proj",
    }


def test_call_of_a_disabled_api_is_denied(start_cloud: Any, expect: Any) -> None:
    """An API that was never enabled answers 403 SERVICE_DISABLED, as the provider expects it."""
    with start_cloud() as cloud:
        answer = cloud.deployer.get("/iam/v1/projects/local-proj/serviceAccounts")
        error = expect(answer, 403)["error"]
        assert error["details"][0]["reason"] == "SERVICE_DISABLED"
        assert error["errors"][0]["reason"] == "accessNotConfigured"
        cloud.enable("iam")
        expect(cloud.deployer.get("/iam/v1/projects/local-proj/serviceAccounts"))


def test_unknown_field_is_refused(local_cloud: Any, expect: Any) -> None:
    """A misspelt field or parameter answers 400 and names it."""
    url = "/iam/v1/projects/local-proj/serviceAccounts"
    error = expect(local_cloud.deployer.post(url, json={"accoutnId": "worker"}), 400)["error"]
    assert 'Unknown name "accoutnId"' in error["message"]
    body = {"accountId": "worker", "serviceAccount": {"nickname": "w"}}
    error = expect(local_cloud.deployer.post(url, json=body), 400)["error"]
    assert "Unknown name \"nickname\" at 'service_account'" in error["message"]
    expect(local_cloud.deployer.get(url, params={"pagesize": "1"}), 400)
    expect(local_cloud.deployer.post(url, json={"accountId": {"no": "string"}}), 400)
    expect(local_cloud.deployer.post(url, content=b"{not json"), 400)
    expect(local_cloud.deployer.post(url, json=["no", "object"]), 400)


def test_output_only_fields_and_nulls_are_ignored(local_cloud: Any, expect: Any) -> None:
    """A client may send back what it read, and null for what it does not set."""
    body = {
        "accountId": "worker",
        "serviceAccount": {"uniqueId": "1", "email": "x@y", "displayName": None},
    }
    account = expect(
        local_cloud.deployer.post("/iam/v1/projects/local-proj/serviceAccounts", json=body)
    )
    assert account["email"] == "worker@local-proj.iam.gserviceaccount.com"
    assert account["uniqueId"] != "1"
    assert "displayName" not in account


def test_fence_lets_nothing_out(local_cloud: Any) -> None:
    """As a proxy the cloud refuses tunnels and plain requests alike."""
    with httpx.Client(proxy=local_cloud.base_url, trust_env=False) as client:
        assert client.get("http://example.invalid/").status_code == 403
        with pytest.raises(httpx.ProxyError, match="403"):
            client.get("https://example.invalid/")


def test_call_log_tells_who_did_what(local_cloud: Any, expect: Any) -> None:
    """Each call leaves a line with method, principal, resource, decision and code."""
    expect(local_cloud.deployer.get(PROJECT))
    expect(local_cloud.client("user:stranger@local.test").get(PROJECT), 403)
    lines = local_cloud.deployer.get("/_local/log").text.splitlines()
    allowed, denied = (json.loads(line) for line in lines[-2:])
    assert allowed["method"] == denied["method"] == "cloudresourcemanager.projects.get"
    assert (allowed["principal"], allowed["decision"], allowed["code"]) == (
        "user:developer@local.test",
        "allowed",
        200,
    )
    assert (denied["resource"], denied["decision"], denied["code"]) == (
        "projects/local-proj",
        "denied",
        403,
    )


def test_billing_info_names_an_account(local_cloud: Any, expect: Any) -> None:
    """The provider refuses a project whose billing it cannot read."""
    info = expect(local_cloud.deployer.get("/cloudbilling/v1/projects/local-proj/billingInfo"))
    assert info["billingAccountName"].startswith("billingAccounts/")


def test_state_survives_a_restart(start_cloud: Any, expect: Any) -> None:
    """Resources, policies and tokens are there again after a restart."""
    with start_cloud() as cloud:
        cloud.enable("iam")
        email = cloud.account("worker")
        cloud.grant(PROJECT, "roles/viewer", f"serviceAccount:{email}")
        token = cloud.cloud.tokens.access_token(f"serviceAccount:{email}")
        policy = expect(cloud.deployer.post(f"{PROJECT}:getIamPolicy"))
    with start_cloud() as cloud:
        assert expect(cloud.deployer.post(f"{PROJECT}:getIamPolicy")) == policy
        worker = cloud.client(token=token)
        expect(worker.get(f"/iam/v1/projects/local-proj/serviceAccounts/{email}"))


def test_folder_of_another_project_is_refused(start_cloud: Any, tmp_path: Any) -> None:
    """A data folder stays with the project that it was made for."""
    with start_cloud():
        pass
    with pytest.raises(ApiError, match="belongs to project local-proj"):
        LocalCloud(tmp_path / "cloud", project_id="another-project")


def test_failure_of_a_handler_is_answered_in_googles_shape(
    local_cloud: Any, expect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake of ours answers 500 with a body, and the next call is served."""

    def fail() -> list[str]:
        raise RuntimeError("out of order")

    url = "/serviceusage/v1/projects/local-proj/services"
    with monkeypatch.context() as broken:
        broken.setattr(local_cloud.cloud.apis, "enabled", fail)
        error = expect(local_cloud.deployer.get(url), 500)["error"]
    assert error["status"] == "INTERNAL"
    assert "out of order" in error["message"]
    expect(local_cloud.deployer.get(url))
