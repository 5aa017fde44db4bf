"""Write `protocol.binpb` from the installed `google-cloud-pubsub` and `grpc-google-iam-v1`.

Owns only the refresh (`python -m rehearsal.cloud.pubsub.refresh_protocol`); reading the file is
`protocol`'s job. Google's message definitions are Apache-2.0.
"""

from pathlib import Path

from google.iam.v1 import iam_policy_pb2, options_pb2, policy_pb2
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.pubsub_v1 import types
from google.type import expr_pb2

TARGET = Path(__file__).with_name("protocol.binpb")


def installed_protocol() -> bytes:
    """Return the message definitions as the installed client libraries have them."""
    descriptor = types.Topic.pb(types.Topic()).DESCRIPTOR.file
    definitions = FileDescriptorSet()
    for dependency in descriptor.dependencies:
        if dependency.package == descriptor.package:
            dependency.CopyToProto(definitions.file.add())
    descriptor.CopyToProto(definitions.file.add())
    # In the order in which they need each other.
    for module in (expr_pb2, options_pb2, policy_pb2, iam_policy_pb2):
        definitions.file.append(_messages_of(module.DESCRIPTOR))
    serialized: bytes = definitions.SerializeToString(deterministic=True)
    return serialized


def _messages_of(file: FileDescriptor) -> FileDescriptorProto:
    """Return a file's messages without the annotations for Google's generators."""
    definition = FileDescriptorProto()
    file.CopyToProto(definition)
    needed = [name for name in definition.dependency if not name.startswith("google/api/")]
    del definition.dependency[:], definition.service[:]
    definition.dependency.extend(needed)
    definition.ClearField("options")
    for message in definition.message_type:
        message.ClearField("options")
        for field in message.field:
            field.ClearField("options")
    return definition


if __name__ == "__main__":
    TARGET.write_bytes(installed_protocol())
