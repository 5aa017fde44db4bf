"""A stack's life through the real Automation API: preview, up, refresh, destroy, remove."""

from __future__ import annotations

import pytest
from engine_bench import Bench, steps
from fake_provider import World
from pulumi import automation as auto

TWO_THINGS = """
    first = Thing("first", name="first", size=2)
    second = Thing("second", name="second", source=first.url)
    pulumi.export("url", second.url)
    pulumi.export("numbers", [1, 2.5, None, True])
    pulumi.export("token", config.get_secret("token"))
"""


def test_preview_says_what_up_does(bench: Bench, world: World) -> None:
    """A preview counts the creations and makes none of them."""
    bench.program(TWO_THINGS)
    result = bench.stack().preview()
    assert result.change_summary == {auto.OpType.CREATE: 3}
    assert not world.things


def test_up_creates_in_order_of_dependency(bench: Bench, world: World) -> None:
    """What is used comes before what uses it, and a second up changes nothing."""
    bench.program(TWO_THINGS)
    stack = bench.stack()
    first = stack.up()
    assert first.summary.resource_changes == {"create": 3}
    assert world.done("create") == ["first", "second"]
    assert stack.up().summary.resource_changes == {"same": 3}


def test_outputs_come_back_with_their_types_and_secrecy(bench: Bench) -> None:
    """Outputs keep numbers, nulls and the mark of a secret."""
    bench.program(TWO_THINGS)
    stack = bench.stack()
    stack.set_config("token", auto.ConfigValue("s3cret", secret=True))
    outputs = stack.up().outputs
    assert outputs["numbers"].value == [1, 2.5, None, True]
    assert outputs["token"].value == "s3cret"
    assert outputs["token"].secret
    assert not outputs["url"].secret
    assert "s3cret" not in bench.checkpoint_file().read_text()


def test_secret_input_makes_the_output_of_its_name_secret(bench: Bench) -> None:
    """A provider sees plain text; state and events do not."""
    bench.program(
        """
        thing = Thing("thing", name="thing", token=config.require_secret("token"),
                      opts=Options(additional_secret_outputs=["url"]))
        pulumi.export("url", thing.url)
        """
    )
    stack = bench.stack()
    stack.set_config("token", auto.ConfigValue("s3cret", secret=True))
    events: list[auto.EngineEvent] = []
    result = stack.up(on_event=events.append)
    thing = bench.resources()["thing"]
    assert "ciphertext" in thing["inputs"]["token"]
    assert "ciphertext" in thing["outputs"]["token"]
    assert result.outputs["url"].secret
    assert "s3cret" not in str([vars(event) for event in events])
    before = thing["outputs"]["token"]["ciphertext"]
    stack.up()
    assert bench.resources()["thing"]["outputs"]["token"]["ciphertext"] == before


def test_changed_input_updates_in_place(bench: Bench, world: World) -> None:
    """A change that needs no replacement keeps the resource."""
    bench.program('Thing("thing", name="thing", size=1)')
    stack = bench.stack()
    stack.up()
    bench.program('Thing("thing", name="thing", size=2)')
    assert stack.preview().change_summary == {auto.OpType.UPDATE: 1, auto.OpType.SAME: 1}
    stack.up()
    assert world.done("create") == ["thing"]
    assert world.things["fake:index:Thing/thing"]["size"] == 2


def test_replacement_is_created_before_the_old_one_goes(bench: Bench, world: World) -> None:
    """Users move to the replacement before the old resource is deleted."""
    bench.program(TWO_THINGS)
    stack = bench.stack()
    stack.up()
    world.calls.clear()
    bench.program(TWO_THINGS.replace('name="first"', 'name="renamed"'))
    result = stack.up()
    assert result.summary.resource_changes == {"replace": 1, "update": 1, "same": 1}
    assert [call for call in world.calls if call[0] != "close"] == [
        ("create", "first"),
        ("update", "second"),
        ("delete", "first"),
    ]
    assert [item["urn"] for item in bench.latest()["resources"] if item.get("delete")] == []


def test_delete_before_replace_takes_its_dependents_along(bench: Bench, world: World) -> None:
    """A resource whose name depends on one that must go first is made anew after it."""
    program = """
        first = Thing("first", name="NAME", deleteFirst=True)
        Thing("second", name=first.url)
    """
    bench.program(program.replace("NAME", "one"))
    stack = bench.stack()
    stack.up()
    world.calls.clear()
    bench.program(program.replace("NAME", "two"))
    events: list[auto.EngineEvent] = []
    result = stack.up(on_event=events.append)
    assert result.summary.resource_changes == {"replace": 2, "same": 1}
    assert steps(events)[1:] == [
        ("delete-replaced", "second"),
        ("delete-replaced", "first"),
        ("replace", "first"),
        ("create-replacement", "first"),
        ("replace", "second"),
        ("create-replacement", "second"),
    ]
    assert stack.preview().change_summary == {auto.OpType.SAME: 3}


def test_removed_resources_are_deleted_dependents_first(bench: Bench, world: World) -> None:
    """What the program no longer mentions goes, in reverse order of creation."""
    bench.program(TWO_THINGS)
    stack = bench.stack()
    stack.up()
    bench.program("")
    assert stack.up().summary.resource_changes == {"delete": 2, "same": 1}
    assert world.done("delete") == ["second", "first"]


