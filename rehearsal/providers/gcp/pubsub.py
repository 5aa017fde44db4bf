"""Pub/Sub topics and subscriptions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from rehearsal.engine.provider import CheckFailure, Properties, Value
from rehearsal.providers.gcp.labels import LABELS
from rehearsal.providers.gcp.resource import DELETION_POLICY, PROJECT, Cloud
from rehearsal.providers.gcp.rest_resource import RestResource
from rehearsal.providers.gcp.settings import Api, Settings
from rehearsal.providers.limits import (
    at_least,
    at_most_bytes,
    from_to,
    lasting,
    one_of,
    same_duration,
    same_set,
)
from rehearsal.providers.properties import JsonObject, mapping
from rehearsal.providers.rest import Call
from rehearsal.providers.schema import (
    block,
    blocks,
    flag,
    number,
    text,
    text_map,
    texts,
)

_NAME: Final = re.compile(r"^[A-Za-z][A-Za-z0-9._~+%-]{2,254}$")
_DAY_S: Final = 86400


def _name_problem(value: Value) -> str | None:
    """Say what Google would refuse about the name of a topic or subscription."""
    if isinstance(value, str) and _NAME.match(value) and not value.startswith("goog"):
        return None
    return (
        f"is {value!r}; a name has 3 to 255 characters of A-Z a-z 0-9 - . _ ~ + %, starts with a "
        "letter, and not with 'goog'"
    )


def _time_to_live_problem(value: Value) -> str | None:
    """Say what is wrong with a time to live; an empty one never ends."""
    return None if value == "" else lasting(_DAY_S, float("inf"))(value)


def _full_topic(value: Value, project: Value) -> Value:
    """Return the full path of a topic that may be given by its name alone."""
    if isinstance(value, str) and "/" not in value and isinstance(project, str):
        return f"projects/{project}/topics/{value}"
    return value


class Topic(RestResource):
    """A topic."""

    token = "gcp:pubsub/topic:Topic"  # noqa: S105 - a resource type, no secret.
    label = "Topic"
    api = Api.PUBSUB
    id_template = "projects/{project}/topics/{name}"
    is_named = True
    fields = (
        text("name", "").required().force_new().checked(_name_problem),
        PROJECT,
        DELETION_POLICY,
        LABELS,
        text("kmsKeyName"),
        text("messageRetentionDuration").checked(lasting(600, 31 * _DAY_S)).same(same_duration),
        block(
            "messageStoragePolicy",
            texts("allowedPersistenceRegions").required().same(same_set),
            flag("enforceInTransit"),
        ).computed(),
        blocks("messageTransforms"),
        block(
            "schemaSettings",
            text("schema").required(),
            text("encoding").checked(one_of("ENCODING_UNSPECIFIED", "JSON", "BINARY")),
            text("firstRevisionId"),
            text("lastRevisionId"),
        ),
        block("ingestionDataSourceSettings"),
        text_map("tags").force_new(),
    )

    def creation(
        self, cloud: Cloud, resource_id: str, values: Properties, body: JsonObject
    ) -> Call:
        """Return the call that makes the topic."""
        del values
        return Call("PUT", self.url(cloud, resource_id), body=body)

    def change(
        self, cloud: Cloud, resource_id: str, body: JsonObject, mask: tuple[str, ...]
    ) -> Call:
        """Return the call that changes the topic; the resource is nested in the body."""
        query = {"updateMask": ",".join(mask)}
        return Call("PATCH", self.url(cloud, resource_id), query, {"topic": body})


_PUSH_CONFIG: Final = block(
    "pushConfig",
    text("pushEndpoint").required(),
    text_map("attributes"),
    block("noWrapper", flag("writeMetadata").required()),
    block(
        "oidcToken",
        text("serviceAccountEmail").required(),
        text("audience").computed(),
    ),
)
_BIGQUERY_CONFIG: Final = block(
    "bigqueryConfig",
    text("table").required(),
    flag("useTopicSchema"),
    flag("useTableSchema"),
    flag("writeMetadata"),
    flag("dropUnknownFields"),
    text("serviceAccountEmail"),
)
_STORAGE_CONFIG: Final = block(
    "cloudStorageConfig",
    text("bucket").required(),
    text("filenamePrefix"),
    text("filenameSuffix"),
    text("filenameDatetimeFormat"),
    text("maxDuration").defaulting("300s").checked(lasting(60, 600)).same(same_duration),
    number("maxBytes").checked(from_to(1024, 10 * 1024**3)),
    number("maxMessages").checked(at_least(1000)),
    text("state").output(),
    block("avroConfig", flag("writeMetadata"), flag("useTopicSchema")),
    block("textConfig", text("state").output()),
    text("serviceAccountEmail"),
)
_DELIVERIES: Final = ("pushConfig", "bigqueryConfig", "cloudStorageConfig")


class Subscription(RestResource):
    """A subscription."""

    token = "gcp:pubsub/subscription:Subscription"  # noqa: S105 - a resource type, no secret.
    label = "Subscription"
    api = Api.PUBSUB
    id_template = "projects/{project}/subscriptions/{name}"
    is_named = True
    fields = (
        text("name", "").required().force_new().checked(_name_problem),
        PROJECT,
        DELETION_POLICY,
        text("topic").required().force_new(),
        LABELS,
        number("ackDeadlineSeconds").computed().checked(from_to(10, 600)),
        text("messageRetentionDuration")
        .defaulting("604800s")
        .checked(lasting(600, 31 * _DAY_S))
        .same(same_duration),
        flag("retainAckedMessages"),
        block(
            "expirationPolicy",
            text("ttl").required().checked(_time_to_live_problem).same(same_duration),
        ).computed(),
        text("filter").force_new().checked(at_most_bytes(256)),
        block(
            "deadLetterPolicy",
            text("deadLetterTopic"),
            number("maxDeliveryAttempts").checked(from_to(5, 100)).computed(),
        ),
        block(
            "retryPolicy",
            text("minimumBackoff").checked(lasting(0, 600)).same(same_duration).computed(),
            text("maximumBackoff").checked(lasting(0, 600)).same(same_duration).computed(),
        ),
        flag("enableMessageOrdering").force_new(),
        flag("enableExactlyOnceDelivery"),
        _PUSH_CONFIG,
        _BIGQUERY_CONFIG,
        _STORAGE_CONFIG,
        blocks("messageTransforms"),
        text_map("tags").force_new(),
    )

    def values(self, inputs: Mapping[str, Value], settings: Settings) -> Properties:
        """Return the inputs with the topic's full path."""
        values = super().values(inputs, settings)
        if "topic" in values:
            values["topic"] = _full_topic(values["topic"], values.get("project"))
        return values

    def problems(self, inputs: Properties) -> tuple[CheckFailure, ...]:
        """Refuse more than one way of delivery."""
        given = [name for name in _DELIVERIES if inputs.get(name)]
        if len(given) <= 1:
            return ()
        return (CheckFailure(f"only one of {', '.join(given)} can be set", given[1]),)

    def body(self, values: Properties, state: Mapping[str, Value] | None) -> JsonObject:
        """Return the JSON; an empty time to live means that the subscription never expires."""
        body = super().body(values, state)
        if values.get("expirationPolicy") is not None and not mapping(body.get("expirationPolicy")):
            body["expirationPolicy"] = {}
        return body

    def derive(
        self, outputs: Properties, body: JsonObject, prior: Mapping[str, Value]
    ) -> Properties:
        """Return the expiration policy, which is an empty object when there is no expiry."""
        del outputs, prior
        if body.get("expirationPolicy") == {}:
            return {"expirationPolicy": {"ttl": ""}}
        return {}

    def creation(
        self, cloud: Cloud, resource_id: str, values: Properties, body: JsonObject
    ) -> Call:
        """Return the call that makes the subscription."""
        del values
        return Call("PUT", self.url(cloud, resource_id), body=body)

    def change(
        self, cloud: Cloud, resource_id: str, body: JsonObject, mask: tuple[str, ...]
    ) -> Call:
        """Return the call that changes the subscription; the resource is nested in the body."""
        query = {"updateMask": ",".join(mask)}
        return Call("PATCH", self.url(cloud, resource_id), query, {"subscription": body})
