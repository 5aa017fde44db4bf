"""How each kind of resource is asked about its policy: every API has ways of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from architecture.grants import GrantResource, ResourceKind

# APIs whose `getIamPolicy` is a POST (Resource Manager v1, IAM v1, BigQuery); else it is a GET.
_POLICY_BY_POST: Final = frozenset(
    {ResourceKind.PROJECT, ResourceKind.SERVICE_ACCOUNT, ResourceKind.TABLE}
)
# A dataset's list of access names three roles in words of before IAM.
_OLDER_ROLES: Final = {
    "READER": "roles/bigquery.dataViewer",
    "WRITER": "roles/bigquery.dataEditor",
    "OWNER": "roles/bigquery.dataOwner",
}


@dataclass(frozen=True, slots=True)
class PolicyCall:
    """One call: its method, its URL and its body."""

    method: str
    url: str
    body: Mapping[str, object] | None = None


class PolicyCalls:
    """The calls for the resources of one project; `endpoints` are base URLs by API."""

    def __init__(self, project_id: str, endpoints: Mapping[str, str]) -> None:
        self._project_id = project_id
        self._endpoints = endpoints

    def test(self, resource: GrantResource, permissions: Collection[str]) -> PolicyCall:
        """Ask which of these permissions the caller has; datasets cannot be asked."""
        url = self._url(resource)
        if resource.kind is ResourceKind.BUCKET:
            query = urlencode([("permissions", item) for item in sorted(permissions)])
            return PolicyCall("GET", f"{url}/iam/testPermissions?{query}")
        body = {"permissions": sorted(permissions)}
        return PolicyCall("POST", f"{url}:testIamPermissions", body)

    def policy(self, resource: GrantResource) -> PolicyCall:
        """Ask for the policy."""
        url = self._url(resource)
        match resource.kind:
            case ResourceKind.BUCKET:
                return PolicyCall("GET", f"{url}/iam")
            case ResourceKind.DATASET:
                return PolicyCall("GET", url)
            case kind:
                method = "POST" if kind in _POLICY_BY_POST else "GET"
                return PolicyCall(method, f"{url}:getIamPolicy")

    def _url(self, resource: GrantResource) -> str:
        """Find a resource in its API."""
        name, kinds = resource.name, ResourceKind
        project = f"projects/{self._project_id}"
        place = f"{project}/locations/{resource.location}"
        dataset, _, table = name.partition(".")
        api, path = {
            kinds.PROJECT: ("resourcemanager", f"projects/{name}"),
            kinds.SERVICE_ACCOUNT: ("iam", f"{project}/serviceAccounts/{name}"),
            kinds.TOPIC: ("pubsub", f"{project}/topics/{name}"),
            kinds.SUBSCRIPTION: ("pubsub", f"{project}/subscriptions/{name}"),
            kinds.SERVICE: ("run", f"{place}/services/{name}"),
            kinds.SECRET: ("secretmanager", f"{project}/secrets/{name}"),
            kinds.KEY: ("cloudkms", name),
            kinds.REPOSITORY: ("artifactregistry", f"{place}/repositories/{name}"),
            kinds.BUCKET: ("storage", f"b/{name}"),
            kinds.DATASET: ("bigquery", f"{project}/datasets/{name}"),
            kinds.TABLE: ("bigquery", f"{project}/datasets/{dataset}/tables/{table}"),
        }[resource.kind]
        return f"{self._endpoints[api]}/{path}"


def held_roles(policy: Mapping[str, object], member: str) -> frozenset[str]:
    """Name the roles that a member has in a policy, or in a dataset's list of access."""
    bindings = policy.get("bindings")
    held = {
        str(binding.get("role"))
        for binding in (bindings if isinstance(bindings, list) else [])
        if member in binding.get("members", [])
    }
    access = policy.get("access")
    email = member.partition(":")[2]
    for entry in access if isinstance(access, list) else []:
        if email in (entry.get("userByEmail"), entry.get("groupByEmail")) or (
            entry.get("iamMember") == member
        ):
            role = str(entry.get("role"))
            held.add(_OLDER_ROLES.get(role, role))
    return frozenset(held)
