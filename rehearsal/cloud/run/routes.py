"""Cloud Run's Admin API v2: services, revisions and their operations."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from rehearsal.cloud.calls import Background, Call, Handler, JsonObject, Requirement
from rehearsal.cloud.errors import ApiError, aborted, invalid_argument, permission_denied
from rehearsal.cloud.field_masks import masked
from rehearsal.cloud.iam.policy_methods import policy_handlers, policy_requirements
from rehearsal.cloud.local_cloud import LocalCloud
from rehearsal.cloud.operation_methods import operation_handlers, operation_requirements
from rehearsal.cloud.run.controller import REVISION_TYPE, SERVICE_TYPE, RunController
from rehearsal.cloud.run.services import Services
from rehearsal.cloud.run.state import controller_of

_LOCATIONS: Final = "run.projects.locations"
_SERVICES: Final = f"{_LOCATIONS}.services"
_REVISIONS: Final = f"{_SERVICES}.revisions"
_OPERATIONS: Final = f"{_LOCATIONS}.operations"
_PACKAGE: Final = "google.cloud.run.v2"

REQUIREMENTS: Final[Mapping[str, Requirement]] = {
    f"{_SERVICES}.create": Requirement("run.services.create", "projects/{project}"),
    f"{_SERVICES}.list": Requirement("run.services.list", "projects/{project}"),
    f"{_SERVICES}.get": Requirement("run.services.get", "{name}"),
    f"{_SERVICES}.patch": Requirement("run.services.update", "{name}"),
    f"{_SERVICES}.delete": Requirement("run.services.delete", "{name}"),
    f"{_REVISIONS}.get": Requirement("run.revisions.get", "{name}"),
    f"{_REVISIONS}.delete": Requirement("run.revisions.delete", "{name}"),
    f"{_REVISIONS}.list": Requirement("run.revisions.list", "{parent}"),
    **operation_requirements(_OPERATIONS, "run.operations"),
    f"{_OPERATIONS}.wait": Requirement("run.operations.get", "projects/{project}"),
    **policy_requirements(_SERVICES, "run.services"),
}


def handlers(cloud: LocalCloud) -> Mapping[str, Handler]:
    """Return the handlers of every modelled Cloud Run method."""
    controller = controller_of(cloud)
    return {
        **_service_handlers(cloud, controller),
        **_reading_handlers(cloud, controller.services),
        f"{_REVISIONS}.delete": _revision_deletion(cloud, controller),
        **policy_handlers(cloud, _SERVICES, controller.services.get),
    }


def background(cloud: LocalCloud) -> Sequence[Background]:
    """Return what keeps services running."""
    return [controller_of(cloud)]


def _service_handlers(cloud: LocalCloud, controller: RunController) -> dict[str, Handler]:
    services = controller.services

    async def create(call: Call) -> JsonObject:
        service_id = call.query.get("serviceId") or ""
        service = services.new(call.params["parent"], service_id, call.body, call.principal)
        _require_act_as(cloud, call.principal, service)
        if _is_dry(call):
            return _finished(cloud, service)
        return await controller.create(service)

    async def create_missing(call: Call) -> JsonObject:
        permission = "run.services.create"
        if not cloud.iam.allows(call.principal, permission, cloud.project):
            raise permission_denied(permission, cloud.project)
        parent, _, service_id = call.params["name"].rpartition("/services/")
        query = {**call.query, "serviceId": service_id}
        return await create(replace(call, params={**call.params, "parent": parent}, query=query))

    async def patch(call: Call) -> JsonObject:
        name = call.params["name"]
        if _is_true(call, "allowMissing") and services.find(name) is None:
            return await create_missing(call)
        current = services.get(name)
        _check_etag(current, call.body.get("etag"))
        mask = call.update_mask
        is_whole = mask is None or call.replaces_all
        body = call.body if is_whole else masked(current, call.body, mask or ())
        service = services.changed(current, body, call.principal)
        _require_act_as(cloud, call.principal, service)
        if _is_dry(call):
            return _finished(cloud, service)
        return controller.roll_out(service, is_forced=_is_true(call, "forceNewRevision"))

    async def delete(call: Call) -> JsonObject:
        name = call.params["name"]
        service = services.get(name)
        _check_etag(service, call.query.get("etag"))
        return _finished(cloud, service) if _is_dry(call) else controller.delete(name)

    return {
        f"{_SERVICES}.create": create,
        f"{_SERVICES}.patch": patch,
        f"{_SERVICES}.delete": delete,
    }


def _revision_deletion(cloud: LocalCloud, controller: RunController) -> Handler:
    async def delete(call: Call) -> JsonObject:
        revision = controller.services.revision(call.params["name"])
        _check_etag(revision, call.query.get("etag"))
        controller.services.require_unused(revision["name"])
        if _is_dry(call):
            return cloud.operations.finished(
                revision["name"].rsplit("/services/", 1)[0], {"@type": REVISION_TYPE} | revision
            )
        return controller.delete_revision(revision)

    return delete


def _reading_handlers(cloud: LocalCloud, services: Services) -> dict[str, Handler]:
    async def get(call: Call) -> JsonObject:
        return services.get(call.params["name"])

    async def in_location(call: Call) -> JsonObject:
        found = list(services.all(call.params["parent"]))
        return {"services": found} if found else {}

    async def revision(call: Call) -> JsonObject:
        return services.revision(call.params["name"])

    async def revisions(call: Call) -> JsonObject:
        found = list(services.revisions(call.params["parent"]))
        return {"revisions": found} if found else {}

    async def wait(call: Call) -> JsonObject:
        timeout = call.body.get("timeout")
        timeout_s = float(timeout.removesuffix("s")) if timeout else None
        return await cloud.operations.wait(call.params["name"], _PACKAGE, timeout_s)

    return {
        f"{_SERVICES}.get": get,
        f"{_SERVICES}.list": in_location,
        f"{_REVISIONS}.get": revision,
        f"{_REVISIONS}.list": revisions,
        **operation_handlers(cloud, _OPERATIONS, _PACKAGE),
        f"{_OPERATIONS}.wait": wait,
    }


def _require_act_as(cloud: LocalCloud, principal: str, service: JsonObject) -> None:
    """Refuse to run a service as an account that the caller may not use.

    Raises:
        ApiError: 403; Google does not tell a missing account from one out of reach.
    """
    account: str = service["template"]["serviceAccount"]
    if "@" not in account:
        raise invalid_argument(f'template.service_account: Invalid value: "{account}".')
    if not cloud.iam.may_act_as(principal, account):
        raise ApiError(
            403,
            "PERMISSION_DENIED",
            f"Permission 'iam.serviceaccounts.actAs' denied on service account {account} "
            "(or it may not exist).",
        )


def _check_etag(service: JsonObject, etag: str | None) -> None:
    if etag and etag != service["etag"]:
        raise aborted(
            f"Conflict for resource '{service['name'].rsplit('/', 1)[-1]}': "
            f"version '{etag}' was specified but current version is '{service['etag']}'."
        )


def _is_dry(call: Call) -> bool:
    return _is_true(call, "validateOnly")


def _is_true(call: Call, parameter: str) -> bool:
    return call.query.get(parameter, "").lower() == "true"


def _finished(cloud: LocalCloud, service: JsonObject) -> JsonObject:
    """Return the operation of a request that was only to be checked."""
    parent = service["name"].rsplit("/services/", 1)[0]
    body = {"@type": SERVICE_TYPE} | service
    return cloud.operations.finished(parent, body, metadata=body)
