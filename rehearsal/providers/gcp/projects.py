"""What belongs to the project: enabled APIs and custom roles."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from rehearsal.engine.provider import CreateResult, Properties, ProviderError, Value
from rehearsal.providers.gcp.resource import DELETION_POLICY, PROJECT, Cloud
from rehearsal.providers.gcp.rest_resource import RestResource
from rehearsal.providers.gcp.settings import Api
from rehearsal.providers.limits import one_of, same_set
from rehearsal.providers.properties import Json, JsonObject, items
from rehearsal.providers.properties import text as known_text
from rehearsal.providers.rest import ApiCallError, Call
from rehearsal.providers.schema import flag, from_api, text, texts

_SERVICE: Final = re.compile(r"^[a-z0-9-]+(\.[a-z0-9-]+)+$")
_ROLE_ID: Final = re.compile(r"^[A-Za-z0-9_.]{3,64}$")
_PERMISSION: Final = re.compile(r"^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+){2,}$")
_STAGES: Final = ("ALPHA", "BETA", "GA", "DEPRECATED", "DISABLED", "EAP")
_CONFLICT: Final = 409


def _service_problem(value: Value) -> str | None:
    if isinstance(value, str) and _SERVICE.match(value):
        return None
    return f"is {value!r}; a service looks like run.googleapis.com"


class EnabledService(RestResource):
    """An API enabled for the project. It stays enabled unless `disableOnDestroy` is set."""

    token = "gcp:projects/service:Service"  # noqa: S105 - a resource type, no secret.
    label = "Project Service"
    api = Api.SERVICE_USAGE
    id_template = "{project}/{service}"
    is_long_running = True
    fields = (
        text("service", "").required().force_new().checked(_service_problem),
        PROJECT,
        DELETION_POLICY,
        flag("disableOnDestroy", ""),
        flag("disableDependentServices", ""),
        flag("checkIfServiceHasUsageOnDestroy", ""),
    )

    def base_url(self, cloud: Cloud) -> str:
        """Return where services are; the configured v1beta1 serves the operations only."""
        return re.sub(r"/[^/]+/$", "/v1/", self.operations_url(cloud))

    def operations_url(self, cloud: Cloud) -> str:
        """Return where operations are polled."""
        return cloud.settings.base_url(self.api)

    def url(self, cloud: Cloud, resource_id: str) -> str:
        """Return the address of the service."""
        project, _, service = resource_id.rpartition("/")
        return f"{self.base_url(cloud)}projects/{project}/services/{service}"

    def creation(
        self, cloud: Cloud, resource_id: str, values: Properties, body: JsonObject
    ) -> Call:
        """Return the call that enables the API."""
        del values, body
        return Call("POST", self.url(cloud, resource_id) + ":enable", body={})

    async def create(self, cloud: Cloud, values: Properties, timeout_s: float) -> CreateResult:
        """Enable the API unless it is enabled already."""
        resource_id = self.known_id(values)
        found = await self.fetch(cloud, resource_id, values)
        if found is not None:
            return CreateResult(resource_id, found)
        return await super().create(cloud, values, timeout_s)

    async def settle(self, cloud: Cloud, resource_id: str, values: Properties) -> None:
        """Wait until the service is listed as enabled."""
        pauses = cloud.rest.backoff(cloud.rest.patience.settling_s)
        while await self.fetch(cloud, resource_id, values) is None:
            if not await pauses.pause():
                raise ProviderError(f"{resource_id} is still not enabled")

    async def fetch(
        self, cloud: Cloud, resource_id: str, prior: Mapping[str, Value]
    ) -> Properties | None:
        """Read whether the API is enabled."""
        body = await cloud.rest.get(self.url(cloud, resource_id))
        if body is None or body.get("state") != "ENABLED":
            return None
        outputs = self.outputs(resource_id, body, prior)
        for name in ("disableOnDestroy", "checkIfServiceHasUsageOnDestroy"):
            outputs[name] = outputs[name] or None
        outputs["disableDependentServices"] = outputs["disableDependentServices"] or None
        return outputs

    async def delete(
        self, cloud: Cloud, resource_id: str, outputs: Properties, timeout_s: float
    ) -> None:
        """Disable the API, but only where that was asked for."""
        if outputs.get("disableOnDestroy") is not True:
            return
        await super().delete(cloud, resource_id, outputs, timeout_s)

    def deletion(self, cloud: Cloud, resource_id: str, outputs: Properties) -> Call:
        """Return the call that disables the API."""
        has_check = outputs.get("checkIfServiceHasUsageOnDestroy") is True
        body: JsonObject = {"checkIfServiceHasUsage": "CHECK" if has_check else "SKIP"}
        if outputs.get("disableDependentServices") is True:
            body["disableDependentServices"] = True
        return Call("POST", self.url(cloud, resource_id) + ":disable", body=body)


def _role_id_problem(value: Value) -> str | None:
    if isinstance(value, str) and _ROLE_ID.match(value):
        return None
    return f"is {value!r}; a role id has 3 to 64 letters, digits, '_' and '.'"


def _permissions_problem(value: Value) -> str | None:
    given = items(value)
    if not given:
        return "is empty; a role needs at least one permission"
    wrong = [p for p in given if isinstance(p, str) and not _PERMISSION.match(p)]
    return f"holds {wrong[0]!r}; a permission looks like pubsub.topics.get" if wrong else None


class CustomRole(RestResource):
    """A role of the project's own. Google keeps deleted ones for a while; they are revived."""

    token = "gcp:projects/iAMCustomRole:IAMCustomRole"  # noqa: S105 - a resource type, no secret.
    label = "custom project role"
    api = Api.IAM
    id_template = "projects/{project}/roles/{roleId}"
    fields = (
        text("roleId", "").required().force_new().checked(_role_id_problem),
        PROJECT,
        DELETION_POLICY,
        text("title").required(),
        texts("permissions", "includedPermissions")
        .required()
        .checked(_permissions_problem)
        .same(same_set),
        text("description"),
        text("stage").defaulting("GA").checked(one_of(*_STAGES)),
        flag("deleted").output(),
        text("name").output(),
    )

    def foresee(self, values: Properties, outputs: Properties) -> Properties:
        """Return the name, which is the id."""
        return {"name": self.resource_id(values), "deleted": outputs.get("deleted") or False}

    def creation(
        self, cloud: Cloud, resource_id: str, values: Properties, body: JsonObject
    ) -> Call:
        """Return the call that makes the role."""
        del resource_id
        url = f"{self.base_url(cloud)}projects/{known_text(values, 'project')}/roles"
        return Call("POST", url, body={"roleId": known_text(values, "roleId"), "role": body})

    async def create(self, cloud: Cloud, values: Properties, timeout_s: float) -> CreateResult:
        """Make the role, or revive and change a deleted one of that name."""
        resource_id = self.known_id(values)
        url = self.url(cloud, resource_id)
        existing = await cloud.rest.get(url)
        if existing is None or existing.get("deleted") is not True:
            return await super().create(cloud, values, timeout_s)
        try:
            await cloud.rest.send(Call("POST", f"{url}:undelete", body={}))
        except ApiCallError as error:
            raise ProviderError(f"Error creating {self.label}: {error}") from error
        try:
            await cloud.rest.send(Call("PATCH", url, body=self.body(values, None)))
        except ProviderError as error:
            reason = f"Error creating {self.label}: {error}"
            raise await self._half_made(cloud, resource_id, values, reason) from error
        revived = await self.fetch(cloud, resource_id, values)
        return CreateResult(resource_id, revived or {})

    async def fetch(
        self, cloud: Cloud, resource_id: str, prior: Mapping[str, Value]
    ) -> Properties | None:
        """Read the role; a deleted one counts as gone."""
        body = await cloud.rest.get(self.url(cloud, resource_id))
        if body is None or body.get("deleted") is True:
            return None
        return self.outputs(resource_id, body, prior)

    def outputs(
        self, resource_id: str, body: Mapping[str, Json], prior: Mapping[str, Value]
    ) -> Properties:
        """Build outputs; permissions come in the order in which they were given."""
        outputs = super().outputs(resource_id, dict(body), prior)
        given = prior.get("permissions")
        live = from_api(self.fields, body)["permissions"]
        outputs["permissions"] = given if same_set(live, given) else live
        return outputs
