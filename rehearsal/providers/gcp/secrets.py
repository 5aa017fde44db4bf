"""Secret Manager secrets, their versions, and grants on them.

Names come back with the project's number; ids keep the project as the program knows it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Final

from rehearsal.engine.provider import (
    UNKNOWN,
    CreateResult,
    Properties,
    ProviderError,
    ReadResult,
    ResourceInitFailedError,
    Value,
)
from rehearsal.providers.gcp.iam_member import (
    MEMBER_FIELDS,
    IamMember,
    last_segment_same,
    target_field,
)
from rehearsal.providers.gcp.labels import LABELS
from rehearsal.providers.gcp.policies import PolicyStore
from rehearsal.providers.gcp.policy_stores import MethodPolicyStore
from rehearsal.providers.gcp.resource import DELETION_POLICY, PROJECT, Cloud, ResourceType
from rehearsal.providers.gcp.rest_resource import RestResource
from rehearsal.providers.gcp.settings import Api
from rehearsal.providers.properties import JsonObject, json_object, mapping, optional_text, plain
from rehearsal.providers.properties import text as known_text
from rehearsal.providers.rest import ApiCallError, Call
from rehearsal.providers.schema import (
    block,
    blocks,
    flag,
    from_api,
    text,
    text_map,
)

_SECRET_ID: Final = re.compile(r"^[A-Za-z0-9_-]{1,255}$")
_NOT_FOUND: Final = 404
_BAD_REQUEST: Final = 400


def _secret_id_problem(value: Value) -> str | None:
    if isinstance(value, str) and _SECRET_ID.match(value):
        return None
    return f"is {value!r}; a secret id has at most 255 letters, digits, '_' and '-'"


_KEY: Final = block("customerManagedEncryption", text("kmsKeyName").required())


class Secret(RestResource):
    """A secret, which is only a name until it has a version."""

    token = "gcp:secretmanager/secret:Secret"  # noqa: S105 - a resource type, no secret.
    label = "Secret"
    api = Api.SECRET_MANAGER
    id_template = "projects/{project}/secrets/{secretId}"
    fields = (
        text("secretId", "").required().force_new().checked(_secret_id_problem),
        PROJECT,
        DELETION_POLICY,
        flag("deletionProtection", "").defaulting(value=False),
        LABELS,
        text_map("annotations"),
        block(
            "replication",
            block("auto", _KEY, api="automatic").marker().force_new(),
            block(
                "userManaged",
                blocks("replicas", text("location").required().force_new(), _KEY)
                .required()
                .force_new(),
            ).force_new(),
        )
        .required()
        .force_new(),
        text("expireTime").computed(),
        text("ttl"),
        block("rotation", text("nextRotationTime"), text("rotationPeriod")),
        blocks("topics", text("name").required()),
        text_map("versionAliases"),
        text("versionDestroyTtl"),
        text("secretType", "").output(),
        text_map("tags", "").force_new(),
        text("name").output(),
        text("createTime").output(),
    )

    def derive(
        self, outputs: Properties, body: JsonObject, prior: Mapping[str, Value]
    ) -> Properties:
        """Return user annotations beside all there are; what is written only stays as given."""
        del outputs
        live = dict(json_object(body.get("annotations")))
        mine = mapping(prior.get("annotations")) if prior else live
        return {
            "annotations": {key: live[key] for key in mine if key in live} or None,
            "effectiveAnnotations": live,
            "ttl": prior.get("ttl"),
            "secretType": None,
        }

    def foresee(self, values: Properties, outputs: Properties) -> Properties:
        """Return what the annotations will be."""
        del outputs
        return {"effectiveAnnotations": values.get("annotations") or {}, "secretType": None}

    def creation(
        self, cloud: Cloud, resource_id: str, values: Properties, body: JsonObject
    ) -> Call:
        """Return the call that makes the secret."""
        parent = resource_id.rpartition("/")[0]
        query = {"secretId": known_text(values, "secretId")}
        return Call("POST", self.base_url(cloud) + parent, query, body)

    async def delete(
        self, cloud: Cloud, resource_id: str, outputs: Properties, timeout_s: float
    ) -> None:
        """Delete the secret unless it is protected."""
        if outputs.get("deletionProtection") is True:
            raise ProviderError(
                f"cannot destroy secret {resource_id!r} without setting deletion_protection=false "
                "and running `pulumi up`"
            )
        await super().delete(cloud, resource_id, outputs, timeout_s)


class SecretVersion(ResourceType):
    """One version of a secret; the server numbers it."""

    token = "gcp:secretmanager/secretVersion:SecretVersion"  # noqa: S105 - a type, no secret.
    label = "SecretVersion"
    id_template = "projects/{project}/secrets/{secret}/versions/{version}"
    fields = (
        text("secret", "").required().force_new().same(last_segment_same),
        PROJECT,
        DELETION_POLICY,
        text("secretData", "").required().force_new(),
        flag("isSecretDataBase64", "").defaulting(value=False).force_new(),
        flag("enabled", "").defaulting(value=True),
        text("name").output(),
        text("version", "").output(),
        text("createTime").output(),
        text("destroyTime").output(),
    )

    def foresee(self, values: Properties, outputs: Properties) -> Properties:
        """Return nothing that the server numbers."""
        del values
        return {"id": outputs.get("name", UNKNOWN), "destroyTime": ""}

    async def create(self, cloud: Cloud, values: Properties, timeout_s: float) -> CreateResult:
        """Add the version and switch it on or off."""
        del timeout_s
        base_url = cloud.settings.base_url(Api.SECRET_MANAGER)
        secret = known_text(values, "secret")
        if "/" not in secret:
            secret = f"projects/{cloud.settings.project}/secrets/{secret}"
        body: JsonObject = {"payload": {"data": _payload(values)}}
        try:
            added = await cloud.rest.send(Call("POST", f"{base_url}{secret}:addVersion", body=body))
        except ApiCallError as error:
            raise ProviderError(f"Error creating {self.label}: {error}") from error
        name = optional_text(added, "name")
        try:
            await self._switch(cloud, name, values)
            outputs = await self._fetch(cloud, name, values)
        except ProviderError as error:
            # There is a version, whose number only its state can remember.
            raise ResourceInitFailedError(
                id=name,
                outputs={**values, "enabled": True, "name": name, "version": name.split("/")[-1]},
                reasons=[f"Error creating {self.label}: {error}"],
            ) from error
        if outputs is None:
            raise ProviderError(f"{self.label} {name!r} is gone right after its creation")
        return CreateResult(name, outputs)

    async def _switch(self, cloud: Cloud, name: str, values: Properties) -> None:
        verb = "disable" if values.get("enabled") is False else "enable"
        base_url = cloud.settings.base_url(Api.SECRET_MANAGER)
        await cloud.rest.send(Call("POST", f"{base_url}{name}:{verb}", body={}))

    async def _fetch(
        self, cloud: Cloud, name: str, prior: Mapping[str, Value]
    ) -> Properties | None:
        url = cloud.settings.base_url(Api.SECRET_MANAGER) + name
        body = await cloud.rest.get(url)
        if body is None or body.get("state") == "DESTROYED":
            return None
        outputs = from_api(self.fields, body)
        is_base64 = prior.get("isSecretDataBase64") is True
        data = prior.get("secretData")
        if body.get("state") == "ENABLED":
            data = await self._data(cloud, url, is_base64=is_base64) or data
        _, project, _, secret, _, version = name.split("/")
        return {
            **outputs,
            "id": name,
            # The name has the project by its number.
            "project": prior.get("project") or project,
            "secret": prior.get("secret") or f"projects/{project}/secrets/{secret}",
            "deletionPolicy": prior.get("deletionPolicy") or "DELETE",
            "secretData": data,
            "isSecretDataBase64": is_base64,
            "enabled": body.get("state") == "ENABLED",
            "version": version,
        }

    async def _data(self, cloud: Cloud, url: str, *, is_base64: bool) -> str:
        try:
            reply = await cloud.rest.send(Call("GET", f"{url}:access"))
        except ApiCallError as error:
            # Who may make a version need not be allowed to read it.
            if error.code in (_BAD_REQUEST, 403, _NOT_FOUND):
                return ""
            raise
        encoded = optional_text(json_object(reply.get("payload")), "data")
        return encoded if is_base64 else base64.b64decode(encoded).decode(errors="replace")

    async def read(
        self, cloud: Cloud, resource_id: str, outputs: Properties, inputs: Properties
    ) -> ReadResult | None:
        """Read the version; None when it was destroyed."""
        found = await self._fetch(cloud, resource_id, {**plain(outputs), **plain(inputs)})
        return None if found is None else self.read_result(resource_id, found, inputs)

    async def update(
        self,
        cloud: Cloud,
        resource_id: str,
        old_outputs: Properties,
        values: Properties,
        timeout_s: float,
    ) -> Properties:
        """Switch the version on or off; anything else needs a new one."""
        del timeout_s
        if old_outputs.get("enabled") != values.get("enabled"):
            await self._switch(cloud, resource_id, values)
        return await self._fetch(cloud, resource_id, values) or {}

    async def delete(
        self, cloud: Cloud, resource_id: str, outputs: Properties, timeout_s: float
    ) -> None:
        """Destroy the version, or do what its deletion policy says."""
        del timeout_s
        policy = outputs.get("deletionPolicy")
        if policy == "ABANDON":
            return
        verb = "disable" if policy == "DISABLE" else "destroy"
        url = f"{cloud.settings.base_url(Api.SECRET_MANAGER)}{resource_id}:{verb}"
        try:
            await cloud.rest.send(Call("POST", url, body={}))
        except ApiCallError as error:
            is_gone = error.code == _NOT_FOUND or "DESTROYED" in error.message.upper()
            if not is_gone:
                raise ProviderError(
                    f"Error deleting {self.label} {resource_id!r}: {error}"
                ) from error


def _payload(values: Properties) -> str:
    """Return the secret's bytes in base64, as the API wants them."""
    data = known_text(values, "secretData")
    if values.get("isSecretDataBase64") is not True:
        return base64.b64encode(data.encode()).decode()
    try:
        base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise ProviderError(
            "'secretData' is not base64, though isSecretDataBase64 is set"
        ) from error
    return data


class SecretMember(IamMember):
    """A grant on a secret."""

    token = "gcp:secretmanager/secretIamMember:SecretIamMember"  # noqa: S105 - a type, no secret.
    label = "secret IAM member"
    id_template = "projects/{project}/secrets/{secretId}"
    target = "secretId"
    fields = (target_field("secretId"), PROJECT, *MEMBER_FIELDS)

    def store(self, cloud: Cloud, resource: str) -> PolicyStore:
        """Return where the secret's policy is kept."""
        return MethodPolicyStore(
            cloud.settings.base_url(Api.SECRET_MANAGER) + resource,
            read_query={"options.requestedPolicyVersion": "3"},
        )
