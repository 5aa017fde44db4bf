"""The life of a plain REST resource: created, read, patched and deleted under its own name.

A type states its calls and where it differs; retries belong to `rest`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Final

from rehearsal.engine.provider import (
    CreateResult,
    OutcomeUnknownError,
    Properties,
    ProviderError,
    ReadResult,
    ResourceInitFailedError,
    Value,
)
from rehearsal.providers.gcp import labels
from rehearsal.providers.gcp.resource import Cloud, ResourceType
from rehearsal.providers.gcp.settings import Api
from rehearsal.providers.properties import JsonObject, has_unknown, optional_text, plain
from rehearsal.providers.rest import ApiCallError, Call, OperationFailedError, UnansweredError
from rehearsal.providers.schema import from_api, to_api

_NOT_FOUND: Final = 404
_CONFLICT: Final = 409


class RestResource(ResourceType):
    """A resource that is created, read, patched and deleted under its own name."""

    api: ClassVar[Api]
    is_long_running: ClassVar[bool] = False

    def base_url(self, cloud: Cloud) -> str:
        """Return where the type's API is served."""
        return cloud.settings.base_url(self.api)

    def url(self, cloud: Cloud, resource_id: str) -> str:
        """Return the address of the resource."""
        return self.base_url(cloud) + resource_id

    def body(self, values: Properties, state: Mapping[str, Value] | None) -> JsonObject:
        """Return the JSON of the resource; `state` are its outputs before an update."""
        body = to_api(self.fields, values)
        if self.has_labels and (merged := labels.labels_to_send(values, state)) is not None:
            body["labels"] = merged
        return self.expanded(body)

    @abstractmethod
    def creation(
        self, cloud: Cloud, resource_id: str, values: Properties, body: JsonObject
    ) -> Call:
        """Return the call that makes the resource."""

    def change(
        self, cloud: Cloud, resource_id: str, body: JsonObject, mask: tuple[str, ...]
    ) -> Call:
        """Return the call that changes the fields named by the mask."""
        return Call("PATCH", self.url(cloud, resource_id), {"updateMask": ",".join(mask)}, body)

    def derive(
        self, outputs: Properties, body: JsonObject, prior: Mapping[str, Value]
    ) -> Properties:
        """Return outputs that are not plain copies of the API's fields."""
        del outputs, body, prior
        return {}

    def flattened(self, body: JsonObject) -> JsonObject:
        """Return the API's JSON in the shape that the fields describe."""
        return body

    def expanded(self, body: JsonObject) -> JsonObject:
        """Return what the fields describe in the shape of the API's JSON."""
        return body

    async def settle(self, cloud: Cloud, resource_id: str, values: Properties) -> None:
        """Do what a create needs after its first call."""
        del cloud, resource_id, values

    async def fetch(
        self, cloud: Cloud, resource_id: str, prior: Mapping[str, Value]
    ) -> Properties | None:
        """Read the resource and build its outputs; None when it is gone."""
        body = await cloud.rest.get(self.url(cloud, resource_id), self.read_query())
        return None if body is None else self.outputs(resource_id, body, prior)

    def read_query(self) -> Mapping[str, str]:
        """Return the query of a read."""
        return {}

    def outputs(self, resource_id: str, body: JsonObject, prior: Mapping[str, Value]) -> Properties:
        """Build outputs from the API's JSON; `prior` knows what the API does not."""
        outputs = from_api(self.fields, self.flattened(body))
        for field in self.fields:
            if not field.api and prior.get(field.name) is not None:
                outputs[field.name] = prior[field.name]
        outputs.update(self.id_parts(resource_id))
        outputs["id"] = resource_id
        if self.has_labels:
            outputs.update(labels.label_outputs(prior, body))
        return {**outputs, **self.derive(outputs, body, prior)}

    async def create(self, cloud: Cloud, values: Properties, timeout_s: float) -> CreateResult:
        """Make the resource, wait for it, and read it back.

        Raises:
            OutcomeUnknownError: the API fell silent when the resource may have been made.
            ProviderError: it was refused, or failed.
        """
        resource_id = self.known_id(values)
        call = self.creation(cloud, resource_id, values, self.body(values, None))
        is_sent = is_made = False
        try:
            reply = await self._send_creation(cloud, call)
            is_sent = True
            if self.is_long_running and reply is not None:
                await cloud.rest.wait(reply, self.operations_url(cloud), timeout_s)
            is_made = True
            await self.settle(cloud, resource_id, values)
            outputs = await self.fetch(cloud, resource_id, values)
        except OperationFailedError as error:
            raise await self._left_behind(cloud, resource_id, values, error) from error
        except ProviderError as error:
            reason = f"Error creating {self.label}: {error}"
            if is_made:
                raise await self._half_made(cloud, resource_id, values, reason) from error
            kind = OutcomeUnknownError if is_sent or _is_in_doubt(error) else ProviderError
            raise kind(reason) from error
        if outputs is None:
            raise ProviderError(
                f"Error reading {self.label} {resource_id!r}: it is gone right after its creation"
            )
        return CreateResult(resource_id, outputs)

    def operations_url(self, cloud: Cloud) -> str:
        """Return where the type's long-running operations are polled."""
        return self.base_url(cloud)

    async def _send_creation(self, cloud: Cloud, call: Call) -> JsonObject | None:
        """Send it; None when an earlier attempt had succeeded and only its reply was lost."""
        try:
            return await cloud.rest.send(call)
        except ApiCallError as error:
            if error.code == _CONFLICT and error.is_after_lost_reply:
                return None
            raise

    async def _half_made(
        self, cloud: Cloud, resource_id: str, values: Properties, reason: str
    ) -> ProviderError:
        """Return an error that carries what is there: made, but what comes after that failed."""
        try:
            outputs = await self.fetch(cloud, resource_id, values)
        except ProviderError:
            # It is there and cannot be looked at: what was asked for is what is known of it.
            planned = self.plan(values, None)
            outputs = {key: value for key, value in planned.items() if not has_unknown(value)}
        if outputs is None:
            return ProviderError(f"{reason}; it is gone again")
        return ResourceInitFailedError(id=resource_id, outputs=outputs, reasons=[reason])

    async def _left_behind(
        self, cloud: Cloud, resource_id: str, values: Properties, error: OperationFailedError
    ) -> ProviderError:
        """Turn a failed creation into an error that carries the resource if it exists."""
        reason = (
            f"Error waiting to create {self.label}: "
            f"Error waiting for Creating {self.label}: {error}"
        )
        try:
            outputs = await self.fetch(cloud, resource_id, values)
        except ProviderError as unreadable:
            return ProviderError(f"{reason}; and reading it failed: {unreadable}")
        if outputs is None:
            return ProviderError(reason)
        return ResourceInitFailedError(id=resource_id, outputs=outputs, reasons=[reason])

    async def read(
        self, cloud: Cloud, resource_id: str, outputs: Properties, inputs: Properties
    ) -> ReadResult | None:
        """Read the live resource; None when it is gone."""
        prior = {**plain(outputs), **plain(inputs)}
        if prior:
            prior["labels"] = inputs.get("labels")
        else:
            resource_id = self.imported_id(resource_id, cloud.settings)
        self.id_parts(resource_id)
        try:
            found = await self.fetch(cloud, resource_id, prior)
        except ApiCallError as error:
            raise ProviderError(f"Error reading {self.label} {resource_id!r}: {error}") from error
        return None if found is None else self.read_result(resource_id, found, inputs)

    async def update(
        self,
        cloud: Cloud,
        resource_id: str,
        old_outputs: Properties,
        values: Properties,
        timeout_s: float,
    ) -> Properties:
        """Patch what changed and read the resource back."""
        changed = {
            key.partition(".")[0].partition("[")[0]
            for key in self.compare(old_outputs, values).detailed
        }
        mask = tuple(f.api for f in self.fields if f.name in changed and f.api)
        try:
            if mask:
                await self._patch(
                    cloud,
                    resource_id,
                    values,
                    old_outputs=old_outputs,
                    mask=mask,
                    timeout_s=timeout_s,
                )
            outputs = await self.fetch(cloud, resource_id, values)
        except OperationFailedError as error:
            reason = (
                f"Error waiting to update {self.label}: "
                f"Error waiting for Updating {self.label}: {error}"
            )
            outputs = await self.fetch(cloud, resource_id, values) or old_outputs
            raise ResourceInitFailedError(
                id=resource_id, outputs=outputs, reasons=[reason]
            ) from error
        except ApiCallError as error:
            raise ProviderError(f"Error updating {self.label} {resource_id!r}: {error}") from error
        if outputs is None:
            raise ProviderError(f"Error updating {self.label} {resource_id!r}: it is gone")
        return outputs

    async def _patch(
        self,
        cloud: Cloud,
        resource_id: str,
        values: Properties,
        *,
        old_outputs: Properties,
        mask: tuple[str, ...],
        timeout_s: float,
    ) -> None:
        call = self.change(cloud, resource_id, self.body(values, old_outputs), mask)
        reply = await cloud.rest.send(call)
        if self.is_long_running and _is_operation(reply):
            await cloud.rest.wait(reply, self.operations_url(cloud), timeout_s)

    async def delete(
        self, cloud: Cloud, resource_id: str, outputs: Properties, timeout_s: float
    ) -> None:
        """Delete the resource; one that is gone already is a success."""
        policy = outputs.get("deletionPolicy")
        if policy == "ABANDON":
            return
        if policy == "PREVENT":
            raise ProviderError(
                f"cannot destroy {self.label} {resource_id!r}: its deletionPolicy is PREVENT"
            )
        try:
            reply = await cloud.rest.send(self.deletion(cloud, resource_id, outputs))
            if self.is_long_running and _is_operation(reply):
                await cloud.rest.wait(reply, self.operations_url(cloud), timeout_s)
        except ApiCallError as error:
            if error.code != _NOT_FOUND:
                raise ProviderError(
                    f"Error when reading or editing {self.label} {resource_id!r}: {error}"
                ) from error
        except OperationFailedError as error:
            raise ProviderError(
                f"Error waiting for Deleting {self.label} {resource_id!r}: {error}"
            ) from error

    def deletion(self, cloud: Cloud, resource_id: str, outputs: Properties) -> Call:
        """Return the call that deletes the resource."""
        del outputs
        return Call("DELETE", self.url(cloud, resource_id))


def _is_in_doubt(error: ProviderError) -> bool:
    """Tell whether an earlier attempt, whose reply was lost, may have made the resource."""
    return isinstance(error, ApiCallError | UnansweredError) and error.is_after_lost_reply


def _is_operation(reply: JsonObject) -> bool:
    return "/operations/" in f"/{optional_text(reply, 'name')}"
