"""`google-cloud-run` over REST: services and revisions through their operations."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core.exceptions import GoogleAPICallError
from google.cloud.run_v2 import (
    Condition,
    IngressTraffic,
    RevisionsClient,
    Service,
    ServicesClient,
    TrafficTargetAllocationType,
)
from google_clients import LOCATION, PROJECT, STRANGER, Clients, refused, walk_policy

NAME = f"{LOCATION}/services/worker"
LATEST = TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST


@pytest.fixture(name="services")
def services_fixture(clients: Clients) -> ServicesClient:
    """The client of services."""
    return clients.rest(ServicesClient, "run")


def _body(image: str, **template: Any) -> dict[str, Any]:
    return {"template": {"containers": [{"image": image}], **template}}


def _created(services: ServicesClient, body: dict[str, Any], name: str = "worker") -> Service:
    return services.create_service(parent=LOCATION, service_id=name, service=body).result(30)


def test_a_service_lives(services: ServicesClient, clients: Clients, run: Any, echo: str) -> None:
    """Created, called, listed, rolled out anew, granted and deleted with its revisions."""
    service = _created(services, _body(echo) | {"labels": {"team": "x"}})
    assert service == services.get_service(name=NAME)
    assert service.terminal_condition.state is Condition.State.CONDITION_SUCCEEDED
    assert service.ingress is IngressTraffic.INGRESS_TRAFFIC_ALL
    assert (service.traffic[0].type_, service.traffic[0].percent) == (LATEST, 100)
    (container,) = service.template.containers
    assert (container.image, container.ports[0].container_port) == (echo, 8080)
    assert service.template.max_instance_request_concurrency == 80
    assert run.environment(service.uri)["K_SERVICE"] == "worker"
    assert [found.name for found in services.list_services(parent=LOCATION)] == [NAME]
    revisions = clients.rest(RevisionsClient, "run")
    (first,) = revisions.list_revisions(parent=NAME)
    assert (first.name, first.service) == (service.latest_ready_revision, "worker")

    service.template.containers[0].env.append({"name": "X", "value": "2"})
    second = services.update_service(service=service).result(30)
    assert (second.uid, second.generation) == (service.uid, service.generation + 1)
    assert second.uri == service.uri
    assert run.environment(second.uri)["X"] == "2"
    both = {first.name, second.latest_ready_revision}
    assert {found.name for found in revisions.list_revisions(parent=NAME)} == both

    walk_policy(services, NAME, "run.services.get")
    deleting = services.delete_service(name=NAME)
    deleting.result(30)
    assert isinstance(deleting.metadata, Service)
    with refused("NOT_FOUND"):
        services.get_service(name=NAME)
    with refused("NOT_FOUND"):
        revisions.get_revision(name=first.name)
    again = _created(services, _body(echo))
    assert (again.uid != service.uid, again.generation) == (True, 1)


def test_what_a_mask_does_not_name_stays(services: ServicesClient, echo: str) -> None:
    """With a mask only its fields change; traffic alone makes no revision."""
    service = _created(services, _body(echo) | {"labels": {"team": "x"}})
    changed = services.update_service(
        request={
            "service": {"name": NAME, "description": "ours"},
            "update_mask": {"paths": ["description"]},
        }
    ).result(30)
    assert (changed.description, dict(changed.labels)) == ("ours", {"team": "x"})
    assert changed.latest_created_revision == service.latest_created_revision


def test_traffic_goes_back_to_a_revision(
    services: ServicesClient, clients: Clients, run: Any, echo: str
) -> None:
    """A revision that is named gets the requests again, and says so in the statuses."""
    service = _created(services, _body(echo))
    service.template.containers[0].env.append({"name": "X", "value": "2"})
    second = services.update_service(service=service).result(30)
    old = service.latest_ready_revision.rpartition("/")[2]
    by_name = TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
    second.traffic = [{"type_": by_name, "revision": old, "percent": 100}]
    pinned = services.update_service(service=second).result(30)
    assert [(s.revision, s.percent) for s in pinned.traffic_statuses] == [(old, 100)]
    assert "X" not in run.environment(pinned.uri)
    revisions = clients.rest(RevisionsClient, "run")
    assert len(list(revisions.list_revisions({"parent": NAME, "page_size": 1}))) == 2


def test_a_rollout_that_fails_raises_googles_words(services: ServicesClient, echo: str) -> None:
    """The operation's error is the exception; the service stays, failed, and can be repaired."""
    missing = echo.partition("@")[0] + "@sha256:" + "0" * 64
    with pytest.raises(GoogleAPICallError, match=r"Image .* not found"):
        _created(services, _body(missing))
    failed = services.get_service(name=NAME)
    assert failed.terminal_condition.state is Condition.State.CONDITION_FAILED
    assert not failed.latest_ready_revision
    repaired = services.update_service(service={"name": NAME, **_body(echo)}).result(30)
    assert repaired.terminal_condition.state is Condition.State.CONDITION_SUCCEEDED


def test_errors_of_services(services: ServicesClient, clients: Clients, echo: str) -> None:
    """Each status arrives as the exception that Google's library has for it."""
    with refused("NOT_FOUND"):
        services.get_service(name=NAME)
    with refused("NOT_FOUND"):
        services.delete_service(name=NAME)
    with refused("INVALID_ARGUMENT"):
        services.create_service(parent=LOCATION, service_id="No_Such", service=_body(echo))
    with refused("INVALID_ARGUMENT"):
        services.create_service(parent=LOCATION, service_id="worker", service={"template": {}})
    with refused("PERMISSION_DENIED", r"iam\.serviceaccounts\.actAs"):
        stranger = f"none@{PROJECT.partition('/')[2]}.iam.gserviceaccount.com"
        services.create_service(
            parent=LOCATION, service_id="worker", service=_body(echo, service_account=stranger)
        )
    assert not list(services.list_services(parent=LOCATION))
    service = _created(services, _body(echo))
    with refused("ALREADY_EXISTS"):
        services.create_service(parent=LOCATION, service_id="worker", service=_body(echo))
    with refused("ABORTED"):
        services.delete_service(request={"name": NAME, "etag": '"older"'})
    service.etag = '"older"'
    with refused("ABORTED"):
        services.update_service(service=service)
    dry = {"parent": LOCATION, "service_id": "dry", "service": _body(echo), "validate_only": True}
    services.create_service(request=dry).result(10)
    assert [found.name for found in services.list_services(parent=LOCATION)] == [NAME]
    theirs = clients.rest(ServicesClient, "run", STRANGER)
    with refused("PERMISSION_DENIED", r"run\.services\.get"):
        theirs.get_service(name=NAME)
    with refused("PERMISSION_DENIED", r"run\.services\.delete"):
        theirs.delete_service(name=NAME)
    with refused("PERMISSION_DENIED", r"run\.services\.list"):
        theirs.list_services(parent=LOCATION)
