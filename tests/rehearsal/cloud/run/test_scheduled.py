"""Scheduler jobs that call a service on Cloud Run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def test_a_job_calls_a_service_only_as_its_invoker(
    run: Any, echo: str, local_cloud: Any, expect: Any, wait_until: Callable[..., None]
) -> None:
    """The service's invoker check sees the job's account: without the role 403, with it 200."""
    service = run.create("worker", run.template(echo))["response"]
    email = local_cloud.account("ticker")
    parent = "projects/local-proj/locations/europe-west1"
    target = {
        "uri": f"{service['uri']}/tick",
        "oidcToken": {"serviceAccountEmail": email, "audience": service["uri"]},
    }
    job = {"name": f"{parent}/jobs/tick", "schedule": "0 * * * *", "httpTarget": target}
    url = f"/cloudscheduler/v1/{parent}/jobs"
    expect(run.client.post(url, json=job))

    def status() -> Any:
        return expect(run.client.get(f"{url}/tick")).get("status")

    expect(run.client.post(f"{url}/tick:run"))
    wait_until(lambda: status() is not None)
    assert status()["code"] == 7
    local_cloud.grant(f"/run/v2/{service['name']}", "roles/run.invoker", f"serviceAccount:{email}")
    expect(run.client.post(f"{url}/tick:run"))
    wait_until(lambda: status() == {})
