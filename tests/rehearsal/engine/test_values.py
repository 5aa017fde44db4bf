"""Values on the wire, in the state and in Go's JSON; paths, names and keys."""

from __future__ import annotations

import json

import pytest
from engine_bench import SALT
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.engine import clock
from rehearsal.engine.configuration import stack_configuration
from rehearsal.engine.errors import CommandFailedError, DeploymentError
from rehearsal.engine.planner import goals
from rehearsal.engine.provider import UNKNOWN
from rehearsal.engine.secrets import codec
from rehearsal.engine.secrets.passphrase import unlock
from rehearsal.engine.values import gojson, paths, urns, wire
from rehearsal.engine.values.property_values import (
    EngineValue,
    ResourceReference,
    Secret,
    has_secrets,
    has_unknowns,
    mark_secrets,
    plain,
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(-(2.0**53), 2.0**53)
    | st.text()
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        | inner.map(lambda value: value if isinstance(value, Secret) else Secret(value))
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), values, max_size=4))
def test_values_survive_the_wire(properties: dict[str, EngineValue]) -> None:
    """What a program sends is what it gets back."""
    assert wire.decode(wire.encode(properties)) == properties


@given(st.dictionaries(st.text(max_size=5), values, max_size=4))
def test_no_secret_shows_in_an_event(properties: dict[str, EngineValue]) -> None:
    """Blinding leaves the shape and takes the secrets."""
    blinded = codec.blind({"s": Secret("p4ssw0rd!"), **{f"x{k}": v for k, v in properties.items()}})
    assert "p4ssw0rd!" not in json.dumps(blinded)


def test_unknowns_and_references_survive_the_wire() -> None:
    """Unknown outputs and resources as values keep their meaning."""
    properties: dict[str, EngineValue] = {
        "unknown": [UNKNOWN],
        "component": ResourceReference("urn:a"),
        "resource": ResourceReference("urn:b", "id", "1.0.0"),
        "previewed": ResourceReference("urn:c", UNKNOWN),
    }
    assert wire.decode(wire.encode(properties)) == properties
    assert has_unknowns(properties)
    assert plain(properties) == {
        "unknown": [UNKNOWN],
        "component": "urn:a",
        "resource": "id",
        "previewed": UNKNOWN,
    }


def test_secrets_are_marked_again_by_the_inputs_they_came_from() -> None:
    """Objects are compared key by key, anything else as a whole."""
    asked: dict[str, EngineValue] = {
        "token": Secret("a"),
        "nested": {"open": 1, "hidden": Secret(2)},
        "items": [1, Secret(2)],
        "open": 3,
    }
    marked = mark_secrets(
        {"token": "a", "nested": {"open": 1, "hidden": 2}, "items": [1, 2], "open": 3, "new": 4},
        asked,
    )
    assert marked == {
        "token": Secret("a"),
        "nested": {"open": 1, "hidden": Secret(2)},
        "items": Secret([1, 2]),
        "open": 3,
        "new": 4,
    }
    assert not has_secrets(marked["open"])


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (3, "3"),
        (2.5, "2.5"),
        (1e-7, "1e-7"),
        (0.000001, "0.000001"),
        (1.5e300, "1.5e+300"),
        (1e21, "1e+21"),
        (-0.0, "-0"),
        (wire.whole(123456789012345680000.0), "123456789012345680000"),
    ],
)
def test_numbers_are_written_as_go_does(number: float, text: str) -> None:
    """Both engines must write the same state."""
    assert gojson.dumps(number) == text


