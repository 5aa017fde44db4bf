"""Grants on BigQuery datasets, kept as access entries, and on tables, kept as policies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rehearsal.providers.gcp.iam_member import MEMBER_FIELDS, IamMember, target_field
from rehearsal.providers.gcp.policies import Grant, Policy, PolicyStore
from rehearsal.providers.gcp.policy_stores import MethodPolicyStore
from rehearsal.providers.gcp.resource import PROJECT, Cloud
from rehearsal.providers.gcp.settings import Api
from rehearsal.providers.properties import Json, JsonObject, json_items, json_object, optional_text
from rehearsal.providers.rest import Call, RestClient
from rehearsal.providers.schema import text

_LEGACY_ROLES: Final = {
    "READER": "roles/bigquery.dataViewer",
    "WRITER": "roles/bigquery.dataEditor",
    "OWNER": "roles/bigquery.dataOwner",
}
_SPECIAL_GROUPS: Final = frozenset(
    {"projectOwners", "projectReaders", "projectWriters", "allAuthenticatedUsers"}
)
_ACCESS_VERSION: Final = {"accessPolicyVersion": "3"}


def _entry_of(grant: Grant) -> JsonObject:
    """Write a grant as an access entry."""
    kind, _, name = grant.member.partition(":")
    entry: JsonObject = {"role": grant.role}
    if grant.condition is not None:
        entry["condition"] = grant.condition.to_json()
    match kind:
        case "user" | "serviceAccount":
            entry["userByEmail"] = name
        case "group":
            entry["groupByEmail"] = name
        case "domain":
            entry["domain"] = name
        case _ if grant.member in _SPECIAL_GROUPS:
            entry["specialGroup"] = grant.member
        case _:
            entry["iamMember"] = grant.member
    return entry


def _grant_of(entry: Mapping[str, Json]) -> Grant | None:
    """Read an access entry as a grant; None for authorised views and the like."""
    role = optional_text(entry, "role")
    role = _LEGACY_ROLES.get(role, role)
    email = optional_text(entry, "userByEmail")
    if email:
        is_account = email.endswith(".gserviceaccount.com")
        member = f"{'serviceAccount' if is_account else 'user'}:{email}"
    elif group := optional_text(entry, "groupByEmail"):
        member = f"group:{group}"
    elif domain := optional_text(entry, "domain"):
        member = f"domain:{domain}"
    else:
        member = optional_text(entry, "specialGroup") or optional_text(entry, "iamMember")
    return Grant(role, member) if role and member else None


@dataclass(frozen=True, slots=True)
class DatasetPolicyStore:
    """The access list of a dataset, read and patched with the dataset itself."""

    url: str

    @property
    def key(self) -> str:
        """What tells this dataset's access from every other."""
        return self.url

    async def load(self, rest: RestClient) -> Policy | None:
        """Read the access list; None when the dataset is gone."""
        body = await rest.get(self.url, _ACCESS_VERSION)
        if body is None:
            return None
        entries = (_grant_of(json_object(item)) for item in json_items(body.get("access")))
        grants = tuple(grant for grant in entries if grant is not None)
        return Policy(grants, optional_text(body, "etag"))

    async def save(self, rest: RestClient, policy: Policy) -> str:
        """Patch the access list: entries that are no grants stay as they are."""
        body = await rest.send(Call("GET", self.url, _ACCESS_VERSION))
        live = [json_object(item) for item in json_items(body.get("access"))]
        kept = [e for e in live if (grant := _grant_of(e)) is None or grant in policy.grants]
        present = {_grant_of(entry) for entry in kept}
        added = [_entry_of(grant) for grant in policy.grants if grant not in present]
        patch: JsonObject = {"access": [*kept, *added]}
        reply = await rest.send(Call("PATCH", self.url, _ACCESS_VERSION, patch))
        return optional_text(reply, "etag")


class DatasetMember(IamMember):
    """A grant on a dataset."""

    token = "gcp:bigquery/datasetIamMember:DatasetIamMember"  # noqa: S105 - a type, no secret.
    label = "dataset IAM member"
    id_template = "projects/{project}/datasets/{datasetId}"
    target = "datasetId"
    is_target_expanded = False
    fields = (target_field("datasetId"), PROJECT, *MEMBER_FIELDS)

    def store(self, cloud: Cloud, resource: str) -> PolicyStore:
        """Return where the dataset's access is kept."""
        return DatasetPolicyStore(cloud.settings.base_url(Api.BIGQUERY) + resource)


class TableMember(IamMember):
    """A grant on a table."""

    token = "gcp:bigquery/iamMember:IamMember"  # noqa: S105 - a resource type, no secret.
    label = "table IAM member"
    id_template = "projects/{project}/datasets/{datasetId}/tables/{tableId}"
    target = "tableId"
    fields = (
        target_field("tableId"),
        text("datasetId").required().force_new(),
        PROJECT,
        *MEMBER_FIELDS,
    )

    def store(self, cloud: Cloud, resource: str) -> PolicyStore:
        """Return where the table's policy is kept."""
        return MethodPolicyStore(
            cloud.settings.base_url(Api.BIGQUERY) + resource, read_method="POST", version=1
        )
