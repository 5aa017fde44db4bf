"""Topics: creating, reading, changing and deleting them.

Knows nothing of messages; `broker` delivers. Permissions on the named resource are checked before
these functions are called.
"""

from collections.abc import Sequence

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import already_exists, not_found
from rehearsal.cloud.pubsub.fields import (
    DAY_S,
    MINUTE_S,
    check_bounds,
    check_name,
    merge_masked,
    refuse_unmodelled,
    seconds_of,
    without_empty,
)
from rehearsal.cloud.store import Store

KIND = "pubsub.topics"
DELETED_TOPIC = "_deleted-topic_"

MUTABLE = frozenset(
    {
        "labels",
        "messageStoragePolicy",
        "kmsKeyName",
        "schemaSettings",
        "messageRetentionDuration",
        "ingestionDataSourceSettings",
        "messageTransforms",
    }
)

_NOT_MODELLED = ("schemaSettings", "ingestionDataSourceSettings", "messageTransforms")


class Topics:
    """The topics in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, name: str, body: JsonObject) -> JsonObject:
        """Create a topic.

        Raises:
            ApiError: 400 for an invalid name or value, 409 where the topic exists.
        """
        check_name(name, "topics")
        if self._store.get(KIND, name) is not None:
            raise already_exists(
                f"Resource already exists in the project (resource={name.rsplit('/', 1)[-1]})."
            )
        topic = {"name": name} | without_empty(
            {key: value for key, value in body.items() if key in MUTABLE}
        )
        _check(topic)
        self._store.put(KIND, name, topic)
        return topic

    def get(self, name: str) -> JsonObject:
        """Return a topic.

        Raises:
            ApiError: 404.
        """
        topic = self._store.get(KIND, name)
        if topic is None:
            raise not_found(f"Resource not found (resource={name.rsplit('/', 1)[-1]}).")
        return topic

    def exists(self, name: str) -> bool:
        """Return whether there is such a topic."""
        return self._store.get(KIND, name) is not None

    def in_project(self, project: str) -> list[JsonObject]:
        """Return the topics of `projects/P` by name."""
        return [body for _, body in self._store.items(KIND, f"{project}/topics/")]

    def patch(self, name: str, body: JsonObject, mask: Sequence[str] | None) -> JsonObject:
        """Change the masked fields of a topic.

        Raises:
            ApiError: 404, or 400 for the mask or a value.
        """
        topic = merge_masked(self.get(name), body, mask, mutable=MUTABLE, kind="Topic")
        _check(topic)
        self._store.put(KIND, name, topic)
        return topic

    def delete(self, name: str) -> None:
        """Delete a topic.

        Raises:
            ApiError: 404.
        """
        self.get(name)
        self._store.delete(KIND, name)


def _check(topic: JsonObject) -> None:
    refuse_unmodelled(topic, _NOT_MODELLED, "topic")
    retention = topic.get("messageRetentionDuration")
    if retention is not None:
        seconds = seconds_of(retention, "topic.message_retention_duration")
        check_bounds(seconds, 10 * MINUTE_S, 31 * DAY_S, "message retention duration")