def test_refresh_takes_over_what_changed_outside(bench: Bench, world: World) -> None:
    """A refresh records drift and disappearances, and changes nothing."""
    bench.program(TWO_THINGS)
    stack = bench.stack()
    stack.up()
    world.things["fake:index:Thing/first"]["size"] = 7
    del world.things["fake:index:Thing/second"]
    result = stack.refresh()
    assert result.summary.resource_changes == {"delete": 1, "same": 1, "update": 1}
    assert bench.resources()["first"]["inputs"]["size"] == 7
    assert "second" not in bench.resources()
    assert stack.up().summary.resource_changes == {"create": 1, "same": 1, "update": 1}


def test_up_with_refresh_repairs_drift(bench: Bench, world: World) -> None:
    """`up --refresh` notices what is gone and makes it again, uncounted in the refresh."""
    bench.program(TWO_THINGS)
    stack = bench.stack()
    stack.up()
    del world.things["fake:index:Thing/second"]
    assert stack.up(refresh=True).summary.resource_changes == {"create": 1, "same": 2}


def test_destroy_leaves_nothing(bench: Bench, world: World) -> None:
    """A destroyed stack is empty, keeps its history and can be removed."""
    bench.program(TWO_THINGS)
    stack = bench.stack()
    stack.up()
    result = stack.destroy()
    assert result.summary.kind == "destroy"
    assert result.summary.resource_changes == {"delete": 3}
    assert not world.things
    assert "resources" not in bench.latest()
    assert [entry.kind for entry in stack.history()] == ["destroy", "update"]
    stack.workspace.remove_stack("dev")
    assert stack.workspace.list_stacks() == []


def test_components_hold_their_children(bench: Bench) -> None:
    """A child's URN and parent name its component; the component's outputs are recorded."""
    bench.program(
        """
        group = Group("group", size=1)
        thing = Thing("thing", name="thing", opts=Options(parent=group))
        group.register_outputs({"url": thing.url})
        """
    )
    bench.stack().up()
    resources = bench.resources()
    assert resources["thing"]["parent"] == resources["group"]["urn"]
    assert "test:index:Group$fake:index:Thing" in resources["thing"]["urn"]
    assert resources["group"]["outputs"] == {"url": "fake://fake:index:Thing/thing"}


def test_stack_reference_reads_another_stack(bench: Bench) -> None:
    """Outputs pass from stack to stack, secrets as secrets; an unknown stack is an error."""
    bench.program(
        """
        if pulumi.get_stack() == "upstream":
            pulumi.export("open", {"a": [1]})
            pulumi.export("hidden", pulumi.Output.secret("s3cret"))
        else:
            up = pulumi.StackReference(config.require("upstream"))
            pulumi.export("open", up.require_output("open"))
            pulumi.export("hidden", up.get_output("hidden"))
        """
    )
    bench.stack("upstream").up()
    stack = bench.stack("downstream")
    stack.set_config("upstream", auto.ConfigValue("organization/demo/upstream"))
    assert stack.preview().change_summary == {auto.OpType.CREATE: 1}
    outputs = stack.up().outputs
    assert outputs["open"].value == {"a": [1]}
    assert outputs["hidden"].secret
    assert outputs["hidden"].value == "s3cret"
    stack.set_config("upstream", auto.ConfigValue("organization/demo/nowhere"))
    with pytest.raises(auto.CommandError, match='unknown stack "organization/demo/nowhere"'):
        stack.up()


def test_invoke_reaches_the_provider(bench: Bench) -> None:
    """A data function answers, and its failure is the program's."""
    bench.program(
        """
        answer = pulumi.runtime.invoke("fake:index:echo", {"a": 1})
        pulumi.export("echo", answer.value["echo"])
        """
    )
    assert bench.stack().up().outputs["echo"].value == {"a": 1}


def test_default_provider_gets_the_configuration_of_its_package(bench: Bench, world: World) -> None:
    """Configuration comes from the stack's file, credentials from the environment."""
    bench.program('Thing("thing", name="thing")')
    bench.environ["FAKE_TOKEN"] = "volatile"
    stack = bench.stack()
    stack.set_config("fake:region", auto.ConfigValue("europe-west1"))
    stack.up()
    assert world.configured[-1] == {"region": "europe-west1"}
    assert world.environs[-1]["FAKE_TOKEN"] == "volatile"
    assert "volatile" not in bench.checkpoint_file().read_text()


def test_explicit_provider_serves_the_resources_that_name_it(bench: Bench, world: World) -> None:
    """A provider declared by the program is configured as it says."""
    bench.program(
        """
        class Provider(pulumi.ProviderResource):
            def __init__(self, name, **props):
                super().__init__("fake", name, props)
        special = Provider("special", region="mars")
        Thing("thing", name="thing", opts=Options(provider=special))
        """
    )
    stack = bench.stack()
    assert stack.up().summary.resource_changes == {"create": 3}
    assert world.configured == [{"region": "mars"}]
    assert "::special::" in bench.resources()["thing"]["provider"]
    stack.destroy()
    assert not world.things
