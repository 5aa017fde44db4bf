"""Cloud Run services as resources, each with a real process behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

LOCATION = "/run/v2/projects/local-proj/locations/europe-west1"
NAME = "projects/local-proj/locations/europe-west1/services/worker"
Expect = Callable[..., Any]


def test_a_service_runs_its_image_with_cloud_runs_environment(
    run: Any, echo: str, local_cloud: Any
) -> None:
    """A created service answers on its URL, as its process, under Cloud Run's contract (0.9)."""
    email = local_cloud.account("worker")
    env = [{"name": "X", "value": "1"}]
    operation = run.create("worker", run.template(echo, account=email, env=env))
    service = operation["response"]
    seen = run.environment(service["uri"])
    assert seen["K_SERVICE"] == seen["K_CONFIGURATION"] == "worker"
    assert service["latestReadyRevision"] == f"{NAME}/revisions/{seen['K_REVISION']}"
    assert (seen["X"], seen["FROM"]) == ("1", "image")
    assert seen["GOOGLE_CLOUD_PROJECT"] == "local-proj"
    assert seen["LOCALCLOUD_ENDPOINT"] == f"http://127.0.0.1:{run.cloud.port}"
    assert seen["HTTPS_PROXY"] == seen["LOCALCLOUD_ENDPOINT"]
    assert seen["PUBSUB_EMULATOR_HOST"].startswith("127.0.0.1:")
    assert seen["GCE_METADATA_HOST"] == seen["GCE_METADATA_IP"]
    assert "GOOGLE_APPLICATION_CREDENTIALS" not in seen


def test_the_outputs_are_those_the_provider_reads(run: Any, echo: str) -> None:
    """Defaults and outputs are there, so that a second preview is empty."""
    created = run.create("worker", run.template(echo))["response"]
    service = run.get("worker")
    assert created == {"@type": "type.googleapis.com/google.cloud.run.v2.Service"} | service
    assert service["terminalCondition"]["type"] == "Ready"
    assert service["terminalCondition"]["state"] == "CONDITION_SUCCEEDED"
    assert "reconciling" not in service
    assert service["generation"] == service["observedGeneration"] == "1"
    assert service["urls"] == [service["uri"]]
    latest = [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}]
    assert service["traffic"] == service["trafficStatuses"] == latest
    template = service["template"]
    assert template["timeout"] == "300s"
    assert template["maxInstanceRequestConcurrency"] == 80
    assert template["scaling"] == {"maxInstanceCount": 100}
    assert template["serviceAccount"] == "123456789012-compute@developer.gserviceaccount.com"
    container = template["containers"][0]
    assert container["ports"] == [{"name": "http1", "containerPort": 8080}]
    assert container["resources"]["limits"] == {"cpu": "1000m", "memory": "512Mi"}
    assert container["startupProbe"]["timeoutSeconds"] == 240
    assert {"uid", "createTime", "updateTime", "creator", "lastModifier", "etag"} <= set(service)


def test_an_update_that_changes_nothing_makes_no_revision(
    run: Any, echo: str, expect: Expect
) -> None:
    """The provider echoes the whole service back; labels alone start nothing."""
    run.create("worker", run.template(echo))
    before = run.get("worker")
    pid = run.environment(before["uri"])["PID"]
    body = {key: before[key] for key in ("template", "traffic", "ingress", "launchStage")}
    assert run.patch("worker", body | {"labels": {"v": "2"}})["done"]
    after = run.get("worker")
    assert after["labels"] == {"v": "2"}
    assert after["latestCreatedRevision"] == before["latestCreatedRevision"]
    assert run.environment(after["uri"])["PID"] == pid
    revisions = expect(run.client.get(f"{LOCATION}/services/worker/revisions"))["revisions"]
    assert len(revisions) == 1


