"""Cloud Storage buckets and grants on them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from rehearsal.engine.provider import UNKNOWN, Properties, ProviderError, Unknown, Value
from rehearsal.providers.gcp.iam_member import MEMBER_FIELDS, IamMember, target_field
from rehearsal.providers.gcp.labels import LABELS
from rehearsal.providers.gcp.policies import Policy, PolicyStore, policy_from_json
from rehearsal.providers.gcp.policy_stores import policy_to_json
from rehearsal.providers.gcp.resource import DELETION_POLICY, PROJECT, Cloud
from rehearsal.providers.gcp.rest_resource import RestResource
from rehearsal.providers.gcp.settings import Api
from rehearsal.providers.limits import from_to, one_of, same_case, same_set
from rehearsal.providers.properties import (
    JsonObject,
    json_items,
    json_object,
    mapping,
    optional_text,
)
from rehearsal.providers.properties import text as known_text
from rehearsal.providers.rest import Call, RestClient
from rehearsal.providers.schema import block, blocks, flag, number, text, texts

_NAME: Final = re.compile(r"^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$")
_ADDRESS: Final = re.compile(r"^\d+\.\d+\.\d+\.\d+$")
_LONGEST_PART: Final = 63
_DAY_S: Final = 86400


def _name_problem(value: Value) -> str | None:
    if (
        isinstance(value, str)
        and _NAME.match(value)
        and not _ADDRESS.match(value)
        and not value.startswith("goog")
        and all(0 < len(part) <= _LONGEST_PART for part in value.split("."))
    ):
        return None
    return (
        f"is {value!r}; a bucket name has 3 to 63 lowercase letters, digits, '-', '_' and '.', "
        "starts and ends with a letter or digit, and does not start with 'goog'"
    )


def _retention_problem(value: Value) -> str | None:
    """Say what is wrong with how long deleted objects are kept: not at all, or 7 to 90 days."""
    return None if value == 0 else from_to(7 * _DAY_S, 90 * _DAY_S)(value)


def _is_unlocked(old: Value, new: Value) -> bool:
    return old is True and new is not True


def _same_namespace(old: Value, new: Value) -> bool:
    """Tell whether folders are real in both or in neither; not saying so is saying no."""
    return mapping(old).get("enabled", False) == mapping(new).get("enabled", False)


_LIFECYCLE_RULES: Final = blocks(
    "lifecycleRules",
    block(
        "action",
        text("type")
        .required()
        .checked(one_of("Delete", "SetStorageClass", "AbortIncompleteMultipartUpload")),
        text("storageClass"),
    ).required(),
    block(
        "condition",
        number("age"),
        text("createdBefore"),
        text("customTimeBefore"),
        number("daysSinceCustomTime"),
        number("daysSinceNoncurrentTime"),
        texts("matchesPrefixes", "matchesPrefix"),
        texts("matchesStorageClasses", "matchesStorageClass"),
        texts("matchesSuffixes", "matchesSuffix"),
        text("noncurrentTimeBefore"),
        number("numNewerVersions"),
        text("withState").local().computed().checked(one_of("LIVE", "ARCHIVED", "ANY")),
    ).required(),
)


class Bucket(RestResource):
    """A bucket. Its API nests what Pulumi keeps flat."""

    token = "gcp:storage/bucket:Bucket"  # noqa: S105 - a resource type, no secret.
    label = "Bucket"
    api = Api.STORAGE
    id_template = "{name}"
    is_named = True
    fields = (
        text("name").required().force_new().checked(_name_problem),
        text("location").required().force_new().same(same_case),
        PROJECT,
        DELETION_POLICY,
        LABELS,
        flag("forceDestroy", "").defaulting(value=False),
        text("storageClass").defaulting("STANDARD").same(same_case),
        flag("uniformBucketLevelAccess").computed(),
        text("publicAccessPrevention").computed().checked(one_of("inherited", "enforced")),
        block("versioning", flag("enabled").required()).computed(),
        _LIFECYCLE_RULES,
        blocks(
            "cors",
            texts("origins", "origin"),
            texts("methods", "method"),
            texts("responseHeaders", "responseHeader"),
            number("maxAgeSeconds"),
        ),
        block("website", text("mainPageSuffix"), text("notFoundPage")).computed(),
        block("logging", text("logBucket").required(), text("logObjectPrefix").computed()),
        block("encryption", text("defaultKmsKeyName")),
        block(
            "retentionPolicy",
            text("retentionPeriod").required(),
            flag("isLocked").replaced_when(_is_unlocked),
        ),
        block(
            "softDeletePolicy",
            number("retentionDurationSeconds").defaulting(7 * _DAY_S).checked(_retention_problem),
            text("effectiveTime").output(),
        ).computed(),
        block("autoclass", flag("enabled").required(), text("terminalStorageClass").computed()),
        flag("requesterPays"),
        flag("defaultEventBasedHold"),
        flag("enableObjectRetention", "").force_new(),
        text("rpo").computed().checked(one_of("DEFAULT", "ASYNC_TURBO")),
        block("hierarchicalNamespace", flag("enabled").required().force_new())
        .force_new()
        .same(_same_namespace),
        block(
            "customPlacementConfig", texts("dataLocations").required().force_new().same(same_set)
        ).force_new(),
        block("ipFilter", api="").output(),
        number("projectNumber").output(),
        text("selfLink").output(),
        text("timeCreated").output(),
        text("updated").volatile(),
        text("url", "").output(),
    )

    def url(self, cloud: Cloud, resource_id: str) -> str:
        """Return the address of the bucket."""
        return f"{self.base_url(cloud)}b/{resource_id}"

    async def fetch(
        self, cloud: Cloud, resource_id: str, prior: Mapping[str, Value]
    ) -> Properties | None:
        """Read the bucket, which is in our project: it says its project's number only."""
        outputs = await super().fetch(cloud, resource_id, prior)
        if outputs is not None:
            outputs["project"] = outputs["project"] or cloud.settings.project
        return outputs

    def foresee(self, values: Properties, outputs: Properties) -> Properties:
        """Return the bucket's `gs:` address."""
        del outputs
        name = values.get("name")
        return {"url": f"gs://{name}" if isinstance(name, str) else UNKNOWN}

    def derive(
        self, outputs: Properties, body: JsonObject, prior: Mapping[str, Value]
    ) -> Properties:
        """Return the bucket's `gs:` address and what is off unless it is given."""
        del body
        return {
            "url": f"gs://{outputs['name']}",
            "project": outputs.get("project") or prior.get("project"),
        }

    def expanded(self, body: JsonObject) -> JsonObject:
        """Nest access settings, lifecycle rules and billing."""
        nested = dict(body)
        access: JsonObject = {}
        if "uniformBucketLevelAccess" in nested:
            access["uniformBucketLevelAccess"] = {"enabled": nested.pop("uniformBucketLevelAccess")}
        if "publicAccessPrevention" in nested:
            access["publicAccessPrevention"] = nested.pop("publicAccessPrevention")
        if access:
            nested["iamConfiguration"] = access
        if "lifecycleRules" in nested:
            nested["lifecycle"] = {"rule": nested.pop("lifecycleRules") or []}
        if "requesterPays" in nested:
            nested["billing"] = {"requesterPays": nested.pop("requesterPays")}
        return nested

    def flattened(self, body: JsonObject) -> JsonObject:
        """Undo the nesting."""
        access = json_object(body.get("iamConfiguration"))
        uniform = json_object(access.get("uniformBucketLevelAccess"))
        return {
            **body,
            "uniformBucketLevelAccess": uniform.get("enabled", False),
            "publicAccessPrevention": access.get("publicAccessPrevention"),
            "lifecycleRules": json_object(body.get("lifecycle")).get("rule"),
            "requesterPays": json_object(body.get("billing")).get("requesterPays"),
        }

    def creation(
        self, cloud: Cloud, resource_id: str, values: Properties, body: JsonObject
    ) -> Call:
        """Return the call that makes the bucket."""
        del resource_id
        query = {"project": known_text(values, "project")}
        return Call("POST", f"{self.base_url(cloud)}b", query, body)

    def change(
        self, cloud: Cloud, resource_id: str, body: JsonObject, mask: tuple[str, ...]
    ) -> Call:
        """Return the call that changes the bucket: what is null in a patch is cleared."""
        flat = self.flattened(body)
        patch: JsonObject = self.expanded({key: flat.get(key) for key in mask})
        return Call("PATCH", self.url(cloud, resource_id), body=patch)

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
        """Patch, with a null for each label that goes."""
        del timeout_s
        call = self.change(cloud, resource_id, self.body(values, old_outputs), mask)
        body = dict(call.body or {})
        if "labels" in mask:
            labels = dict(json_object(body.get("labels")))
            gone = mapping(old_outputs.get("labels")).keys() - labels.keys()
            body["labels"] = {**labels, **dict.fromkeys(sorted(gone))}
        await cloud.rest.send(Call(call.method, call.url, call.query, body))

    async def delete(
        self, cloud: Cloud, resource_id: str, outputs: Properties, timeout_s: float
    ) -> None:
        """Delete the bucket, with its objects where that was asked for."""
        if outputs.get("forceDestroy") is True and outputs.get("deletionPolicy") == "DELETE":
            await self._empty(cloud, resource_id)
        try:
            await super().delete(cloud, resource_id, outputs, timeout_s)
        except ProviderError as error:
            if "not empty" in str(error):
                raise ProviderError(
                    f"Error trying to delete bucket {resource_id} containing objects without "
                    "`force_destroy` set to true"
                ) from error
            raise

    async def _empty(self, cloud: Cloud, resource_id: str) -> None:
        objects_url = f"{self.url(cloud, resource_id)}/o"
        page_token = ""
        while True:
            query = {"versions": "true", **({"pageToken": page_token} if page_token else {})}
            page = await cloud.rest.get(objects_url, query)
            for item in json_items((page or {}).get("items")):
                entry = json_object(item)
                name = quote(optional_text(entry, "name"), safe="")
                generation = {"generation": str(entry.get("generation", ""))}
                await cloud.rest.send(Call("DELETE", f"{objects_url}/{name}", generation))
            page_token = optional_text(page or {}, "nextPageToken")
            if not page_token:
                return


