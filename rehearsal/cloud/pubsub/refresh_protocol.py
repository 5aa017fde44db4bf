"""Write `protocol.binpb` from the installed `google-cloud-pubsub`.

Owns only the refresh (`python -m rehearsal.cloud.pubsub.refresh_protocol`); reading the file is
`protocol`'s job. Google's message definitions are Apache-2.0.
"""

from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.pubsub_v1 import types

TARGET = Path(__file__).with_name("protocol.binpb")


def installed_protocol() -> bytes:
    """Return Pub/Sub's message definitions as the installed client library has them."""
    descriptor = types.Topic.pb(types.Topic()).DESCRIPTOR.file
    definitions = FileDescriptorSet()
    for dependency in descriptor.dependencies:
        if dependency.package == descriptor.package:
            dependency.CopyToProto(definitions.file.add())
    descriptor.CopyToProto(definitions.file.add())
    serialized: bytes = definitions.SerializeToString(deterministic=True)
    return serialized


if __name__ == "__main__":
    TARGET.write_bytes(installed_protocol())
