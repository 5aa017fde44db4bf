"""Property values in a state file: secrets encrypted, everything else as it is.

A secret whose value did not change keeps its ciphertext, so that state files do not churn. The
memory for that is keyed by place (URN and property path), not by plaintext: two equal secrets
must not show that they are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from rehearsal.engine.provider import UNKNOWN, Unknown
from rehearsal.engine.secrets.passphrase import Crypter
from rehearsal.engine.values import gojson
from rehearsal.engine.values.gojson import Json, JsonObject
from rehearsal.engine.values.property_values import (
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

BLINDED: Final = "[secret]"
Seal = Callable[[str, str], str]


class StateCodec:
    """Reads and writes the properties of one stack's state."""

    def __init__(self, crypter: Callable[[], Crypter]) -> None:
        """Take the key lazily: a state without secrets needs none."""
        self._crypter = crypter
        self._known: dict[str, tuple[str, str]] = {}

    def read(self, where: str, properties: Mapping[str, Json]) -> EngineProperties:
        """Decrypt the properties of the resource (and field) named by `where`."""
        return {
            key: _read(value, _inside(where, key), self._open) for key, value in properties.items()
        }

    def write(self, where: str, properties: Mapping[str, EngineValue]) -> JsonObject:
        """Encrypt properties for the state file."""
        return _write_all(properties, where, self._seal)

    def _open(self, ciphertext: str, where: str) -> str:
        text = self._crypter().decrypt(ciphertext)
        # What is pending is read behind what is deployed, which is to stay as it is.
        self._known.setdefault(where, (text, ciphertext))
        return text

    def _seal(self, text: str, where: str) -> str:
        known = self._known.get(where)
        if known is None or known[0] != text:
            known = self._known[where] = (text, self._crypter().encrypt(text))
        return known[1]


def blind(properties: Mapping[str, EngineValue]) -> JsonObject:
    """Write properties for an event: secrets are marked but not shown."""
    return _write_all(properties, "", lambda _text, _where: BLINDED)


def expose(properties: Mapping[str, EngineValue]) -> JsonObject:
    """Write properties for `stack export --show-secrets`."""
    return {key: _expose(properties[key]) for key in sorted(properties)}


def _expose(value: EngineValue) -> Json:
    match value:
        case Secret():
            text = gojson.dumps(_write(value.value, "", _unsealed), html=True)
            return {SIGNATURE: SECRET_SIGNATURE, "plaintext": text}
        case Mapping():
            return expose(value)
        case list() | tuple():
            return [_expose(item) for item in value]
        case _:
            return _write(value, "", _unsealed)


def _unsealed(text: str, _where: str) -> str:
    return text


def _read(value: Json, where: str, unseal: Seal) -> EngineValue:
    match value:
        case str():
            return UNKNOWN if value == UNKNOWN_TEXT else value
        case Mapping():
            signature = value.get(SIGNATURE)
            if signature == SECRET_SIGNATURE:
                return _read_secret(value, where, unseal)
            if signature == REFERENCE_SIGNATURE:
                return _read_reference(value)
            return {key: _read(item, _inside(where, key), unseal) for key, item in value.items()}
        case list() | tuple():
            return [_read(item, _inside(where, str(at)), unseal) for at, item in enumerate(value)]
        case _:
            return value


def _inside(where: str, part: str) -> str:
    # Keys may contain anything that a path is written with.
    return f"{where}\0{part}"


def _read_secret(value: Mapping[str, Json], where: str, unseal: Seal) -> Secret:
    if "plaintext" in value:
        text = str(value["plaintext"])
    else:
        text = unseal(str(value.get("ciphertext", "")), where)
    inner = _read(gojson.loads(text), where, _unsealed)
    return inner if isinstance(inner, Secret) else Secret(inner)


def _read_reference(value: Mapping[str, Json]) -> ResourceReference:
    identity = value.get("id")
    known: str | Unknown | None = None
    if identity is not None:
        known = UNKNOWN if identity in UNKNOWN_TEXTS or not identity else str(identity)
    return ResourceReference(str(value["urn"]), known, str(value.get("packageVersion", "")))


def _write_all(properties: Mapping[str, EngineValue], where: str, seal: Seal) -> JsonObject:
    return {key: _write(properties[key], _inside(where, key), seal) for key in sorted(properties)}


def _write(value: EngineValue, where: str, seal: Seal) -> Json:
    match value:
        # First, as most values are one of these: the others are slow to tell.
        case None | bool() | int() | float() | str():
            return value
        case Secret():
            inner = gojson.dumps(_write(value.value, where, _unsealed), html=True)
            return {SIGNATURE: SECRET_SIGNATURE, "ciphertext": seal(inner, where)}
        case Unknown():
            return UNKNOWN_TEXT
        case ResourceReference():
            return _write_reference(value)
        case Mapping():
            return _write_all(value, where, seal)
        case _:
            return [_write(item, _inside(where, str(at)), seal) for at, item in enumerate(value)]


def _write_reference(value: ResourceReference) -> JsonObject:
    fields: JsonObject = {SIGNATURE: REFERENCE_SIGNATURE}
    if value.id is not None:
        # The real engine has no other word for an id that is not known yet.
        fields["id"] = "" if isinstance(value.id, Unknown) else value.id
    fields["packageVersion"] = value.package_version
    fields["urn"] = value.urn
    return fields