def test_a_changed_template_replaces_the_process_and_keeps_the_url(
    run: Any, echo: str, expect: Expect, wait_until: Callable[..., None], is_alive: Any
) -> None:
    """The new revision takes over on the same URL, then the old process ends."""
    first = run.create("worker", run.template(echo))["response"]
    old = run.environment(first["uri"])
    second = run.patch("worker", run.template(echo, env=[{"name": "X", "value": "2"}]))["response"]
    assert second["uri"] == first["uri"]
    new = run.environment(second["uri"])
    assert (new["X"], new["PID"] != old["PID"]) == ("2", True)
    assert second["latestReadyRevision"] != first["latestReadyRevision"]
    wait_until(lambda: not is_alive(old["PID"]))
    revisions = expect(run.client.get(f"{LOCATION}/services/worker/revisions"))["revisions"]
    assert len(revisions) == 2
    revision = expect(run.client.get(f"/run/v2/{second['latestReadyRevision']}"))
    assert revision["conditions"][0]["state"] == "CONDITION_SUCCEEDED"
    assert revision["service"] == "worker"


def test_a_deleted_service_ends_with_its_process(
    run: Any, echo: str, expect: Expect, is_alive: Any
) -> None:
    """After delete nothing runs, answers, or is found."""
    service = run.create("worker", run.template(echo))["response"]
    pid = run.environment(service["uri"])["PID"]
    assert run.delete("worker")["response"]["deleteTime"]
    assert not is_alive(pid)
    expect(run.client.get(f"{LOCATION}/services/worker"), 404)
    assert expect(run.client.get("/_local/services")) == {"services": []}


def test_an_existing_name_is_a_conflict(run: Any, echo: str, expect: Expect) -> None:
    """A second create is refused and changes nothing."""
    run.create("worker", run.template(echo))
    params = {"serviceId": "worker"}
    body = run.template(echo, env=[{"name": "X", "value": "2"}])
    expect(run.client.post(f"{LOCATION}/services", params=params, json=body), 409)
    everywhere = LOCATION.replace("europe-west1", "-")
    for parent in (LOCATION, everywhere):
        services = expect(run.client.get(f"{parent}/services"))["services"]
        assert [service["name"] for service in services] == [NAME]


def test_a_failed_create_keeps_the_service(run: Any) -> None:
    """A container that does not listen fails the operation with code 9 and Google's words."""
    image = run.push({"main.py": "print('no server here')\n"})
    error = run.create("worker", run.template(image))["error"]
    assert error["code"] == 9
    assert "failed to start and listen on the port defined provided by the PORT" in error["message"]
    assert "no server here" in error["message"]
    service = run.get("worker")
    assert service["terminalCondition"]["state"] == "CONDITION_FAILED"
    assert "reconciling" not in service
    assert "latestReadyRevision" not in service
    assert run.call(service["uri"]).status_code == 503


def test_a_silent_container_fails_after_its_probes_time(run: Any) -> None:
    """A process that runs but never listens is ended when the startup probe gives up."""
    image = run.push({"main.py": "import time\ntime.sleep(60)\n"})
    probe = {"tcpSocket": {"port": 8080}, "periodSeconds": 1, "failureThreshold": 1}
    operation = run.create("worker", run.template(image, startupProbe=probe))
    assert operation["error"]["code"] == 9


def test_a_failed_update_leaves_the_old_revision_serving(run: Any, echo: str) -> None:
    """Traffic stays where it was, and the next good template takes over."""
    first = run.create("worker", run.template(echo))["response"]
    broken = run.push({"main.py": "raise SystemExit(1)\n"})
    assert run.patch("worker", run.template(broken))["error"]["code"] == 9
    service = run.get("worker")
    assert service["latestReadyRevision"] == first["latestReadyRevision"]
    assert service["latestCreatedRevision"] != first["latestReadyRevision"]
    assert service["terminalCondition"]["state"] == "CONDITION_FAILED"
    revision = first["latestReadyRevision"].rsplit("/", 1)[-1]
    assert run.environment(service["uri"])["K_REVISION"] == revision
    assert "response" in run.patch("worker", run.template(echo))


def test_a_missing_image_fails_the_operation(run: Any) -> None:
    """An image nobody pushed is told by name."""
    image = f"127.0.0.1:{run.cloud.port}/local-proj/images/none@sha256:{'0' * 64}"
    error = run.create("worker", run.template(image))["error"]
    assert error["code"] == 5
    assert f"Image '{image}' not found." in error["message"]


@pytest.mark.parametrize("image", [":tag", "NOT an image", "host/UPPER case"])
def test_an_invalid_image_path_is_refused_at_once(run: Any, expect: Expect, image: str) -> None:
    """What cannot be an image path never becomes a service."""
    params = {"serviceId": "worker"}
    answer = run.client.post(f"{LOCATION}/services", params=params, json=run.template(image))
    assert "Expected an image path like" in expect(answer, 400)["error"]["message"]
    expect(run.client.get(f"{LOCATION}/services/worker"), 404)


