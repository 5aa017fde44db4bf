"""Property values on the wire between program and engine (protobuf structs with signatures)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal

from google.protobuf import struct_pb2

from rehearsal.engine.provider import UNKNOWN, Unknown
from rehearsal.engine.values.property_values import (
    OUTPUT_SIGNATURE,
    REFERENCE_SIGNATURE,
    SECRET_SIGNATURE,
    SIGNATURE,
    UNKNOWN_TEXT,
    UNKNOWN_TEXTS,
    EngineProperties,
    EngineValue,
    ResourceReference,
    Secret,
)

_EXACT_INTEGERS = 2**53


def decode(struct: struct_pb2.Struct) -> EngineProperties:
    """Read the properties of a request."""
    return {key: decode_value(value) for key, value in struct.fields.items()}


def decode_value(value: struct_pb2.Value) -> EngineValue:
    """Read one value."""
    match value.WhichOneof("kind"):
        case "number_value":
            return whole(value.number_value)
        case "string_value":
            text = value.string_value
            return UNKNOWN if text in UNKNOWN_TEXTS else text
        case "bool_value":
            return bool(value.bool_value)
        case "list_value":
            return [decode_value(item) for item in value.list_value.values]
        case "struct_value":
            return _decode_struct(value.struct_value)
        case _:
            return None


def whole(value: float) -> float:
    """Turn a double that is a whole number into an int, with the digits Go would print."""
    if not value.is_integer() or abs(value) >= 1e21:  # noqa: PLR2004 (Go prints an exponent from here)
        return value
    if not value and math.copysign(1, value) < 0:
        # Go tells it from zero, and so do the states it writes.
        return value
    return int(value) if abs(value) < _EXACT_INTEGERS else int(Decimal(repr(value)))


def _decode_struct(struct: struct_pb2.Struct) -> EngineValue:
    fields = struct.fields
    signature = fields[SIGNATURE].string_value if SIGNATURE in fields else ""
    if signature == SECRET_SIGNATURE:
        inner = decode_value(fields["value"])
        return inner if isinstance(inner, Secret) else Secret(inner)
    if signature == OUTPUT_SIGNATURE:
        value = decode_value(fields["value"]) if "value" in fields else UNKNOWN
        return Secret(value) if "secret" in fields and fields["secret"].bool_value else value
    if signature == REFERENCE_SIGNATURE:
        return _decode_reference(struct)
    return decode(struct)


def _decode_reference(struct: struct_pb2.Struct) -> ResourceReference:
    fields = struct.fields
    identity: str | Unknown | None = None
    if "id" in fields:
        text = fields["id"].string_value
        identity = UNKNOWN if text in UNKNOWN_TEXTS or not text else text
    version = fields["packageVersion"].string_value if "packageVersion" in fields else ""
    return ResourceReference(fields["urn"].string_value, identity, version)


def encode(properties: Mapping[str, EngineValue]) -> struct_pb2.Struct:
    """Write the properties of an answer."""
    struct = struct_pb2.Struct()
    for key, value in properties.items():
        _encode_into(struct.fields[key], value)
    return struct


def _encode_into(target: struct_pb2.Value, value: EngineValue) -> None:
    match value:
        case None:
            target.null_value = struct_pb2.NULL_VALUE
        case bool():
            target.bool_value = value
        case int() | float():
            target.number_value = value
        case str():
            target.string_value = value
        case Unknown():
            target.string_value = UNKNOWN_TEXT
        case Secret():
            target.struct_value.CopyFrom(
                encode({SIGNATURE: SECRET_SIGNATURE, "value": value.value})
            )
        case ResourceReference():
            target.struct_value.CopyFrom(encode(_reference_fields(value)))
        case Mapping():
            target.struct_value.CopyFrom(encode(value))
        case _:
            target.list_value.SetInParent()
            for item in value:
                _encode_into(target.list_value.values.add(), item)


def _reference_fields(reference: ResourceReference) -> EngineProperties:
    fields: EngineProperties = {SIGNATURE: REFERENCE_SIGNATURE, "urn": reference.urn}
    if reference.id is not None:
        fields["id"] = reference.id
    if reference.package_version:
        fields["packageVersion"] = reference.package_version
    return fields
