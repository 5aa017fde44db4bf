"""Which provider serves a resource: default by version, explicit, inherited, changed, disabled."""

from __future__ import annotations

import pytest
from engine_bench import Bench
from fake_provider import World
from pulumi import automation as auto

SPECIAL = 'special = pulumi.ProviderResource("fake", "special", {"region": "REGION"})\n'


def provider_of(bench: Bench, name: str) -> str:
    """Name the provider resource that a thing refers to."""
    return str(bench.resources()[name]["provider"]).rsplit("::", 2)[1]


@pytest.mark.parametrize(
    "options",
    [
        "provider=special",
        "parent=Group('c', Options(provider=special))",
        "parent=Group('c', Options(providers=[special]))",
        "parent=Group('c', Options(providers={'fake': special}))",
        "parent=Group('d', Options(parent=Group('c', Options(providers=[special]))))",
    ],
    ids=["own", "component", "list", "map", "grandparent"],
)
def test_provider_comes_from_the_options_or_the_parents(
    bench: Bench, world: World, options: str
) -> None:
    """An explicit provider serves its resource, or all that is in its component."""
    bench.program(SPECIAL + f'Thing("t", name="t", opts=Options({options}))')
    bench.stack().up()
    assert provider_of(bench, "t") == "special"
    assert [dict(inputs) for inputs in world.configured] == [{"region": "REGION"}]


def test_changed_configuration_of_a_provider_changes_no_resource(
    bench: Bench, world: World
) -> None:
    """The provider is updated and configured anew; its resources stay as they are."""
    program = SPECIAL + 'Thing("t", name="t", opts=Options(provider=special))'
    bench.program(program)
    stack = bench.stack()
    stack.up()
    world.configured.clear()
    bench.program(program.replace("REGION", "elsewhere"))
    assert stack.up().summary.resource_changes == {"same": 2, "update": 1}
    assert [dict(inputs) for inputs in world.configured] == [{"region": "elsewhere"}]
    stack.up(expect_no_changes=True)


def test_resource_that_gets_another_provider_stays(bench: Bench, world: World) -> None:
    """From the default to an explicit one and back; the provider nobody uses is deleted last."""
    bench.program('Thing("t", name="t")')
    stack = bench.stack()
    stack.up()
    bench.program(SPECIAL + 'Thing("t", name="t", opts=Options(provider=special))')
    stack.up()
    assert provider_of(bench, "t") == "special"
    types = [item["type"] for item in bench.latest()["resources"]]
    assert types.count("pulumi:providers:fake") == 1
    bench.program('Thing("t", name="t")')
    stack.up()
    assert provider_of(bench, "t") == "default"
    assert world.done("create") == ["t"]
    stack.destroy()
    assert bench.latest().get("resources", []) == []


def test_default_providers_are_told_apart_by_version(bench: Bench) -> None:
    """Each version that the program's packages ask for has a default provider of its own."""
    bench.program(
        """
        Thing("none", name="none")
        Thing("old", name="old", opts=Options(version="1.2.3"))
        Thing("new", name="new", opts=Options(version="2.0.0-beta.1"))
        """
    )
    stack = bench.stack()
    stack.up()
    assert provider_of(bench, "none") == "default"
    assert provider_of(bench, "old") == "default_1_2_3"
    assert provider_of(bench, "new") == "default_2_0_0_beta_1"
    stack.up(expect_no_changes=True)


def test_disabled_default_provider_is_an_error_with_its_resource(bench: Bench) -> None:
    """`pulumi:disable-default-providers` wants every resource to name its provider."""
    bench.program('Thing("t", name="t")')
    stack = bench.stack()
    stack.set_config("pulumi:disable-default-providers[0]", auto.ConfigValue("fake"), path=True)
    with pytest.raises(auto.CommandError, match="Default provider for 'fake' disabled") as caught:
        stack.up()
    assert "urn:pulumi:dev::demo::fake:index:Thing::t' must use an explicit" in str(caught.value)
    bench.program(SPECIAL + 'Thing("t", name="t", opts=Options(provider=special))')
    stack.up()


def test_provider_configured_by_an_output_is_unknown_in_the_preview(
    bench: Bench, world: World
) -> None:
    """What it serves is previewed without it."""
    bench.program(
        """
        made = Thing("made", name="made")
        special = pulumi.ProviderResource("fake", "special", {"region": made.url})
        Thing("t", name="t", opts=Options(provider=special))
        """
    )
    stack = bench.stack()
    assert stack.preview().change_summary == {auto.OpType.CREATE: 4}
    assert world.configured == [{}]
    stack.up()
    assert dict(world.configured[-1]) == {"region": "fake://fake:index:Thing/made"}