@dataclass(frozen=True, slots=True)
class BucketPolicyStore:
    """The policy of a bucket, which is a document of its own under the bucket."""

    url: str

    @property
    def key(self) -> str:
        """What tells this bucket's policy from every other."""
        return self.url

    async def load(self, rest: RestClient) -> Policy | None:
        """Read the policy; None when the bucket is gone."""
        body = await rest.get(f"{self.url}/iam", {"optionsRequestedPolicyVersion": "3"})
        return None if body is None else policy_from_json(body)

    async def save(self, rest: RestClient, policy: Policy) -> str:
        """Write the policy and return its new etag."""
        reply = await rest.send(Call("PUT", f"{self.url}/iam", body=policy_to_json(policy)))
        return optional_text(reply, "etag")


class BucketMember(IamMember):
    """A grant on a bucket."""

    token = "gcp:storage/bucketIAMMember:BucketIAMMember"  # noqa: S105 - a type, no secret.
    label = "bucket IAM member"
    id_template = "b/{bucket}"
    target = "bucket"
    fields = (target_field("bucket"), *MEMBER_FIELDS)

    def resource_path(self, values: Mapping[str, Value]) -> str | Unknown:
        """Return the path; a bucket may be given by its name or as `b/NAME`."""
        bucket = values.get("bucket")
        return f"b/{bucket.removeprefix('b/')}" if isinstance(bucket, str) else UNKNOWN

    def store(self, cloud: Cloud, resource: str) -> PolicyStore:
        """Return where the bucket's policy is kept."""
        return BucketPolicyStore(cloud.settings.base_url(Api.STORAGE) + resource)
