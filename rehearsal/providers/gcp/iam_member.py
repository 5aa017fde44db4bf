"""IAM members: one role for one member on one resource, added beside what others granted."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Final

from rehearsal.engine.provider import (
    UNKNOWN,
    CreateResult,
    Properties,
    ProviderError,
    ReadResult,
    Unknown,
    Value,
)
from rehearsal.providers.gcp.policies import Condition, Grant, PolicyStore
from rehearsal.providers.gcp.resource import Cloud, ResourceType
from rehearsal.providers.properties import mapping, optional_text, plain, text
from rehearsal.providers.rest import ApiCallError
from rehearsal.providers.schema import Field, block
from rehearsal.providers.schema import text as text_field

_MEMBER: Final = re.compile(
    r"^(allUsers|allAuthenticatedUsers|project(Owner|Editor|Viewer):.+"
    r"|(user|serviceAccount|group|domain|principal|principalSet|iamMember|deleted):.+)$"
)
_ROLE: Final = re.compile(r"^(roles/[\w.]+|(projects|organizations)/[^/]+/roles/[\w.]+)$")


def _member_problem(value: Value) -> str | None:
    if isinstance(value, str) and _MEMBER.match(value):
        return None
    return (
        f"is {value!r}; a member looks like user:EMAIL, serviceAccount:EMAIL, group:EMAIL, "
        "domain:NAME, allUsers or allAuthenticatedUsers"
    )


def _role_problem(value: Value) -> str | None:
    if isinstance(value, str) and _ROLE.match(value):
        return None
    return f"is {value!r}; a role looks like roles/NAME or projects/PROJECT/roles/NAME"


_CONDITION_FIELDS: Final = (
    text_field("expression").required().force_new(),
    text_field("title").required().force_new(),
    text_field("description").force_new(),
)

MEMBER_FIELDS: Final = (
    text_field("member").required().force_new().checked(_member_problem),
    text_field("role").required().force_new().checked(_role_problem),
    block("condition", *_CONDITION_FIELDS).force_new(),
    text_field("etag").volatile(),
)


def last_segment_same(old: Value, new: Value) -> bool:
    """Tell whether two references name the same resource, one perhaps by its full path."""
    return (
        isinstance(old, str)
        and isinstance(new, str)
        and old.rpartition("/")[2] == new.rpartition("/")[2]
        and ("/" not in old or "/" not in new)
    )


def target_field(name: str) -> Field:
    """Describe the property that names the resource of the policy."""
    return text_field(name).required().force_new().same(last_segment_same)


def grant_of(values: Mapping[str, Value]) -> Grant:
    """Return the grant that member properties describe."""
    raw = mapping(values.get("condition"))
    condition = (
        Condition(text(raw, "expression"), text(raw, "title"), optional_text(raw, "description"))
        if raw
        else None
    )
    return Grant(text(values, "role"), text(values, "member"), condition)


class IamMember(ResourceType):
    """One grant; a type says which property names the resource, and where its policy is."""

    target: ClassVar[str]
    is_target_expanded: ClassVar[bool] = True
    """The output of the target property is the resource's full path."""

    @abstractmethod
    def store(self, cloud: Cloud, resource: str) -> PolicyStore:
        """Return where the policy of a resource is kept."""

    @property
    def target_template(self) -> str:
        """The resource's full path, made of the properties."""
        return self.id_template

    def resource_path(self, values: Mapping[str, Value]) -> str | Unknown:
        """Return the full path of the resource, if it is known."""
        given = values.get(self.target)
        if isinstance(given, str) and "/" in given:
            return given
        return super().resource_id(values)

    def resource_id(self, values: Mapping[str, Value]) -> str | Unknown:
        """Return the id: the resource's path, the role, the member and the condition's title."""
        parts = [self.resource_path(values), values.get("role"), values.get("member")]
        condition = values.get("condition")
        if condition is not None:
            parts.append(mapping(condition).get("title"))
        if not all(isinstance(part, str) for part in parts):
            return UNKNOWN
        return "/".join(str(part) for part in parts)

    def foresee(self, values: Properties, outputs: Properties) -> Properties:
        """Return nothing beyond the id: the official provider keeps the target as given."""
        del values, outputs
        return {}

    def _known_path(self, values: Mapping[str, Value]) -> str:
        path = self.resource_path(values)
        if isinstance(path, Unknown):
            raise ProviderError(f"'{self.target}' of a {self.label} is not known")
        return path

    def _outputs(self, values: Properties, path: str, etag: str) -> Properties:
        outputs: Properties = {
            field.name: values.get(field.name) for field in self.fields if not field.is_output
        }
        raw = mapping(values.get("condition"))
        if raw:
            outputs["condition"] = {**raw, "description": optional_text(raw, "description")}
        if self.is_target_expanded:
            outputs[self.target] = path
        return {**outputs, "id": self.known_id({**values, self.target: path}), "etag": etag}

    async def create(self, cloud: Cloud, values: Properties, timeout_s: float) -> CreateResult:
        """Add the grant to the policy."""
        del timeout_s
        path = self._known_path(values)
        grant = grant_of(values)
        try:
            etag = await cloud.policies.add(self.store(cloud, path), grant)
        except ProviderError as error:
            raise ProviderError(
                f"Error applying IAM policy for {path}: granting {grant.role} to "
                f"{grant.member}: {error}"
            ) from error
        outputs = self._outputs(values, path, etag)
        return CreateResult(text(outputs, "id"), outputs)

    async def read(
        self, cloud: Cloud, resource_id: str, outputs: Properties, inputs: Properties
    ) -> ReadResult | None:
        """Read the grant; None when the policy does not have it any more."""
        values = self.values({**plain(inputs), **plain(outputs)}, cloud.settings)
        values.pop("id", None)
        is_import = not optional_text(values, "member")
        if is_import:
            values.update(self._imported(resource_id))
        path = self._known_path(values)
        try:
            policy = await self.store(cloud, path).load(cloud.rest)
        except ApiCallError as error:
            raise ProviderError(f"Error reading the IAM policy of {path}: {error}") from error
        if policy is None or not policy.holds(grant_of(values)):
            return None
        found = self._outputs(values, path, policy.etag)
        return self.read_result(text(found, "id") if is_import else resource_id, found, inputs)

    def _imported(self, resource_id: str) -> Properties:
        """Take the id of an imported member apart."""
        match = re.fullmatch(
            r"(?P<path>.+?)[/ ](?P<role>roles/[\w.]+|(?:projects|organizations)/[^/]+/roles/[\w.]+)"
            r"[/ ](?P<member>\S+)",
            resource_id,
        )
        if match is None:
            raise ProviderError(
                f"{resource_id!r} is not the id of a {self.label}: it must look like "
                f"{self.id_template}/ROLE/MEMBER"
            )
        return {
            **self.id_parts(match["path"]),
            self.target: match["path"],
            "role": match["role"],
            "member": match["member"],
        }

    async def update(
        self,
        cloud: Cloud,
        resource_id: str,
        old_outputs: Properties,
        values: Properties,
        timeout_s: float,
    ) -> Properties:
        """Refuse: every change of a member makes a new one."""
        del cloud, old_outputs, values, timeout_s
        raise ProviderError(f"{self.label} {resource_id!r} cannot be changed in place")

    async def delete(
        self, cloud: Cloud, resource_id: str, outputs: Properties, timeout_s: float
    ) -> None:
        """Remove the grant from the policy."""
        del timeout_s
        values = self.values(outputs, cloud.settings)
        path = self._known_path(values)
        try:
            await cloud.policies.remove(self.store(cloud, path), grant_of(values))
        except ProviderError as error:
            raise ProviderError(f"Error removing IAM member {resource_id!r}: {error}") from error
