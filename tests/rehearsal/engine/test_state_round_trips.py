"""Whole states as a Go program writes them: read, decrypted and written again, byte by byte."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from engine_bench import PASSPHRASE, SALT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rehearsal.engine.secrets.codec import StateCodec
from rehearsal.engine.secrets.passphrase import unlock
from rehearsal.engine.state import checkpoint
from rehearsal.engine.values import gojson
from rehearsal.engine.values.property_values import (
    REFERENCE_SIGNATURE,
    SECRET_SIGNATURE,
    SIGNATURE,
    UNKNOWN_TEXT,
)

# A state is much to draw, also on a machine that is busy.
thorough = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
CRYPTER = unlock(SALT, PASSPHRASE)
# Printed by Go's encoding/json.
NUMBERS = (
    *("0", "-0", "1", "-1", "0.1", "1e-7", "0.000001", "-1.5", "1e+21", "123456789012345680000"),
    *("100000000000000000000", "5e-324", "1.7976931348623157e+308", "9007199254740993000"),
    *("4294967296", "2.5e-9", "-3.0000000000000004"),
)
YES = st.sampled_from([True])
ASSET = {SIGNATURE: "c44067f5952c0a294b673a41bacd8c17", "hash": "ab", "text": "<x>"}
ARCHIVE = {
    SIGNATURE: "0def7320c3a5731c473e5ecbe6d01bc7",
    "assets": {"a": ASSET},
    "hash": "cd",
}
INFINITE = {SIGNATURE: "8ad145fe-0d11-4827-bfd7-1abcbf086f5c", "value": "7ff0000000000000"}
PENDING = {"4dabf18193072939515e22adb298388e": "not the signature"}


@dataclass(frozen=True)
class Number:
    """A number as Go prints it."""

    text: str


@dataclass(frozen=True)
class Sealed:
    """A secret."""

    value: Any


def go(value: Any, *, html: bool = False, is_inside: bool = False) -> str:
    """Write a value as the real engine does; a way of its own to what `gojson` does."""
    match value:
        case Number():
            return value.text
        case Sealed():
            inner = go(value.value, html=True, is_inside=True)
            sealed = inner if is_inside else CRYPTER.encrypt(inner)
            return go({SIGNATURE: SECRET_SIGNATURE, "ciphertext": sealed}, html=html)
        case dict():
            parts = [
                f"{go(key, html=html)}:{go(item, html=html, is_inside=is_inside)}"
                for key, item in value.items()
            ]
            return "{" + ",".join(parts) + "}"
        case list():
            return "[" + ",".join(go(item, html=html, is_inside=is_inside) for item in value) + "]"
        case str():
            text = json.dumps(value, ensure_ascii=False)
            for character in "\u2028\u2029" + ("<>&" if html else ""):
                text = text.replace(character, f"\\u{ord(character):04x}")
            return text
        case _:
            return json.dumps(value)


def in_order(value: dict[str, Any]) -> dict[str, Any]:
    """Sort keys as Go sorts those of a map: by their bytes."""
    return {key: value[key] for key in sorted(value)}


texts = st.text(max_size=6) | st.sampled_from(
    [
        "",
        "<é&>",
        "\u2028\u2029",
        "\\u003c",
        UNKNOWN_TEXT,
        "a.b",
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
    ]
)
references = st.fixed_dictionaries(
    {
        SIGNATURE: st.just(REFERENCE_SIGNATURE),
        "packageVersion": st.sampled_from(["", "1.2.3"]),
        "urn": st.just("urn:pulumi:dev::demo::a:b:C::d"),
    },
    optional={"id": st.sampled_from(["i", ""])},
).map(in_order)
leaves = (
    st.none()
    | st.booleans()
    | st.sampled_from(NUMBERS).map(Number)
    | texts
    | references
    | st.sampled_from([ASSET, ARCHIVE, INFINITE, PENDING])
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(texts, inner, max_size=3).map(in_order)
        | inner.map(lambda value: value if isinstance(value, Sealed) else Sealed(value))
    ),
    max_leaves=6,
)
properties = st.dictionaries(texts, values, min_size=1, max_size=2).map(in_order)
names = st.lists(st.sampled_from(["urn:a", "urn:b"]), min_size=1, max_size=2)


@st.composite
def resources(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a resource with any of the keys that the real engine knows, in its order, and others."""
    optional = {
        "delete": YES,
        "id": st.sampled_from(["i", "j", UNKNOWN_TEXT]),
        "type": st.just("a:b:C"),
        "inputs": properties,
        "outputs": properties,
        "parent": st.just("urn:p"),
        "protect": YES,
        "taint": YES,
        "external": YES,
        "dependencies": names,
        "initErrors": st.lists(texts, min_size=1, max_size=2),
        "provider": st.just(f"urn:pulumi:dev::demo::pulumi:providers:a::p::{UNKNOWN_TEXT}"),
        "propertyDependencies": st.dictionaries(
            texts, st.none() | st.just([]) | names, min_size=1, max_size=2
        ).map(in_order),
        "pendingReplacement": YES,
        "additionalSecretOutputs": st.lists(texts, min_size=1, max_size=2),
        "aliases": names,
        "customTimeouts": st.just({"create": Number("90"), "delete": Number("0.5")}),
        "importID": st.just("x"),
        "retainOnDelete": YES,
        "deletedWith": st.just("urn:w"),
        "created": st.just("2026-01-01T00:00:00.5Z"),
        "modified": st.just("2026-01-01T00:00:00Z"),
        "sourcePosition": st.just("project:///a.py#1"),
        "stackTrace": st.just([{"sourcePosition": "project:///a.py#1"}, {}]),
        "ignoreChanges": st.lists(texts, min_size=1, max_size=2),
        "hideDiff": st.just([["a", Number("0")]]),
        "replaceOnChanges": st.lists(texts, min_size=1, max_size=2),
        "replacementTrigger": leaves.filter(lambda value: value is not None),
        "unknownToAll": leaves,
    }
    made: dict[str, Any] = {
        "urn": f"urn:pulumi:dev::demo::a:b:C::{draw(st.integers(0, 2))}",
        "custom": draw(st.booleans()),
    }
    for key, values_ in optional.items():
        if key == "type" or draw(st.booleans()):
            made[key] = draw(values_)
    return made


