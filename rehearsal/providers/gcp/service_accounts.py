"""Service accounts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from rehearsal.engine.provider import (
    UNKNOWN,
    CreateResult,
    Properties,
    ProviderError,
    Unknown,
    Value,
)
from rehearsal.providers.gcp.resource import DELETION_POLICY, PROJECT, Cloud
from rehearsal.providers.gcp.rest_resource import RestResource
from rehearsal.providers.gcp.settings import Api
from rehearsal.providers.limits import at_most_bytes
from rehearsal.providers.properties import JsonObject, optional_text
from rehearsal.providers.properties import text as known_text
from rehearsal.providers.rest import ApiCallError, Call
from rehearsal.providers.schema import flag, text

_ACCOUNT_ID: Final = re.compile(r"^[a-z](?:[-a-z0-9]{4,28}[a-z0-9])$")
_PATCHED: Final = {"displayName": "display_name", "description": "description"}
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409


def _account_id_problem(value: Value) -> str | None:
    if isinstance(value, str) and _ACCOUNT_ID.match(value):
        return None
    return (
        f"is {value!r}; an account id has 6 to 30 lowercase letters, digits and dashes, starts "
        "with a letter and does not end with a dash"
    )


class Account(RestResource):
    """A service account."""

    token = "gcp:serviceaccount/account:Account"  # noqa: S105 - a resource type, no secret.
    label = "service account"
    api = Api.IAM
    id_template = "projects/{project}/serviceAccounts/{email}"
    fields = (
        text("accountId", "").required().force_new().checked(_account_id_problem),
        PROJECT,
        DELETION_POLICY,
        text("displayName").checked(at_most_bytes(100)),
        text("description").checked(at_most_bytes(256)),
        flag("disabled"),
        flag("createIgnoreAlreadyExists", ""),
        text("email").output(),
        text("name").output(),
        text("member", "").output(),
        text("uniqueId").output(),
    )

    def resource_id(self, values: Mapping[str, Value]) -> str | Unknown:
        """Return the id, which is made of the account's e-mail address."""
        return super().resource_id({**values, "email": self._email(values)})

    def _email(self, values: Mapping[str, Value]) -> Value:
        account_id, project = values.get("accountId"), values.get("project")
        if not isinstance(account_id, str) or not isinstance(project, str):
            return UNKNOWN
        # A domain-scoped project `example.com:id` has the address `…@id.example.com.iam…`.
        domain, _, name = project.rpartition(":")
        host = f"{name}.{domain}" if domain else name
        return f"{account_id}@{host}.iam.gserviceaccount.com"

    def foresee(self, values: Properties, outputs: Properties) -> Properties:
        """Return the address, the name and the member, which follow from the account id."""
        email = self._email(values)
        return {
            "email": email,
            "name": outputs["id"],
            "member": f"serviceAccount:{email}" if isinstance(email, str) else UNKNOWN,
            "disabled": values.get("disabled", False),
        }

    def derive(
        self, outputs: Properties, body: JsonObject, prior: Mapping[str, Value]
    ) -> Properties:
        """Return what follows from the address."""
        del body, prior
        email = optional_text(outputs, "email")
        return {
            "member": f"serviceAccount:{email}",
            "accountId": email.partition("@")[0],
            "createIgnoreAlreadyExists": outputs.get("createIgnoreAlreadyExists") or None,
        }

    def creation(
        self, cloud: Cloud, resource_id: str, values: Properties, body: JsonObject
    ) -> Call:
        """Return the call that makes the account."""
        del resource_id
        url = f"{self.base_url(cloud)}projects/{known_text(values, 'project')}/serviceAccounts"
        account = {key: body[key] for key in _PATCHED if key in body}
        return Call(
            "POST",
            url,
            body={"accountId": known_text(values, "accountId"), "serviceAccount": account},
        )

    async def create(self, cloud: Cloud, values: Properties, timeout_s: float) -> CreateResult:
        """Make the account; one that exists is taken over where the program says so."""
        if values.get("createIgnoreAlreadyExists") is True:
            resource_id = self.known_id(values)
            found = await self.fetch(cloud, resource_id, values)
            if found is not None:
                return CreateResult(resource_id, found)
        return await super().create(cloud, values, timeout_s)

    async def settle(self, cloud: Cloud, resource_id: str, values: Properties) -> None:
        """Wait until the account can be seen, and disable it where wanted."""
        pauses = cloud.rest.backoff(cloud.rest.patience.settling_s)
        while not await self._is_visible(cloud, resource_id):
            if not await pauses.pause():
                raise ProviderError(f"service account {resource_id!r} did not become visible")
        if values.get("disabled") is True:
            await cloud.rest.send(Call("POST", self.url(cloud, resource_id) + ":disable"))

    async def _is_visible(self, cloud: Cloud, resource_id: str) -> bool:
        try:
            return await cloud.rest.get(self.url(cloud, resource_id)) is not None
        except ApiCallError as error:
            # A fresh account may be refused instead of missing.
            if error.code == 403 and "iam.serviceAccounts.get" in error.message:  # noqa: PLR2004
                return False
            raise

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
        """Patch the texts with the mask in the body, and switch the account on or off."""
        del timeout_s, old_outputs
        url = self.url(cloud, resource_id)
        patched = [key for key in _PATCHED if key in mask]
        if patched:
            current = await cloud.rest.send(Call("GET", url))
            account: JsonObject = {key: optional_text(values, key) for key in patched}
            account["etag"] = current.get("etag")
            fields = ",".join(_PATCHED[key] for key in patched)
            body: JsonObject = {"serviceAccount": account, "updateMask": fields}
            await cloud.rest.send(Call("PATCH", url, body=body))
        if "disabled" in mask:
            verb = "disable" if values.get("disabled") is True else "enable"
            await cloud.rest.send(Call("POST", f"{url}:{verb}"))