def test_running_as_an_account_needs_act_as(
    run: Any, echo: str, local_cloud: Any, expect: Expect
) -> None:
    """A deployer without actAs on the account is refused before anything starts (0.12)."""
    email, deployer = local_cloud.account("worker"), local_cloud.account("deployer")
    local_cloud.grant(
        "/resourcemanager/v1/projects/local-proj", "roles/run.admin", f"serviceAccount:{deployer}"
    )
    client = local_cloud.client(f"serviceAccount:{deployer}")
    params = {"serviceId": "worker"}
    body = run.template(echo, account=email)
    error = expect(client.post(f"{LOCATION}/services", params=params, json=body), 403)["error"]
    expected = (
        f"'iam.serviceaccounts.actAs' denied on service account {email} (or it may not exist)"
    )
    assert expected in error["message"]
    local_cloud.grant(
        f"/iam/v1/projects/local-proj/serviceAccounts/{email}",
        "roles/iam.serviceAccountUser",
        f"serviceAccount:{deployer}",
    )
    expect(client.post(f"{LOCATION}/services", params=params, json=body))
    missing = run.template(echo, account="none@local-proj.iam.gserviceaccount.com")
    params = {"serviceId": "other"}
    expect(run.client.post(f"{LOCATION}/services", params=params, json=missing), 403)


def test_a_secret_must_be_readable_by_the_revisions_account(
    run: Any, echo: str, local_cloud: Any, expect: Expect
) -> None:
    """A variable from a secret is read as the account, which needs the accessor role."""
    secrets = "/secretmanager/v1/projects/local-proj/secrets"
    body = {"replication": {"automatic": {}}}
    expect(run.client.post(secrets, params={"secretId": "db-pass"}, json=body))
    payload = {"payload": {"data": "czNjcmV0"}}
    expect(run.client.post(f"{secrets}/db-pass:addVersion", json=payload))
    email = local_cloud.account("worker")
    env = [
        {
            "name": "PW",
            "valueSource": {"secretKeyRef": {"secret": "db-pass", "version": "latest"}},
        }
    ]
    body = run.template(echo, account=email, env=env)
    error = run.create("worker", body)["error"]
    assert error["code"] == 13
    assert f"for Revision service account {email}" in error["message"]
    assert "roles/secretmanager.secretAccessor" in error["message"]
    local_cloud.grant(
        f"{secrets}/db-pass", "roles/secretmanager.secretAccessor", f"serviceAccount:{email}"
    )
    service = run.patch("worker", body)["response"]
    assert run.environment(service["uri"])["PW"] == "s3cret"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"template": {"containers": []}}, 400),
        ({"template": {"containers": [{"image": "a/b"}, {"image": "c/d"}]}}, 400),
        ({"template": {"containers": [{"image": "a/b", "env": [{"name": "PORT"}]}]}}, 400),
        ({"template": {"containers": [{"image": "a/b"}], "volumes": [{"name": "v"}]}}, 400),
    ],
)
def test_an_impossible_template_is_refused(
    run: Any, expect: Expect, body: dict[str, Any], code: int
) -> None:
    """What Cloud Run refuses, or what is not modelled, never becomes a service."""
    expect(run.client.post(f"{LOCATION}/services", params={"serviceId": "w"}, json=body), code)


def test_an_old_etag_is_refused(run: Any, echo: str, expect: Expect) -> None:
    """A change based on an old reading is a conflict."""
    run.create("worker", run.template(echo))
    body = run.template(echo) | {"etag": '"old"'}
    expect(run.client.patch(f"{LOCATION}/services/worker", json=body), 409)


def test_a_dry_run_changes_nothing(run: Any, echo: str, expect: Expect) -> None:
    """`validateOnly` answers a finished operation and creates nothing."""
    params = {"serviceId": "worker", "validateOnly": "true"}
    answer = run.client.post(f"{LOCATION}/services", params=params, json=run.template(echo))
    assert expect(answer)["done"]
    expect(run.client.get(f"{LOCATION}/services/worker"), 404)