@given(st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_is_json(value: gojson.Json) -> None:
    """Whatever is written can be read, in every form."""
    for text in (
        gojson.dumps(value),
        gojson.dumps(value, indent=2),
        gojson.dumps(value, html=True),
    ):
        assert json.loads(text) == value


def test_line_separators_and_html_are_escaped_as_go_does() -> None:
    """The outer file keeps angle brackets, the text inside a secret does not."""
    assert gojson.dumps("<\u2028>") == '"<\\u2028>"'
    assert gojson.dumps("<&>", html=True) == '"\\u003c\\u0026\\u003e"'


def test_ciphertext_stays_while_the_value_does() -> None:
    """A state file does not churn; equal secrets do not look equal."""
    crypter = unlock(SALT, "x")
    state = codec.StateCodec(lambda: crypter)
    first = state.write("urn.outputs", {"a": Secret("v"), "b": Secret("v")})
    assert first["a"] != first["b"]
    assert state.write("urn.outputs", {"a": Secret("v"), "b": Secret("w")})["a"] == first["a"]
    again = codec.StateCodec(lambda: crypter)
    assert again.write("urn.outputs", again.read("urn.outputs", first)) == first


def test_nested_secrets_are_encrypted_once() -> None:
    """A secret inside a secret keeps its mark."""
    crypter = unlock(SALT, "x")
    state = codec.StateCodec(lambda: crypter)
    value: dict[str, EngineValue] = {"a": Secret({"b": Secret("c"), "d": "<"})}
    assert state.read("w", state.write("w", value)) == value


def test_paths_reset_what_they_name() -> None:
    """Ignored paths reach into objects and lists and never make containers."""
    news: dict[str, EngineValue] = {"a": {"b": [1, 2], "c": 3}, "d": 4, "l": [{"x": 1}, {"x": 2}]}
    olds: dict[str, EngineValue] = {"a": {"b": [8, 9]}, "l": [{"x": 7}, {"x": 8}], "e": 5}
    found, missing = paths.reset(news, olds, ["a.b[0]", "a.c", "d", "l[*].x", "e", "z.y"])
    assert found == {"a": {"b": [8, 2]}, "l": [{"x": 7}, {"x": 8}], "e": 5}
    assert missing == []
    assert paths.reset(news, olds, ["a.c.d"])[1] == ["a.c.d"]
    assert paths.touches("l[*].x", "l[1].x")
    assert not paths.touches("l[*].x", "l[1].y")


def test_urns_are_composed_like_the_real_ones() -> None:
    """The root stack adds nothing, other parents add their types."""
    root = urns.make("dev", "demo", urns.ROOT_TYPE, "demo-dev")
    group = urns.make("dev", "demo", "a:b:Group", "g", root)
    thing = urns.make("dev", "demo", "a:b:Thing", "t::x", group)
    assert thing == "urn:pulumi:dev::demo::a:b:Group$a:b:Thing::t::x"
    assert str(urns.parse(thing)) == thing
    assert urns.parse(thing).name == "t::x"
    with pytest.raises(ValueError, match="is not a URN"):
        urns.parse("urn:other")


def test_durations_and_times_are_go_s() -> None:
    """Timeouts come as Go writes durations; times lose their trailing zeros."""
    assert goals.seconds("1h30m") == 5400
    assert goals.seconds("") == 0
    assert goals.seconds("500ms") == 0.5
    with pytest.raises(DeploymentError, match="unable to parse"):
        goals.seconds("soon")
    assert clock.rfc3339(1_000_000_000_500_000_000) == "2001-09-09T01:46:40.5Z"
    assert clock.rfc3339(1_000_000_000_000_000_000) == "2001-09-09T01:46:40Z"
    assert clock.milliseconds(1_000_000_000) == "2001-09-09T01:46:40.000Z"


def test_config_paths_are_parsed() -> None:
    """Dots, indices and quoted keys; anything else is refused."""
    assert stack_configuration.parse_path('a.b[0]["c.d"]') == ["a", "b", 0, "c.d"]
    assert [stack_configuration.coerced(text) for text in ("true", "07", "7", "x")] == [
        True,
        "07",
        7,
        "x",
    ]
    with pytest.raises(CommandFailedError, match="invalid config key path"):
        stack_configuration.parse_path("a[b")
