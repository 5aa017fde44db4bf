"""Secrets that a revision reads as variables, by version."""

from __future__ import annotations

from typing import Any

SECRETS = "/secretmanager/v1/projects/local-proj/secrets"


def variable(version: str) -> list[dict[str, Any]]:
    """A variable that holds a version of the secret."""
    reference = {"secret": "db-pass", "version": version}
    return [{"name": "PW", "valueSource": {"secretKeyRef": reference}}]


def test_a_pinned_version_is_what_the_process_sees(
    run: Any, echo: str, local_cloud: Any, expect: Any
) -> None:
    """Later versions change nothing for a pinned variable; a disabled one stops a new revision."""
    email = local_cloud.account("worker")
    body: dict[str, Any] = {"replication": {"automatic": {}}}
    expect(run.client.post(SECRETS, params={"secretId": "db-pass"}, json=body))
    for data in ("Zmlyc3Q=", "c2Vjb25k"):
        payload = {"payload": {"data": data}}
        expect(run.client.post(f"{SECRETS}/db-pass:addVersion", json=payload))
    accessor = "roles/secretmanager.secretAccessor"
    local_cloud.grant(f"{SECRETS}/db-pass", accessor, f"serviceAccount:{email}")
    pinned = run.template(echo, account=email, env=variable("1"))
    service = run.create("worker", pinned)["response"]
    assert run.environment(service["uri"])["PW"] == "first"
    latest = run.template(echo, account=email, env=variable("latest"))
    run.patch("worker", latest)
    assert run.environment(service["uri"])["PW"] == "second"
    expect(run.client.post(f"{SECRETS}/db-pass/versions/1:disable"))
    error = run.patch("worker", pinned)["error"]
    assert error["code"] == 13
    assert "secrets/db-pass/versions/1" in error["message"]
    # What served goes on serving.
    assert run.environment(service["uri"])["PW"] == "second"
