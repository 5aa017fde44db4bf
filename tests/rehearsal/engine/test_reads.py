"""What a stack only looks at: read resources, other stacks' outputs, data functions."""

from __future__ import annotations

import pytest
from engine_bench import Bench, steps
from fake_provider import World
from pulumi import automation as auto

ID = "fake:index:Thing/there"
GET = f"""
there = Thing("there", opts=Options(id="{ID}"))
pulumi.export("url", there.url)
"""


@pytest.fixture
def there(world: World) -> World:
    """A world with one thing that this stack has not made."""
    world.things[ID] = {"name": "there", "id": ID, "url": "fake://there"}
    return world


def test_read_resource_is_recorded_as_external(bench: Bench, there: World) -> None:
    """Its outputs are there in previews, too; it is never changed, and never deleted."""
    bench.program(GET)
    stack = bench.stack()
    assert stack.preview().change_summary == {auto.OpType.CREATE: 1}
    result = stack.up()
    assert result.outputs["url"].value == "fake://there"
    assert result.summary.resource_changes == {"create": 1}
    assert bench.resources()["there"]["external"] is True
    assert stack.up(expect_no_changes=True).summary.resource_changes == {"same": 1}
    there.things[ID]["url"] = "fake://elsewhere"
    assert stack.up().summary.resource_changes == {"read": 1, "same": 1}
    there.things[ID]["url"] = "fake://again"
    assert stack.refresh().summary.resource_changes == {"same": 1, "update": 1}
    events: list[auto.EngineEvent] = []
    stack.destroy(on_event=events.append)
    assert ("discard", "there") in steps(events)
    assert there.done("delete") == []
    assert bench.resources() == {}


def test_read_resource_that_is_not_there_is_an_error(bench: Bench, world: World) -> None:
    """Reading what does not exist fails, in a preview as well; a refresh forgets it."""
    bench.program(GET)
    stack = bench.stack()
    for operation in (stack.preview, stack.up):
        with pytest.raises(auto.CommandError, match=f"resource '{ID}' does not exist"):
            operation()
    world.things[ID] = {"name": "there", "id": ID, "url": "fake://there"}
    stack.up()
    world.things.pop(ID)
    assert stack.refresh().summary.resource_changes == {"delete": 1, "same": 1}


def test_read_resource_may_have_children(bench: Bench, there: World) -> None:
    """It is a parent, and something to depend on, as any other."""
    bench.program(
        GET + 'Thing("child", name="child", source=there.url, opts=Options(parent=there))'
    )
    bench.stack().up()
    resources = bench.resources()
    assert resources["child"]["parent"] == resources["there"]["urn"]
    assert resources["child"]["dependencies"] == [resources["there"]["urn"]]


def test_id_that_is_not_known_yet_is_read_in_the_update(bench: Bench, world: World) -> None:
    """In the preview nothing is asked of the provider, and the outputs are unknown."""
    bench.program(
        """
        made = Thing("made", name="made")
        again = Thing("again", opts=Options(id=made.id))
        pulumi.export("url", again.url)
        """
    )
    stack = bench.stack()
    stack.preview()
    assert world.done("read") == []
    assert stack.up().outputs["url"].value == "fake://fake:index:Thing/made"


def test_managed_resource_that_is_only_read_from_now_on(bench: Bench, there: World) -> None:
    """The same thing is let go of; another one under the name is deleted."""
    bench.program('there = Thing("there", name="mine")')
    stack = bench.stack()
    stack.up()
    bench.program(GET)
    events: list[auto.EngineEvent] = []
    stack.up(on_event=events.append)
    assert steps(events)[1:] == [
        ("read-replacement", "there"),
        ("replace", "there"),
        ("delete-replaced", "there"),
    ]
    assert set(there.things) == {ID}
    bench.program('there = Thing("there", name="mine")')
    events.clear()
    stack.up(on_event=events.append)
    assert ("discard-replaced", "there") in steps(events)
    assert set(there.things) == {ID, "fake:index:Thing/mine"}
    bench.program(GET.replace(ID, "fake:index:Thing/mine"))
    stack.up()
    assert there.done("delete") == ["there"]
    assert bench.resources()["there"]["external"] is True


