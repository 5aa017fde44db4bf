"""Artifact Registry repositories."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from rehearsal.engine.provider import UNKNOWN, Properties, Value
from rehearsal.providers.gcp.labels import LABELS
from rehearsal.providers.gcp.resource import DELETION_POLICY, PROJECT, Cloud
from rehearsal.providers.gcp.rest_resource import RestResource
from rehearsal.providers.gcp.settings import Api
from rehearsal.providers.limits import one_of, same_case
from rehearsal.providers.properties import JsonObject
from rehearsal.providers.properties import text as known_text
from rehearsal.providers.rest import Call
from rehearsal.providers.schema import block, blocks, flag, text

_REPOSITORY_ID: Final = re.compile(r"^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$")


def _repository_id_problem(value: Value) -> str | None:
    if isinstance(value, str) and _REPOSITORY_ID.match(value):
        return None
    return (
        f"is {value!r}; a repository id has at most 63 lowercase letters, digits and dashes, "
        "starts with a letter and does not end with a dash"
    )


class Repository(RestResource):
    """A repository."""

    token = "gcp:artifactregistry/repository:Repository"  # noqa: S105 - a type, no secret.
    label = "Repository"
    api = Api.ARTIFACT_REGISTRY
    id_template = "projects/{project}/locations/{location}/repositories/{repositoryId}"
    place = "location"
    is_long_running = True
    fields = (
        text("repositoryId", "").required().force_new().checked(_repository_id_problem),
        text("location", "").computed().force_new(),
        PROJECT,
        DELETION_POLICY,
        LABELS,
        text("format").required().force_new().same(same_case),
        text("mode")
        .defaulting("STANDARD_REPOSITORY")
        .force_new()
        .checked(one_of("STANDARD_REPOSITORY", "VIRTUAL_REPOSITORY", "REMOTE_REPOSITORY")),
        text("description"),
        text("kmsKeyName").force_new(),
        flag("cleanupPolicyDryRun"),
        block("dockerConfig", flag("immutableTags")),
        blocks("cleanupPolicies", api=""),
        block("mavenConfig", api=""),
        block("remoteRepositoryConfig", api="").force_new(),
        block("virtualRepositoryConfig", api=""),
        block("vulnerabilityScanningConfig").output(),
        text("name", "").output(),
        text("createTime").output(),
        text("updateTime").volatile(),
        text("registryUri").output(),
    )

    def foresee(self, values: Properties, outputs: Properties) -> Properties:
        """Return the name, which is the repository's id."""
        del outputs
        return {"name": values.get("repositoryId", UNKNOWN)}

    def derive(
        self, outputs: Properties, body: JsonObject, prior: Mapping[str, Value]
    ) -> Properties:
        """Return the name, which is the repository's id."""
        del body, prior
        return {"name": outputs["repositoryId"]}

    def creation(
        self, cloud: Cloud, resource_id: str, values: Properties, body: JsonObject
    ) -> Call:
        """Return the call that makes the repository."""
        parent = resource_id.rpartition("/")[0]
        query = {"repository_id": known_text(values, "repositoryId")}
        return Call("POST", self.base_url(cloud) + parent, query, body)
