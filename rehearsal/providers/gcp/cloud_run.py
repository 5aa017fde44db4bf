"""Cloud Run services.

A service whose first revision does not start exists all the same; it is recorded as unhealthy.
"""

from __future__ import annotations

from collections.abc import Mapping

from rehearsal.engine.provider import (
    UNKNOWN,
    CreateResult,
    DiffKind,
    Properties,
    ProviderError,
    ResourceInitFailedError,
    Value,
)
from rehearsal.providers.comparing import Comparison
from rehearsal.providers.gcp.resource import Cloud
from rehearsal.providers.gcp.rest_resource import RestResource
from rehearsal.providers.gcp.run_fields import CONDITION_FIELDS, FIELDS
from rehearsal.providers.gcp.settings import Api
from rehearsal.providers.properties import JsonObject, items, json_object, mapping, optional_text
from rehearsal.providers.properties import text as known_text
from rehearsal.providers.rest import Call
from rehearsal.providers.schema import from_api

_ECHOED = ("ingress", "launchStage", "traffic")


class Service(RestResource):
    """A Cloud Run service."""

    token = "gcp:cloudrunv2/service:Service"  # noqa: S105 - a resource type, no secret.
    label = "Service"
    api = Api.CLOUD_RUN
    id_template = "projects/{project}/locations/{location}/services/{name}"
    place = "location"
    is_named = True
    is_long_running = True
    fields = FIELDS

    def compare(self, state: Mapping[str, Value], values: Properties) -> Comparison:
        """Compare; a service that is not ready differs from what was asked for, whatever else.

        Otherwise a refresh would make a broken service look right, and nobody tried it again.
        """
        found = super().compare(state, values)
        if _failure(state):
            found.note("conditions", DiffKind.UPDATE)
        return found

    def foresee(self, values: Properties, outputs: Properties) -> Properties:
        """Return the annotations that are known to be there."""
        del outputs
        return {
            "effectiveAnnotations": values.get("annotations", UNKNOWN),
            "terminalConditions": UNKNOWN,
        }

    def derive(
        self, outputs: Properties, body: JsonObject, prior: Mapping[str, Value]
    ) -> Properties:
        """Return the one condition as a list, and user annotations beside all there are."""
        del outputs
        terminal = json_object(body.get("terminalCondition"))
        live = dict(mapping(body.get("annotations")))
        mine = mapping(prior.get("annotations")) if prior else live
        return {
            "terminalConditions": [from_api(CONDITION_FIELDS, terminal)] if terminal else [],
            "annotations": {key: live[key] for key in mine if key in live} or None,
            "effectiveAnnotations": live,
        }

    def creation(
        self, cloud: Cloud, resource_id: str, values: Properties, body: JsonObject
    ) -> Call:
        """Return the call that makes the service."""
        parent = resource_id.rpartition("/")[0]
        query = {"serviceId": known_text(values, "name")}
        return Call("POST", self.base_url(cloud) + parent, query, body)

    def body(self, values: Properties, state: Mapping[str, Value] | None) -> JsonObject:
        """Return the whole service: a patch without a mask replaces all of it."""
        body = super().body(values, state)
        if state is not None:
            echoed = super().body(dict(state), None)
            for key in _ECHOED:
                if key not in body and key in echoed:
                    body[key] = echoed[key]
        return body

    def change(
        self, cloud: Cloud, resource_id: str, body: JsonObject, mask: tuple[str, ...]
    ) -> Call:
        """Return the call that replaces the service's settings."""
        del mask
        return Call("PATCH", self.url(cloud, resource_id), body=body)

    async def create(self, cloud: Cloud, values: Properties, timeout_s: float) -> CreateResult:
        """Make the service and wait until its revision serves."""
        result = await super().create(cloud, values, timeout_s)
        if reason := _failure(result.outputs):
            raise ResourceInitFailedError(id=result.id, outputs=result.outputs, reasons=[reason])
        return result

    async def update(
        self,
        cloud: Cloud,
        resource_id: str,
        old_outputs: Properties,
        values: Properties,
        timeout_s: float,
    ) -> Properties:
        """Change the service and wait until its new revision serves."""
        outputs = await super().update(cloud, resource_id, old_outputs, values, timeout_s)
        if reason := _failure(outputs):
            raise ResourceInitFailedError(id=resource_id, outputs=outputs, reasons=[reason])
        return outputs

    async def delete(
        self, cloud: Cloud, resource_id: str, outputs: Properties, timeout_s: float
    ) -> None:
        """Delete the service unless it is protected."""
        if outputs.get("deletionProtection") is not False:
            raise ProviderError(
                "cannot destroy service without setting deletion_protection=false and running "
                "`pulumi up`"
            )
        await super().delete(cloud, resource_id, outputs, timeout_s)


def _failure(outputs: Mapping[str, Value]) -> str:
    """Return why a service is not ready, or nothing."""
    for item in items(outputs.get("terminalConditions")):
        condition = mapping(item)
        if condition.get("state") == "CONDITION_FAILED":
            return optional_text(condition, "message") or "the service is not ready"
    return ""
