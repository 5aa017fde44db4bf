"""Subscriptions as resources: creating, reading, changing and deleting them, their defaults.

Knows nothing of messages; `policy_of` says what the settings mean for delivery.
"""

import re
from collections.abc import Sequence

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import already_exists, invalid_argument, not_found
from rehearsal.cloud.pubsub.delivery import DeliveryPolicy
from rehearsal.cloud.pubsub.fields import (
    DAY_S,
    MINUTE_S,
    check_bounds,
    check_name,
    fields_of_mask,
    merge_masked,
    refuse_unmodelled,
    seconds_of,
    without_empty,
)
from rehearsal.cloud.pubsub.filters import FilterError, compile_filter
from rehearsal.cloud.pubsub.topics import DELETED_TOPIC
from rehearsal.cloud.store import Store

KIND = "pubsub.subscriptions"

MUTABLE = frozenset(
    {
        "ackDeadlineSeconds",
        "bigqueryConfig",
        "cloudStorageConfig",
        "deadLetterPolicy",
        "enableExactlyOnceDelivery",
        "expirationPolicy",
        "labels",
        "messageRetentionDuration",
        "messageTransforms",
        "pushConfig",
        "retainAckedMessages",
        "retryPolicy",
        "tags",
    }
)
_SETTABLE = MUTABLE | {"topic", "filter", "enableMessageOrdering"}
_MIN_ACK_DEADLINE_S = 10
_MAX_ACK_DEADLINE_S = 600
_MIN_ATTEMPTS = 5
_MAX_ATTEMPTS = 100
_MAX_BACKOFF_S = 600
# Pushing slows down by itself, so that a broken endpoint is not hammered.
_PUSH_BACKOFF = {"minimumBackoff": "0.1s", "maximumBackoff": "60s"}
_PUSH_ENDPOINT = re.compile(r"https?://[^\s/]+(/\S*)?")

_NOT_MODELLED = ("bigqueryConfig", "cloudStorageConfig", "messageTransforms")


class Subscriptions:
    """The subscriptions in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def proposed(self, name: str, body: JsonObject) -> JsonObject:
        """Return a new subscription, not kept yet; what is wrong in itself is told first.

        Raises:
            ApiError: 400 for an invalid name or value, 409 where the subscription exists.
        """
        check_name(name, "subscriptions")
        settings = {key: value for key, value in body.items() if key in _SETTABLE}
        subscription = _checked({"name": name} | _sent(settings))
        if self._store.get(KIND, name) is not None:
            raise already_exists(
                f"Resource already exists in the project (resource={name.rsplit('/', 1)[-1]})."
            )
        return subscription

    def keep(self, subscription: JsonObject) -> JsonObject:
        """Store a subscription as it now is."""
        self._store.put(KIND, subscription["name"], subscription)
        return subscription

    def get(self, name: str) -> JsonObject:
        """Return a subscription.

        Raises:
            ApiError: 404.
        """
        subscription = self._store.get(KIND, name)
        if subscription is None:
            raise not_found(f"Resource not found (resource={name.rsplit('/', 1)[-1]}).")
        return subscription

    def in_project(self, project: str) -> list[JsonObject]:
        """Return the subscriptions of `projects/P` by name."""
        return [body for _, body in self._store.items(KIND, f"{project}/subscriptions/")]

    def all(self) -> list[JsonObject]:
        """Return every subscription."""
        return [body for _, body in self._store.items(KIND)]

    def patch(self, name: str, body: JsonObject, mask: Sequence[str] | None) -> JsonObject:
        """Change the masked fields of a subscription.

        Raises:
            ApiError: 404, or 400 for the mask or a value.
        """
        merged = merge_masked(self.get(name), body, mask, mutable=MUTABLE, kind="Subscription")
        # An expiration policy without a time to live means "never"; that is a value, not "unset".
        if body.get("expirationPolicy") == {} and "expirationPolicy" in fields_of_mask(mask or ()):
            merged["expirationPolicy"] = {}
        return self.keep(_checked(merged))

    def detach_all(self, topic: str) -> None:
        """Mark the subscriptions of a topic that was deleted."""
        for subscription in self.all():
            if subscription["topic"] == topic:
                self._store.put(KIND, subscription["name"], subscription | {"topic": DELETED_TOPIC})

    def delete(self, name: str) -> None:
        """Delete a subscription.

        Raises:
            ApiError: 404.
        """
        self.get(name)
        self._store.delete(KIND, name)


def policy_of(subscription: JsonObject) -> DeliveryPolicy:
    """Return what a subscription's settings mean for delivery."""
    retry = subscription.get("retryPolicy")
    if retry is None and subscription["pushConfig"].get("pushEndpoint"):
        retry = _PUSH_BACKOFF
    dead_letter = subscription.get("deadLetterPolicy")
    return DeliveryPolicy(
        ack_deadline_s=float(subscription["ackDeadlineSeconds"]),
        min_backoff_s=seconds_of(retry["minimumBackoff"], "minimum_backoff") if retry else 0.0,
        max_backoff_s=seconds_of(retry["maximumBackoff"], "maximum_backoff") if retry else 0.0,
        max_attempts=int(dead_letter.get("maxDeliveryAttempts") or _MIN_ATTEMPTS)
        if dead_letter
        else None,
        is_ordered=bool(subscription.get("enableMessageOrdering")),
        is_exactly_once=bool(subscription.get("enableExactlyOnceDelivery")),
        retention_s=seconds_of(
            subscription["messageRetentionDuration"], "message_retention_duration"
        ),
    )


