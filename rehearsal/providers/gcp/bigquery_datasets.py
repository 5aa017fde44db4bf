"""BigQuery datasets. Their API replaces the whole document on a change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from rehearsal.engine.provider import Properties, Value
from rehearsal.providers.gcp.labels import LABELS
from rehearsal.providers.gcp.resource import DELETION_POLICY, PROJECT, Cloud
from rehearsal.providers.gcp.rest_resource import RestResource
from rehearsal.providers.gcp.settings import Api
from rehearsal.providers.limits import at_least, one_of, same_case
from rehearsal.providers.properties import (
    JsonObject,
)
from rehearsal.providers.properties import text as known_text
from rehearsal.providers.rest import Call
from rehearsal.providers.schema import (
    block,
    blocks,
    flag,
    number,
    text,
    text_map,
)

_DATASET_ID: Final = re.compile(r"^[A-Za-z0-9_]{1,1024}$")
_ACCESS_VERSION: Final = {"accessPolicyVersion": "3"}
_HOUR_MS: Final = 3_600_000


def _dataset_id_problem(value: Value) -> str | None:
    if isinstance(value, str) and _DATASET_ID.match(value):
        return None
    return f"is {value!r}; a dataset id has at most 1024 letters, digits and '_'"


def _time_travel_problem(value: Value) -> str | None:
    """Say what is wrong with the hours of time travel: 48 (two days) to 168 (seven days)."""
    if isinstance(value, str) and value.isdecimal() and int(value) in range(48, 169):
        return None
    return f"is {value!r}; it must be from 48 to 168"


_ACCESSES: Final = blocks(
    "accesses",
    text("role"),
    text("userByEmail"),
    text("groupByEmail"),
    text("domain"),
    text("specialGroup"),
    text("iamMember"),
    block(
        "view",
        text("projectId").required(),
        text("datasetId").required(),
        text("tableId").required(),
    ),
    api="access",
).computed()


class Dataset(RestResource):
    """A dataset."""

    token = "gcp:bigquery/dataset:Dataset"  # noqa: S105 - a resource type, no secret.
    label = "Dataset"
    api = Api.BIGQUERY
    id_template = "projects/{project}/datasets/{datasetId}"
    fields = (
        text("datasetId", "").required().force_new().checked(_dataset_id_problem),
        PROJECT,
        DELETION_POLICY,
        flag("deleteContentsOnDestroy", "").defaulting(value=False),
        LABELS,
        text("location").defaulting("US").force_new().same(same_case),
        text("description"),
        text("friendlyName"),
        number("defaultTableExpirationMs").checked(at_least(_HOUR_MS)),
        number("defaultPartitionExpirationMs"),
        text("defaultCollation").checked(one_of("und:ci")),
        text("maxTimeTravelHours").computed().checked(_time_travel_problem),
        text("storageBillingModel").computed().checked(one_of("LOGICAL", "PHYSICAL")),
        flag("isCaseInsensitive").computed(),
        _ACCESSES,
        block("defaultEncryptionConfiguration", text("kmsKeyName").required()),
        text_map("resourceTags"),
        block("externalDatasetReference", api="").force_new(),
        block("externalCatalogDatasetOptions", api=""),
        number("creationTime").output(),
        number("lastModifiedTime").volatile(),
        text("etag").volatile(),
        text("selfLink").output(),
    )

    def read_query(self) -> Mapping[str, str]:
        """Ask for access entries with their conditions."""
        return _ACCESS_VERSION

    def body(self, values: Properties, state: Mapping[str, Value] | None) -> JsonObject:
        """Return the whole dataset; access that the program does not give is left alone."""
        reference: JsonObject = {"datasetId": known_text(values, "datasetId")}
        return {"datasetReference": reference, **super().body(values, state)}

    def creation(
        self, cloud: Cloud, resource_id: str, values: Properties, body: JsonObject
    ) -> Call:
        """Return the call that makes the dataset."""
        del values
        parent = resource_id.rpartition("/")[0]
        return Call("POST", self.base_url(cloud) + parent, _ACCESS_VERSION, body)

    def change(
        self, cloud: Cloud, resource_id: str, body: JsonObject, mask: tuple[str, ...]
    ) -> Call:
        """Return the call that replaces the dataset."""
        del mask
        return Call("PUT", self.url(cloud, resource_id), _ACCESS_VERSION, body)

    def deletion(self, cloud: Cloud, resource_id: str, outputs: Properties) -> Call:
        """Return the call that deletes the dataset, with its tables where that was asked for."""
        with_contents = outputs.get("deleteContentsOnDestroy") is True
        query = {"deleteContents": str(with_contents).lower()}
        return Call("DELETE", self.url(cloud, resource_id), query)
