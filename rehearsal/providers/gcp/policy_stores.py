"""Where each Google API keeps the IAM policy of a resource, and how it wants to be asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from rehearsal.providers.gcp.policies import (
    Policy,
    bindings_to_json,
    policy_from_json,
)
from rehearsal.providers.properties import JsonObject, mapping, optional_text
from rehearsal.providers.rest import ApiCallError, Call, RestClient

POLICY_VERSION: Final = 3
_NOT_FOUND: Final = 404


def policy_to_json(policy: Policy, version: int = POLICY_VERSION) -> JsonObject:
    """Write a policy; one without grants has no bindings at all, as the official provider sends."""
    body: JsonObject = {"version": version}
    if policy.grants:
        body["bindings"] = bindings_to_json(policy.grants)
    if policy.etag:
        body["etag"] = policy.etag
    return body


@dataclass(frozen=True, slots=True)
class MethodPolicyStore:
    """A policy behind `:getIamPolicy` and `:setIamPolicy` of a resource."""

    url: str
    read_method: str = "GET"
    read_query: Mapping[str, str] = field(default_factory=dict)
    read_body: JsonObject | None = None
    update_mask: str = ""
    version: int = POLICY_VERSION

    @property
    def key(self) -> str:
        """What tells this resource's policy from every other."""
        return self.url

    async def load(self, rest: RestClient) -> Policy | None:
        """Read the policy; None when the resource is gone."""
        call = Call(self.read_method, f"{self.url}:getIamPolicy", self.read_query, self.read_body)
        try:
            return policy_from_json(await rest.send(call))
        except ApiCallError as error:
            if error.code == _NOT_FOUND:
                return None
            raise

    async def save(self, rest: RestClient, policy: Policy) -> str:
        """Write the policy and return its new etag."""
        body: JsonObject = {"policy": policy_to_json(policy, self.version)}
        if self.update_mask:
            body["updateMask"] = self.update_mask
        reply = await rest.send(Call("POST", f"{self.url}:setIamPolicy", body=body))
        return optional_text(mapping(reply), "etag")
