"""What services and revisions say of themselves, when all is well and when it is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from rehearsal.cloud.run import crashes
from tests.answer_shapes import misshapen

LOCATION = "/run/v2/projects/local-proj/locations/europe-west1"
METHODS = "run.projects.locations.services"
BROKEN = "raise SystemExit(1)\n"
DEAF = "import time\ntime.sleep(60)\n"
Condition = dict[str, Any]


def conditions_of(body: dict[str, Any]) -> dict[str, Condition]:
    """Return conditions by type."""
    return {condition["type"]: condition for condition in body["conditions"]}


def revision_of(run: Any, name: str) -> dict[str, Any]:
    """Return a revision, in the shape that Google's schema promises."""
    answer = run.client.get(f"/run/v2/{name}").json()
    assert misshapen(f"{METHODS}.revisions.get", "/run/v2/x", answer) == []
    return dict(answer)


def service_of(run: Any, name: str = "worker") -> dict[str, Any]:
    """Return a service, in the shape that Google's schema promises."""
    body = dict(run.get(name))
    assert misshapen(f"{METHODS}.get", "/run/v2/x", body) == []
    return body


def test_all_is_well(run: Any, echo: str) -> None:
    """A service that serves is ready in each respect, and so is its revision."""
    run.create("worker", run.template(echo))
    service = service_of(run)
    assert service["terminalCondition"]["state"] == "CONDITION_SUCCEEDED"
    assert set(conditions_of(service)) == {"RoutesReady", "ConfigurationsReady"}
    revision = revision_of(run, service["latestReadyRevision"])
    told = conditions_of(revision)
    assert {name: condition["state"] for name, condition in told.items()} == dict.fromkeys(
        ("Ready", "ContainerReady", "ResourcesAvailable", "ContainerHealthy", "Active"),
        "CONDITION_SUCCEEDED",
    )
    assert told["Ready"]["message"].startswith("Deploying revision succeeded in ")
    assert told["ContainerHealthy"]["message"].startswith("Containers became healthy in ")
    assert revision["observedGeneration"] == revision["generation"] == "1"
    assert "reconciling" not in revision


class Failure(NamedTuple):
    """A container that fails, and what is said of it."""

    source: str
    container: dict[str, Any]
    kind: str
    reasons: dict[str, str]
    words: str