def time_to_live_s(subscription: JsonObject) -> float | None:
    """Return after how much idleness a subscription expires, or None for never."""
    ttl = subscription["expirationPolicy"].get("ttl")
    return seconds_of(ttl, "expiration_policy.ttl") if ttl else None


def _sent(settings: JsonObject) -> JsonObject:
    """Return the settings that say something; an empty expiration policy does ("never")."""
    sent = without_empty(settings)
    if settings.get("expirationPolicy") == {}:
        sent["expirationPolicy"] = {}
    return sent


def _with_defaults(settings: JsonObject) -> JsonObject:
    subscription: JsonObject = {
        "ackDeadlineSeconds": _MIN_ACK_DEADLINE_S,
        "pushConfig": {},
        "messageRetentionDuration": "604800s",
        "expirationPolicy": {"ttl": "2678400s"},
        "state": "ACTIVE",
    } | settings
    retry = subscription.get("retryPolicy")
    if retry is not None:
        defaults = {"minimumBackoff": "10s", "maximumBackoff": "600s"}
        subscription["retryPolicy"] = defaults | without_empty(retry)
    return subscription


def _checked(settings: JsonObject) -> JsonObject:
    subscription = _with_defaults(settings)
    _check(subscription)
    return subscription


def _check(subscription: JsonObject) -> None:
    refuse_unmodelled(subscription, _NOT_MODELLED, "subscription")
    check_bounds(
        float(subscription["ackDeadlineSeconds"]),
        _MIN_ACK_DEADLINE_S,
        _MAX_ACK_DEADLINE_S,
        "ack deadline",
    )
    policy = policy_of(subscription)
    check_bounds(policy.retention_s, 10 * MINUTE_S, 31 * DAY_S, "message retention duration")
    check_bounds(policy.min_backoff_s, 0, _MAX_BACKOFF_S, "minimum backoff")
    check_bounds(policy.max_backoff_s, policy.min_backoff_s, _MAX_BACKOFF_S, "maximum backoff")
    ttl_s = time_to_live_s(subscription)
    if ttl_s is not None and not (ttl_s >= DAY_S and ttl_s >= policy.retention_s):
        raise invalid_argument(
            f"Invalid expiration policy time-to-live given (seconds={ttl_s:g}). It must be at "
            "least one day and at least the message retention duration."
        )
    attempts = policy.max_attempts
    if attempts is not None and not _MIN_ATTEMPTS <= attempts <= _MAX_ATTEMPTS:
        raise invalid_argument(
            f"Invalid max_delivery_attempts given ({attempts}). "
            f"It must be between {_MIN_ATTEMPTS} and {_MAX_ATTEMPTS}."
        )
    endpoint = subscription["pushConfig"].get("pushEndpoint")
    if endpoint and not _PUSH_ENDPOINT.fullmatch(endpoint):
        raise invalid_argument(f"Invalid push endpoint given (endpoint={endpoint}).")
    _check_filter(subscription.get("filter", ""))


def _check_filter(text: str) -> None:
    try:
        compile_filter(text)
    except FilterError as error:
        raise invalid_argument(
            f"Invalid filter given (filter={text}): {error}. Refer to "
            "https://cloud.google.com/pubsub/docs/subscription-message-filter#filtering_syntax "
            "for more information."
        ) from error
