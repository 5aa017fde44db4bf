"""Revisions by name, by force, and their end; services that come into being by a patch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.run.template_checks import check_service
from rehearsal.cloud.run.templates import with_defaults

SERVICES = "/run/v2/projects/local-proj/locations/europe-west1/services"
NAMED = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
Expect = Callable[..., Any]


def named(body: dict[str, Any], revision: str) -> dict[str, Any]:
    """Give the revision that a template makes a name."""
    return body | {"template": body["template"] | {"revision": revision}}


def test_only_a_revision_that_nothing_leads_to_is_deleted(
    run: Any, echo: str, expect: Expect
) -> None:
    """The latest and those with traffic or a tag stay; another one goes for good."""
    run.create("worker", named(run.template(echo), "worker-one"))
    changed = run.template(echo, env=[{"name": "X", "value": "2"}])
    tagged = [
        {"percent": 100},
        {"type": NAMED, "revision": "worker-one", "tag": "old"},
    ]
    run.patch("worker", named(changed, "worker-two") | {"traffic": tagged})
    revisions = f"{SERVICES}/worker/revisions"
    for name, reason in (("worker-two", "is the latest"), ("worker-one", "receive traffic")):
        error = expect(run.client.delete(f"{revisions}/{name}"), 400)["error"]
        assert error["status"] == "FAILED_PRECONDITION"
        assert reason in error["message"]
    run.patch("worker", named(changed, "worker-two"))
    dry = run.client.delete(f"{revisions}/worker-one", params={"validateOnly": "true"})
    assert expect(dry)["done"]
    expect(run.client.delete(f"{revisions}/worker-one", params={"etag": '"old"'}), 409)
    assert run.finished(run.client.delete(f"{revisions}/worker-one"))["response"]["deleteTime"]
    expect(run.client.get(f"{revisions}/worker-one"), 404)
    (left,) = expect(run.client.get(revisions))["revisions"]
    assert left["name"].endswith("/worker-two")


def test_a_revisions_name_belongs_to_one_template(run: Any, echo: str, expect: Expect) -> None:
    """Another name is another revision, an old name the old one; another template is refused."""
    body = named(run.template(echo), "worker-one")
    first = run.create("worker", body)["response"]
    assert first["latestReadyRevision"].endswith("/worker-one")
    assert run.patch("worker", body)["response"]["latestCreatedRevision"].endswith("/worker-one")
    other = run.patch("worker", named(run.template(echo), "worker-two"))["response"]
    assert other["latestReadyRevision"].endswith("/worker-two")
    again = run.patch("worker", body)["response"]
    assert again["latestCreatedRevision"] == first["latestCreatedRevision"]
    assert run.environment(again["uri"])["K_REVISION"] == "worker-one"
    changed = named(run.template(echo, env=[{"name": "X", "value": "2"}]), "worker-one")
    error = expect(run.client.patch(f"{SERVICES}/worker", json=changed), 409)["error"]
    assert error["message"] == (
        "Revision named 'worker-one' with different configuration already exists."
    )


def test_a_new_revision_can_be_forced(run: Any, echo: str) -> None:
    """`forceNewRevision` makes one although the template is the same, and only once."""
    first = run.create("worker", run.template(echo))["response"]["latestReadyRevision"]
    answer = run.client.patch(
        f"{SERVICES}/worker", params={"forceNewRevision": "true"}, json=run.template(echo)
    )
    second = run.finished(answer)["response"]["latestReadyRevision"]
    assert second != first
    assert run.patch("worker", run.template(echo))["response"]["latestReadyRevision"] == second


def test_a_patch_may_create(run: Any, echo: str, local_cloud: Any, expect: Expect) -> None:
    """With `allowMissing` a service that is not there is made, by whoever may create one."""
    params = {"allowMissing": "true"}
    expect(run.client.patch(f"{SERVICES}/worker", json=run.template(echo)), 404)
    answer = run.client.patch(f"{SERVICES}/worker", params=params, json=run.template(echo))
    assert run.finished(answer)["response"]["generation"] == "1"
    email = local_cloud.account("updater")
    role = "projects/local-proj/roles/updater"
    body = {"roleId": "updater", "role": {"includedPermissions": ["run.services.update"]}}
    expect(run.client.post("/iam/v1/projects/local-proj/roles", json=body))
    project = "/resourcemanager/v1/projects/local-proj"
    local_cloud.grant(project, role, f"serviceAccount:{email}")
    client = local_cloud.client(f"serviceAccount:{email}")
    error = expect(client.patch(f"{SERVICES}/other", params=params, json=run.template(echo)), 403)[
        "error"
    ]
    assert "run.services.create" in error["message"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"template": {"revision": "other-one"}}, "must begin with 'worker-'"),
        ({"template": {"timeout": "3601s"}}, "timeout"),
        ({"template": {"maxInstanceRequestConcurrency": 1001}}, "concurrency"),
        ({"template": {"scaling": {"minInstanceCount": 3, "maxInstanceCount": 2}}}, "not exceed"),
        ({"scaling": {"manualInstanceCount": -1}}, "must not be negative"),
        ({"template": {"annotations": {"run.googleapis.com/x": "1"}}}, "is reserved"),
        ({"labels": {"a.serving.knative.dev/x": "1"}}, "is reserved"),
        ({"description": "x" * 513}, "512"),
        ({"iapEnabled": True}, "not modelled"),
        ({"binaryAuthorization": {"policy": "projects/p/platforms/cloudRun/x"}}, "not modelled"),
        ({"template": {"nodeSelector": {"accelerator": "nvidia-l4"}}}, "not modelled"),
        ({"container": {"ports": [{"name": "h2c"}]}}, "not modelled"),
        ({"container": {"ports": [{"containerPort": 70000}]}}, "ports"),
        ({"container": {"resources": {"limits": {"nvidia.com/gpu": "1"}}}}, "not modelled"),
        ({"container": {"resources": {"limits": {"cpu": "fast"}}}}, "Invalid value specified"),
        ({"container": {"dependsOn": ["x"]}}, "not modelled"),
        ({"container": {"startupProbe": {"periodSeconds": 5}}}, "exactly one of"),
        ({"container": {"startupProbe": {"tcpSocket": {}, "timeoutSeconds": 11}}}, "exceed period"),
        ({"container": {"startupProbe": {"tcpSocket": {}, "failureThreshold": 25}}}, "240"),
        ({"container": {"livenessProbe": {"httpGet": {}, "periodSeconds": 3601}}}, "3600"),
    ],
)
def test_nothing_is_taken_and_then_ignored(change: dict[str, Any], words: str) -> None:
    """What Cloud Run refuses, or what is not modelled, is refused and says what."""
    change = dict(change)
    container = {"image": "a/b"} | change.pop("container", {})
    template = {"containers": [container]} | change.pop("template", {})
    service = {"name": "projects/p/locations/l/services/worker"} | change
    service["template"] = with_defaults(template, default_account="worker@p.test")
    with pytest.raises(ApiError) as refused:
        check_service(service)
    assert refused.value.code == 400
    assert words in refused.value.message


def test_a_given_probe_gets_its_defaults(run: Any, echo: str) -> None:
    """Period, timeout, threshold, path and port are told as Cloud Run fills them in."""
    ports = [{"containerPort": 9000}]
    body = run.template(echo, startupProbe={"httpGet": {}}, ports=ports)
    container = run.create("worker", body)["response"]["template"]["containers"][0]
    assert container["startupProbe"] == {
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "failureThreshold": 3,
        "httpGet": {"path": "/", "port": 9000},
    }


@pytest.mark.parametrize(
    ("cpu", "concurrency"), [("1", 80), ("1000m", 80), ("2", 80), ("999m", 1), ("0.5", 1)]
)
def test_less_than_a_processor_answers_one_request_at_a_time(cpu: str, concurrency: int) -> None:
    """The default of the concurrency follows the processor."""
    template = {"containers": [{"image": "a/b", "resources": {"limits": {"cpu": cpu}}}]}
    filled = with_defaults(template, default_account="worker@p.test")
    assert filled["maxInstanceRequestConcurrency"] == concurrency


def test_of_changes_in_quick_succession_the_last_one_stays(run: Any, echo: str) -> None:
    """Each operation ends, and the service is ready only as what was asked of it last."""
    run.create("worker", run.template(echo))
    bodies = [run.template(echo, env=[{"name": "X", "value": str(number)}]) for number in range(3)]
    answers = [run.client.patch(f"{SERVICES}/worker", json=body) for body in bodies]
    assert all("response" in run.finished(answer) for answer in answers)
    service = run.get("worker")
    assert service["terminalCondition"]["state"] == "CONDITION_SUCCEEDED"
    assert service["generation"] == service["observedGeneration"] == "4"
    assert run.environment(service["uri"])["X"] == "2"


def test_a_change_that_a_deletion_overtakes_fails(run: Any, echo: str, expect: Expect) -> None:
    """It neither brings the service back nor leaves anything running."""
    run.create("worker", run.template(echo))
    deleted = run.client.delete(f"{SERVICES}/worker")
    changed = run.client.patch(
        f"{SERVICES}/worker", json=run.template(echo, env=[{"name": "X", "value": "2"}])
    )
    assert "response" in run.finished(deleted)
    if changed.status_code == 200:
        assert "error" in run.finished(changed)
    expect(run.client.get(f"{SERVICES}/worker"), 404)
    assert expect(run.client.get("/_local/services")) == {"services": []}
