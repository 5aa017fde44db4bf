"""A published message and its forms: Google's JSON, protobuf, and the bytes in the store."""

import base64
import binascii
import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import invalid_argument
from rehearsal.cloud.pubsub.protocol import Proto, PubsubMessage

MAX_MESSAGE_BYTES = 10_000_000
MAX_ATTRIBUTES = 100
MAX_KEY_BYTES = 256
MAX_VALUE_BYTES = 1024
MAX_ORDERING_KEY_BYTES = 1024
MAX_REQUEST_BYTES = 10 * 1024 * 1024

_NANOSECONDS = 1_000_000_000
# Google's JSON takes both base64 alphabets.
_STANDARD_ALPHABET = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True)
class Message:
    """One message as Pub/Sub keeps it, after it got its id."""

    message_id: str
    published_at_s: float
    data: bytes = b""
    attributes: Mapping[str, str] = field(default_factory=dict)
    ordering_key: str = ""

    @property
    def size(self) -> int:
        """Return the size that counts against flow control."""
        pairs = self.attributes.items()
        return len(self.data) + sum(len(key) + len(value) for key, value in pairs)

    def to_json(self) -> JsonObject:
        """Return the message as REST and push show it."""
        published_at = datetime.fromtimestamp(self.published_at_s, UTC)
        body: JsonObject = {
            "messageId": self.message_id,
            "publishTime": published_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        if self.data:
            body["data"] = base64.b64encode(self.data).decode()
        if self.attributes:
            body["attributes"] = dict(self.attributes)
        if self.ordering_key:
            body["orderingKey"] = self.ordering_key
        return body

    def to_proto(self) -> Proto:
        """Return the message as gRPC shows it."""
        message = PubsubMessage(
            message_id=self.message_id,
            data=self.data,
            attributes=self.attributes,
            ordering_key=self.ordering_key,
        )
        message.publish_time.FromNanoseconds(int(self.published_at_s * _NANOSECONDS))
        return message

    def to_bytes(self) -> bytes:
        """Return the message as the store keeps it."""
        stored: bytes = self.to_proto().SerializeToString()
        return stored

    @classmethod
    def from_bytes(cls, stored: bytes) -> "Message":
        """Read a message from the store."""
        proto = PubsubMessage.FromString(stored)
        return cls(
            message_id=proto.message_id,
            published_at_s=proto.publish_time.ToNanoseconds() / _NANOSECONDS,
            data=proto.data,
            attributes=dict(proto.attributes),
            ordering_key=proto.ordering_key,
        )


@dataclass(frozen=True, slots=True)
class Draft:
    """What a publisher sends: a message that has no id yet."""

    data: bytes
    attributes: Mapping[str, str]
    ordering_key: str

    @classmethod
    def from_json(cls, body: JsonObject) -> "Draft":
        """Read one element of a REST publish request's `messages`."""
        try:
            text = (body.get("data") or "").translate(_STANDARD_ALPHABET)
            data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except (binascii.Error, ValueError) as error:
            raise invalid_argument(
                "Invalid value at 'messages[0].data' (TYPE_BYTES), Base64 decoding failed."
            ) from error
        return cls(data, dict(body.get("attributes") or {}), body.get("orderingKey") or "")

    @classmethod
    def from_proto(cls, message: Proto) -> "Draft":
        """Read one element of a gRPC publish request's `messages`."""
        return cls(message.data, dict(message.attributes), message.ordering_key)

    @property
    def size(self) -> int:
        """Return what the message adds to the size of its request."""
        pairs = (len(key.encode()) + len(value.encode()) for key, value in self.attributes.items())
        return len(self.data) + sum(pairs) + len(self.ordering_key.encode())

    def check(self) -> None:
        """Refuse what Pub/Sub refuses to publish.

        Raises:
            ApiError: the message is empty or beyond a limit.
        """
        if not self.data and not self.attributes:
            raise invalid_argument(
                "One or more messages in the publish request is empty. Each message must contain "
                "either non-empty data, or at least one attribute."
            )
        if len(self.data) > MAX_MESSAGE_BYTES:
            raise invalid_argument(
                f"The value for message_size is too large. You passed {len(self.data)} in the "
                f"request, but the maximum value is {MAX_MESSAGE_BYTES}."
            )
        if len(self.ordering_key.encode()) > MAX_ORDERING_KEY_BYTES:
            raise invalid_argument("An ordering key is too long in the request.")
        if len(self.attributes) > MAX_ATTRIBUTES:
            raise invalid_argument("A message in the publish request has too many attributes.")
        for key, value in self.attributes.items():
            if not key or len(key.encode()) > MAX_KEY_BYTES:
                raise invalid_argument("An attribute key is empty or too long in the request.")
            if len(value.encode()) > MAX_VALUE_BYTES:
                raise invalid_argument("An attribute value is too long in the request.")


class MessageIds:
    """Hands out message ids that grow, also across restarts."""

    def __init__(self) -> None:
        self._ids = itertools.count(time.time_ns() // 1000)

    def next(self) -> str:
        """Return an id no message had before."""
        return str(next(self._ids))