UNHEALTHY = {"revisionReason": "HEALTH_CHECK_CONTAINER_ERROR"}
NOT_LISTENING = (
    "The user-provided container failed to start and listen on the port defined provided by the "
    "PORT=6962 environment variable within the allocated timeout."
)
NOT_STARTED = (
    "The user-provided container failed the configured startup probe checks. Logs for this "
    "revision might contain more information."
)
PROBE = {"httpGet": {"path": "/health"}, "periodSeconds": 1, "failureThreshold": 1}
SECRET = {"name": "PW", "valueSource": {"secretKeyRef": {"secret": "none"}}}
SECRET_FIELD = "spec.template.spec.containers[0].env[0].value_from.secret_key_ref.name: "
PORT = {"containerPort": 6962}
FAILURES = {
    "ends": Failure(BROKEN, {"ports": [PORT]}, "ContainerHealthy", UNHEALTHY, NOT_LISTENING),
    "probe": Failure(DEAF, {"startupProbe": PROBE}, "ContainerHealthy", UNHEALTHY, NOT_STARTED),
    "image": Failure(
        "", {}, "ContainerReady", {"reason": "CONTAINER_MISSING"}, "Image '{image}' not found."
    ),
    "secret": Failure(
        BROKEN,
        {"env": [SECRET]},
        "ResourcesAvailable",
        {"reason": "SECRETS_ACCESS_CHECK_FAILED"},
        SECRET_FIELD,
    ),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_a_failed_revision_says_why(run: Any, failure: Failure) -> None:
    """Operation, service and revision tell the same in Google's words and reasons."""
    image = f"127.0.0.1:{run.cloud.port}/local-proj/images/none@sha256:{'0' * 64}"
    if failure.source:
        image = run.push({"main.py": failure.source})
    error = run.create("worker", run.template(image, **failure.container))["error"]
    service = service_of(run)
    revision = service["latestCreatedRevision"].rpartition("/")[2]
    words = failure.words.format(image=image)
    prefix = f"Revision '{revision}' is not ready and cannot serve traffic. "
    assert error["message"].startswith(prefix + words)
    for condition in (service["terminalCondition"], *service["conditions"]):
        assert condition["state"] == "CONDITION_FAILED"
        assert condition["message"].startswith(prefix + words)
        assert failure.reasons.items() <= condition.items()
    told = conditions_of(revision_of(run, service["latestCreatedRevision"]))
    for name in ("Ready", failure.kind):
        assert told[name]["state"] == "CONDITION_FAILED"
        assert told[name]["message"].startswith(words)
        assert failure.reasons.items() <= told[name].items()
    assert "observedGeneration" not in service


def test_a_failed_update_keeps_what_the_service_says_of_the_old_one(run: Any, echo: str) -> None:
    """What serves is still the first generation; traffic by name is not touched by the failure."""
    first = run.create("worker", run.template(echo))["response"]
    old = first["latestReadyRevision"].rpartition("/")[2]
    traffic = [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": old, "percent": 100}]
    run.patch("worker", run.template(echo) | {"traffic": traffic})
    broken = run.template(run.push({"main.py": BROKEN})) | {"traffic": traffic}
    assert run.patch("worker", broken)["error"]["code"] == 9
    service = service_of(run)
    assert (service["generation"], service["observedGeneration"]) == ("3", "2")
    assert service["trafficStatuses"] == traffic
    told = conditions_of(service)
    assert told["RoutesReady"]["state"] == "CONDITION_SUCCEEDED"
    assert told["ConfigurationsReady"]["state"] == "CONDITION_FAILED"


def test_a_revision_without_traffic_is_retired(run: Any, echo: str) -> None:
    """It says so itself, and is no longer active."""
    first = run.create("worker", run.template(echo))["response"]
    run.patch("worker", run.template(echo, env=[{"name": "X", "value": "2"}]))
    active = conditions_of(revision_of(run, first["latestReadyRevision"]))["Active"]
    assert (active["state"], active["revisionReason"]) == ("CONDITION_FAILED", "RETIRED")
    assert active["severity"] == "INFO"


def test_a_crash_loop_is_told_and_forgotten_when_it_ends(
    run: Any, echo: str, wait_until: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After three crashes in a row the revision is not healthy, until an instance stays."""
    monkeypatch.setattr(crashes, "STABLE_AFTER_S", 0.5)
    service = run.create("worker", run.template(echo))["response"]

    def healthy() -> Condition:
        return conditions_of(revision_of(run, service["latestReadyRevision"]))["ContainerHealthy"]

    def crash() -> bool:
        run.call(service["uri"], "/crash")
        return healthy()["state"] == "CONDITION_FAILED"

    wait_until(crash)
    assert healthy()["reason"] == "POSTPONED_RETRY"
    assert "Container called exit(3)." in healthy()["message"]
    assert run.client.get("/_local/logs/worker").text.count("Container called exit(3).") >= 3
    wait_until(lambda: healthy()["state"] == "CONDITION_SUCCEEDED")
    assert service_of(run)["terminalCondition"]["state"] == "CONDITION_SUCCEEDED"


def test_a_skipped_health_check_is_told(run: Any) -> None:
    """With `healthCheckDisabled` a revision is ready whatever its container does."""
    body = run.template(run.push({"main.py": BROKEN}))
    body["template"]["healthCheckDisabled"] = True
    service = run.create("worker", body)["response"]
    healthy = conditions_of(revision_of(run, service["latestReadyRevision"]))["ContainerHealthy"]
    assert healthy["revisionReason"] == "HEALTH_CHECK_SKIPPED"


def test_a_damaged_image_fails_the_revision_and_not_the_cloud(run: Any, echo: str) -> None:
    """Whatever goes wrong inside, the service ends up failed, and says by what."""
    digest = echo.rpartition("@")[2]
    manifest = run.client.get(f"/v2/local-proj/images/service/manifests/{digest}").json()
    layer = run.cloud.images.blob_path(manifest["layers"][0]["digest"])
    layer.write_bytes(b"no archive")
    error = run.create("worker", run.template(echo))["error"]
    assert error["code"] == 13
    service = service_of(run)
    assert "reconciling" not in service
    assert service["terminalCondition"]["reason"] == "INTERNAL"
