"""Scheduler jobs."""

from __future__ import annotations

from typing import Any

JOBS = "/cloudscheduler/v1/projects/local-proj/locations/europe-west1/jobs"
NAME = "projects/local-proj/locations/europe-west1/jobs/tick"
JOB: dict[str, Any] = {
    "name": NAME,
    "description": "v1",
    "schedule": "*/5 * * * *",
    "httpTarget": {"uri": "http://127.0.0.1:9/worker", "httpMethod": "POST"},
}


def test_job_lives_from_create_to_delete(local_cloud: Any, expect: Any) -> None:
    """A patch without a mask replaces the job; pausing and resuming change its state only."""
    client = local_cloud.deployer
    created = expect(client.post(JOBS, json=JOB))
    assert (created["state"], created["timeZone"]) == ("ENABLED", "Etc/UTC")
    assert created["attemptDeadline"] == "180s"
    # A default here would be a permanent difference.
    assert "retryConfig" not in created
    expect(client.post(JOBS, json=JOB), 409)
    url = f"{JOBS}/tick"
    assert expect(client.post(f"{url}:pause"))["state"] == "PAUSED"
    changed = {"schedule": "0 1 * * *", "httpTarget": JOB["httpTarget"]}
    patched = expect(client.patch(url, json=changed))
    assert (patched["schedule"], patched["state"]) == ("0 1 * * *", "PAUSED")
    assert "description" not in patched
    assert expect(client.post(f"{url}:resume"))["state"] == "ENABLED"
    assert len(expect(client.get(JOBS))["jobs"]) == 1
    assert expect(client.delete(url)) == {}
    expect(client.get(url), 404)


def test_job_acts_only_as_an_account_that_its_maker_may_use(local_cloud: Any, expect: Any) -> None:
    """An identity token's account takes `iam.serviceAccounts.actAs`."""
    email = local_cloud.account("worker")
    target = {**JOB["httpTarget"], "oidcToken": {"serviceAccountEmail": email}}
    job = {**JOB, "httpTarget": target}
    scheduler = local_cloud.client("user:scheduler@local.test")
    project = "/resourcemanager/v1/projects/local-proj"
    local_cloud.grant(project, "roles/cloudscheduler.admin", "user:scheduler@local.test")
    message = expect(scheduler.post(JOBS, json=job), 403)["error"]["message"]
    assert "iam.serviceAccounts.actAs" in message
    account = f"/iam/v1/projects/local-proj/serviceAccounts/{email}"
    local_cloud.grant(account, "roles/iam.serviceAccountUser", "user:scheduler@local.test")
    expect(scheduler.post(JOBS, json=job))


def test_impossible_jobs_are_refused(local_cloud: Any, expect: Any) -> None:
    """Schedules, zones, targets and names have forms."""
    for change in (
        {"schedule": "now and then"},
        {"schedule": ""},
        {"timeZone": "Mars/Olympus"},
        {"httpTarget": None},
        {"pubsubTarget": {"topicName": "projects/local-proj/topics/t"}},
        {"name": "projects/local-proj/locations/elsewhere/jobs/tick"},
        {"attemptDeadline": "14s"},
        {"attemptDeadline": "1801s"},
        {"httpTarget": {"uri": "http://127.0.0.1:9/", "httpMethod": "GET", "body": "eA=="}},
        {"httpTarget": None, "pubsubTarget": {"topicName": "projects/local-proj/topics/t"}},
    ):
        expect(local_cloud.deployer.post(JOBS, json={**JOB, **change}), 400)