@st.composite
def deployments(draw: st.DrawFn) -> dict[str, Any]:
    """Draw what stands under `latest`."""
    made: dict[str, Any] = {
        "manifest": {"time": "2026-01-01T00:00:00Z", "magic": "m", "version": "3.260.0"},
        "secrets_providers": {"type": "passphrase", "state": {"salt": SALT}},
    }
    # Two generations of a resource differ in their ids.
    made["resources"] = draw(
        st.lists(
            resources(),
            min_size=1,
            max_size=3,
            unique_by=lambda item: (item["urn"], item.get("id", "")),
        )
    )
    if draw(st.booleans()):
        pending = {"urn": "urn:new", "custom": True, "type": "a:b:C", "inputs": draw(properties)}
        made["pending_operations"] = [{"resource": pending, "type": "creating", "other": None}]
    made["metadata"] = draw(st.sampled_from([{}, {"integrity_error": {"error": "e"}}, {"x": "<"}]))
    if draw(st.booleans()):
        made["extensions"] = {"a": {"b": Number("1.5")}}
    return made


@thorough
@given(deployments())
def test_whole_state_comes_back_byte_by_byte(deployment: dict[str, Any]) -> None:
    """Read, its secrets opened, and written: the same text, ciphertexts included."""
    text = go(deployment)
    document = gojson.loads(text)
    assert isinstance(document, dict)
    codec = StateCodec(lambda: CRYPTER)
    snapshot = checkpoint.read(document, codec)
    written = checkpoint.write(snapshot, codec, written_by=snapshot.manifest)
    assert gojson.dumps(written) == text
    # A second pair of eyes on the text itself.
    assert gojson.dumps(document) == text


@thorough
@given(deployments())
def test_exposed_state_says_the_same(deployment: dict[str, Any]) -> None:
    """What `--show-secrets` exports is read as the same values, and sealed again."""
    codec = StateCodec(lambda: CRYPTER)
    document = gojson.loads(go(deployment))
    assert isinstance(document, dict)
    snapshot = checkpoint.read(document, codec)
    exposed = gojson.dumps(checkpoint.write(snapshot, None, written_by=snapshot.manifest))
    assert ',"ciphertext":"v1:' not in exposed
    again = gojson.loads(exposed)
    assert isinstance(again, dict)
    back = checkpoint.read(again, StateCodec(lambda: CRYPTER))
    for one, other in zip(snapshot.resources, back.resources, strict=True):
        assert (one.inputs, one.outputs) == (other.inputs, other.outputs)
    # Sealed with what is known of the places it gives the ciphertexts that there were.
    resealed = checkpoint.write(back, codec, written_by=back.manifest)
    assert gojson.dumps(resealed) == gojson.dumps(document)


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_are_read_and_written_as_go_prints_them(number: str) -> None:
    """Whatever Go has printed stays what it is."""
    assert gojson.dumps(gojson.loads(number)) == number
