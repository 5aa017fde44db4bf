"""Data functions of the gcp provider: the project, and the configuration of its client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from rehearsal.engine.provider import Properties, ProviderError
from rehearsal.providers.gcp.resource import Cloud
from rehearsal.providers.gcp.settings import Api
from rehearsal.providers.properties import mapping, optional_text

Function = Callable[[Cloud, Properties], Awaitable[Properties]]


async def get_project(cloud: Cloud, args: Properties) -> Properties:
    """Describe the project given, or the configured one."""
    project_id = optional_text(args, "projectId") or cloud.settings.project
    if not project_id:
        raise ProviderError("'projectId' is missing: give it, or set gcp:project")
    base_url = cloud.settings.base_url(Api.RESOURCE_MANAGER)
    project = await cloud.rest.get(f"{base_url}projects/{project_id}")
    if project is None:
        raise ProviderError(f"project {project_id!r} does not exist")
    billing_url = cloud.settings.base_url(Api.CLOUD_BILLING)
    billing = await cloud.rest.get(f"{billing_url}projects/{project_id}/billingInfo") or {}
    parent = mapping(project.get("parent"))
    labels = dict(mapping(project.get("labels")))
    account = optional_text(billing, "billingAccountName").removeprefix("billingAccounts/")
    return {
        "autoCreateNetwork": True,
        "billingAccount": account,
        "deletionPolicy": "PREVENT",
        "effectiveLabels": labels,
        "folderId": optional_text(parent, "id") if parent.get("type") == "folder" else "",
        "id": f"projects/{project_id}",
        "labels": labels,
        "name": optional_text(project, "name"),
        "number": optional_text(project, "projectNumber"),
        "orgId": optional_text(parent, "id") if parent.get("type") == "organization" else "",
        "projectId": optional_text(project, "projectId"),
        "pulumiLabels": labels,
        "tags": {},
    }


async def get_client_config(cloud: Cloud, args: Properties) -> Properties:
    """Describe what the provider works with; the access token stays out of programs' hands."""
    del args
    project, region = cloud.settings.project, cloud.settings.region
    return {
        "accessToken": "",
        "defaultLabels": {},
        "id": f"projects/{project}/regions/{region}/zones/",
        "project": project,
        "region": region,
        "zone": "",
    }


FUNCTIONS: Final[dict[str, Function]] = {
    "gcp:organizations/getProject:getProject": get_project,
    "gcp:organizations/getClientConfig:getClientConfig": get_client_config,
}
