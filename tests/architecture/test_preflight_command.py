"""A service can declare the command that is its pre-flight test."""

from __future__ import annotations

import pytest
from pydantic import JsonValue

from architecture.checks.testing import preflight_commands
from architecture.model import Architecture, DirectorSpec, Service, ServiceMapping
from architecture.preflight import declared_command


def service(declared: JsonValue) -> Service:
    """Make a service that declares a command."""
    return Service(name="cart", service_account="cart-sa", metadata={"preflight": declared})


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (None, ()),
        ("go test ./...", ("go", "test", "./...")),
        ("sh -c 'a b'", ("sh", "-c", "a b")),
        (["make", "pre flight"], ("make", "pre flight")),
    ],
)
def test_a_command_is_a_text_or_a_list_of_words(
    declared: JsonValue, words: tuple[str, ...]
) -> None:
    """Quotes are a shell's."""
    assert declared_command(service(declared)) == words


@pytest.mark.parametrize("declared", ["", "  ", [], [""], ["a", 1], 5, {"a": "b"}, "'", True])
def test_what_is_no_command_is_a_finding(declared: JsonValue) -> None:
    """At its place, before anything is run."""
    spec = DirectorSpec(
        **dict(service(declared)),
        command_topic=ServiceMapping(name="commands"),
        completion_topic=ServiceMapping(name="completions"),
    )
    arch = Architecture(name="shop", region="europe-west1", service_manager_spec=spec)
    (problem,) = preflight_commands(arch)
    assert problem.rule == "preflight-command"
    assert problem.where == ("service_manager_spec", "metadata", "preflight")
