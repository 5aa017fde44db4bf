"""Methods of the Service Usage API (v1; operations also on v1beta1)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from rehearsal.cloud.calls import Call, Handler, JsonObject, Requirement
from rehearsal.cloud.errors import invalid_argument

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

_PROJECT: Final = "projects/{project}"
_MOST_AT_ONCE: Final = 20
# What Google calls the operation that enables what is enabled already.
_NOTHING_TO_DO: Final = "noop.DONE_OPERATION"
_TYPE: Final = "type.googleapis.com/google.api.serviceusage.v1"
REQUIREMENTS: Final[Mapping[str, Requirement]] = {
    "serviceusage.services.enable": Requirement("serviceusage.services.enable", _PROJECT),
    "serviceusage.services.batchEnable": Requirement("serviceusage.services.enable", _PROJECT),
    "serviceusage.services.disable": Requirement("serviceusage.services.disable", _PROJECT),
    "serviceusage.services.get": Requirement("serviceusage.services.get", _PROJECT),
    "serviceusage.services.batchGet": Requirement("serviceusage.services.get", _PROJECT),
    "serviceusage.services.list": Requirement("serviceusage.services.list", _PROJECT),
    "serviceusage.operations.get": Requirement("serviceusage.operations.get", _PROJECT),
}


class _ServiceUsage:
    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._number = f"projects/{cloud.project_number}"

    async def enable(self, call: Call) -> JsonObject:
        service = call.params["name"].rpartition("/")[2]
        return self._enabled(
            [service],
            {
                "@type": f"{_TYPE}.EnableServiceResponse",
                "service": self._body(service, enabled=True),
            },
        )

    async def batch_enable(self, call: Call) -> JsonObject:
        services = call.body.get("serviceIds") or []
        if not 0 < len(services) <= _MOST_AT_ONCE:
            raise invalid_argument(f"Between 1 and {_MOST_AT_ONCE} services can be enabled at once")
        response = {
            "@type": f"{_TYPE}.BatchEnableServicesResponse",
            "services": [self._body(service, enabled=True) for service in services],
        }
        return self._enabled(services, response)

    async def disable(self, call: Call) -> JsonObject:
        service = call.params["name"].rpartition("/")[2]
        self._cloud.apis.disable(service)
        response = {"@type": f"{_TYPE}.DisableServiceResponse", "service": self._body(service)}
        return self._operation([service], response)

    async def get(self, call: Call) -> JsonObject:
        return self._body(call.params["name"].rpartition("/")[2])

    async def batch_get(self, call: Call) -> JsonObject:
        names = [name for name in call.query.get("names", "").split(",") if name]
        return {"services": [self._body(name.rpartition("/")[2]) for name in names]}

    async def list(self, call: Call) -> JsonObject:
        if call.query.get("filter", "") not in ("", "state:ENABLED"):
            raise invalid_argument("The local cloud knows enabled services: filter state:ENABLED.")
        return {"services": [self._body(service) for service in self._cloud.apis.enabled()]}

    async def get_operation(self, call: Call) -> JsonObject:
        return self._cloud.operations.get(call.params["name"])

    def _enabled(self, services: Sequence[str], response: JsonObject) -> JsonObject:
        unknown = next((s for s in services if not s.endswith((".googleapis.com", ".goog"))), None)
        if unknown is not None:
            raise invalid_argument(f"Service {unknown} not found or permission denied.")
        if all(self._cloud.apis.is_enabled(service) for service in services):
            name = f"operations/{_NOTHING_TO_DO}"
            return self._cloud.operations.finished("", response, name=name)
        self._cloud.apis.enable(services)
        return self._operation(services, response)

    def _operation(self, services: Sequence[str], response: JsonObject) -> JsonObject:
        name = f"operations/acf.p2-{self._cloud.project_number}-{uuid.uuid4()}"
        metadata = {
            "@type": f"{_TYPE}.OperationMetadata",
            "resourceNames": [f"{self._number}/services/{service}" for service in services],
        }
        return self._cloud.operations.accepted("", response, metadata=metadata, name=name)

    def _body(self, service: str, *, enabled: bool = False) -> JsonObject:
        is_enabled = enabled or self._cloud.apis.is_enabled(service)
        return {
            "name": f"{self._number}/services/{service}",
            "parent": self._number,
            "config": {"name": service},
            "state": "ENABLED" if is_enabled else "DISABLED",
        }


def handlers(cloud: LocalCloud) -> Mapping[str, Handler]:
    """The methods that are modelled."""
    usage = _ServiceUsage(cloud)
    return {
        "serviceusage.services.enable": usage.enable,
        "serviceusage.services.batchEnable": usage.batch_enable,
        "serviceusage.services.disable": usage.disable,
        "serviceusage.services.get": usage.get,
        "serviceusage.services.batchGet": usage.batch_get,
        "serviceusage.services.list": usage.list,
        "serviceusage.operations.get": usage.get_operation,
    }