REFERENCE = """
other = pulumi.StackReference("{name}")
pulumi.export("plain", other.get_output("plain"))
pulumi.export("key", other.get_output("key"))
pulumi.export("absent", other.get_output("absent"))
pulumi.export("details", other.get_output_details("key").secret_value)
"""


@pytest.mark.parametrize("name", ["base", "organization/base", "organization/demo/base"])
def test_stack_reference_by_every_form_of_name(bench: Bench, name: str) -> None:
    """Outputs come with their types and secrecy; what is not there is None."""
    bench.program(
        'pulumi.export("plain", {"a": [1, 2.5]}); pulumi.export("key", pulumi.Output.secret("s"))'
    )
    bench.stack("base").up()
    bench.program(
        REFERENCE.format(name=name).replace(
            'get_output_details("key").secret_value', 'get_output("plain")'
        )
    )
    stack = bench.stack()
    stack.preview()
    outputs = stack.up().outputs
    assert outputs["plain"].value == {"a": [1, 2.5]}
    assert (outputs["key"].value, outputs["key"].secret) == ("s", True)
    assert "absent" not in outputs or outputs["absent"].value is None
    bench.program(f'pulumi.export("x", pulumi.StackReference("{name}").require_output("absent"))')
    with pytest.raises(auto.errors.RuntimeError, match="absent"):
        stack.up()


def test_stack_reference_to_nowhere_is_named(bench: Bench) -> None:
    """A stack that does not exist is an error with its name, in a preview as well."""
    bench.program('pulumi.StackReference("nowhere")')
    stack = bench.stack()
    for operation in (stack.preview, stack.up):
        with pytest.raises(auto.CommandError, match='unknown stack "nowhere"'):
            operation()


def test_details_of_a_stack_reference(bench: Bench) -> None:
    """`get_output_details` tells a secret from a plain value."""
    bench.program('pulumi.export("plain", 1); pulumi.export("key", pulumi.Output.secret("s"))')
    bench.stack("base").up()
    bench.program(
        """
        import asyncio
        other = pulumi.StackReference("base")
        async def told():
            plain = await other.get_output_details("plain")
            key = await other.get_output_details("key")
            return [plain.value, plain.secret_value, key.value, key.secret_value]
        pulumi.export("told", pulumi.Output.from_input(told()))
        """
    )
    assert bench.stack().up().outputs["told"].value == [1, None, None, "s"]


def test_data_function_with_arguments_that_are_not_known_yet(bench: Bench, world: World) -> None:
    """In the preview it is not called, its result is unknown; the update calls it."""
    bench.program(
        """
        thing = Thing("thing", name="thing")
        args = {"url": thing.url, "key": pulumi.Output.secret("s")}
        echo = pulumi.runtime.invoke_output("fake:index:echo", args)
        pulumi.export("echo", echo)
        Thing("user", name="user", source=echo.apply(lambda answer: answer["token"]))
        late = pulumi.InvokeOutputOptions(depends_on=[thing])
        pulumi.export("late", pulumi.runtime.invoke_output("fake:index:late", {}, late))
        """
    )
    stack = bench.stack()
    assert stack.preview().change_summary == {auto.OpType.CREATE: 3}
    outputs = stack.up().outputs
    assert outputs["echo"].value["echo"]["url"] == "fake://fake:index:Thing/thing"
    assert outputs["echo"].secret
    assert outputs["late"].value["token"] == "fake:index:late"


def test_data_function_uses_the_provider_it_is_given(bench: Bench, world: World) -> None:
    """By option, or from its parent."""
    bench.program(
        """
        special = pulumi.ProviderResource("fake", "special", {"region": "x"})
        group = Group("group", opts=Options(providers=[special]))
        by_option = pulumi.InvokeOptions(provider=special)
        by_parent = pulumi.InvokeOptions(parent=group)
        for options in (by_option, by_parent):
            pulumi.runtime.invoke("fake:index:echo", {}, options)
        """
    )
    bench.stack().up()
    assert [dict(inputs) for inputs in world.configured] == [{"region": "x"}]
