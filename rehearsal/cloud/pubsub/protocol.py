"""Pub/Sub's protobuf messages, loaded without the client library.

`google.pubsub_v1` takes a second to import and registers its definitions globally; the local cloud
has to start faster and to live in one process with that library. So the definitions are vendored
(`refresh_protocol`) and loaded into a descriptor pool of their own.
"""

from collections.abc import Callable
from importlib.resources import files
from typing import Any, TypeAlias

from google.protobuf import duration_pb2, empty_pb2, field_mask_pb2, struct_pb2, timestamp_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

# Messages of a run-time pool have no static type.
Proto: TypeAlias = Any

_PACKAGE = "google.pubsub.v1"


def _load_pool() -> DescriptorPool:
    pool = DescriptorPool()
    for module in (duration_pb2, empty_pb2, field_mask_pb2, struct_pb2, timestamp_pb2):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    vendored = files(__package__).joinpath("protocol.binpb").read_bytes()
    for file in FileDescriptorSet.FromString(vendored).file:
        pool.Add(file)
    return pool


_POOL = _load_pool()


def rename_resources(message: Proto, canonical: Callable[[str], str]) -> None:
    """Name resources in a request, in place, by whatever name `canonical` gives them.

    Lists and maps are left alone: none of Pub/Sub's has resources of the project in it.
    """
    for descriptor, value in message.ListFields():
        if isinstance(value, str):
            if value.startswith("projects/"):
                setattr(message, descriptor.name, canonical(value))
        elif hasattr(value, "ListFields"):
            rename_resources(value, canonical)


def message_class(name: str) -> type[Proto]:
    """Return the class of one message, by its short name (`Topic`) or full name (with dots)."""
    full_name = name if "." in name else f"{_PACKAGE}.{name}"
    found: type[Proto] = GetMessageClass(_POOL.FindMessageTypeByName(full_name))
    return found


Empty = message_class("google.protobuf.Empty")
Timestamp = message_class("google.protobuf.Timestamp")
PubsubMessage = message_class("PubsubMessage")
ReceivedMessage = message_class("ReceivedMessage")
PublishResponse = message_class("PublishResponse")
PullResponse = message_class("PullResponse")
StreamingPullRequest = message_class("StreamingPullRequest")
StreamingPullResponse = message_class("StreamingPullResponse")
