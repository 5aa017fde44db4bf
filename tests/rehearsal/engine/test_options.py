"""Resource options and the flags that narrow an operation down."""

from __future__ import annotations

import pytest
from engine_bench import Bench, steps
from fake_provider import World
from pulumi import automation as auto

CHAIN = """
    first = Thing("first", name="first", size=SIZE)
    second = Thing("second", name="second", source=first.url, size=SIZE)
    Thing("third", name="third", size=SIZE)
"""


def urn(name: str) -> str:
    """Return the URN of a thing of the bench's stack."""
    return f"urn:pulumi:dev::demo::fake:index:Thing::{name}"


def brought_up(bench: Bench, program: str) -> auto.Stack:
    """Bring a program up."""
    bench.program(program)
    stack = bench.stack()
    stack.up()
    return stack


def test_ignored_changes_are_not_made(bench: Bench, world: World) -> None:
    """A property named in ignore_changes keeps its value, nested ones too."""
    program = """
        Thing("thing", name="thing", size=SIZE, labels={"a": SIZE, "b": SIZE},
              opts=Options(ignore_changes=["size", "labels.a"]))
    """
    stack = brought_up(bench, program.replace("SIZE", "1"))
    bench.program(program.replace("SIZE", "2"))
    stack.up()
    thing = world.things["fake:index:Thing/thing"]
    assert thing["size"] == 1
    assert thing["labels"] == {"a": 1, "b": 2}


def test_retained_resource_is_only_forgotten(bench: Bench, world: World) -> None:
    """retain_on_delete takes a resource out of the state and leaves it in the world."""
    stack = brought_up(bench, 'Thing("t", name="t", opts=Options(retain_on_delete=True))')
    assert stack.destroy().summary.resource_changes == {"delete": 2}
    assert world.things


def test_deleted_with_its_host(bench: Bench, world: World) -> None:
    """What goes with its host needs no deletion of its own."""
    stack = brought_up(
        bench,
        """
        host = Thing("host", name="host")
        Thing("guest", name="guest", opts=Options(deleted_with=host))
        """,
    )
    stack.destroy()
    assert world.done("delete") == ["host"]


def test_alias_keeps_a_renamed_resource(bench: Bench, world: World) -> None:
    """A resource that moves into a component and takes its child along is not made anew."""
    program = """
        old = Thing("old", name="thing")
        Thing("child", name="child", opts=Options(parent=old))
    """
    stack = brought_up(bench, program)
    bench.program(
        """
        group = Group("group")
        before = pulumi.Alias(name="old", parent=pulumi.ROOT_STACK_RESOURCE)
        new = Thing("new", name="thing",
                    opts=Options(parent=group, aliases=[before]))
        Thing("child", name="child", opts=Options(parent=new))
        """
    )
    result = stack.up()
    assert result.summary.resource_changes == {"create": 1, "same": 3}
    assert world.done("delete") == []
    resources = bench.resources()
    assert set(resources) == {"demo-dev", "group", "new", "child"}
    assert resources["child"]["parent"] == resources["new"]["urn"]
    assert stack.up().summary.resource_changes == {"same": 4}


def test_replace_on_changes_replaces(bench: Bench, world: World) -> None:
    """A change that would be an update replaces when the program asks for it."""
    program = """
        Thing("t", name="t", size=NUMBER, deleteFirst=True,
              opts=Options(replace_on_changes=["size"]))
    """
    stack = brought_up(bench, program.replace("NUMBER", "1"))
    bench.program(program.replace("NUMBER", "2"))
    assert stack.up().summary.resource_changes == {"replace": 1, "same": 1}


def test_replace_flag_replaces_one_resource(bench: Bench, world: World) -> None:
    """`--replace URN` makes a resource anew without a change in the program."""
    stack = brought_up(bench, 'Thing("t", name="t", deleteFirst=True)')
    assert stack.up(replace=[urn("t")]).summary.resource_changes == {"replace": 1, "same": 1}
    assert world.done("create") == ["t", "t"]


def test_delete_before_replace_option_wins(bench: Bench, world: World) -> None:
    """The program's choice of order comes before the provider's."""
    program = 'Thing("t", name="NAME", opts=Options(delete_before_replace=True))'
    stack = brought_up(bench, program.replace("NAME", "one"))
    world.calls.clear()
    bench.program(program.replace("NAME", "two"))
    stack.up()
    assert [call for call, _ in world.calls if call != "close"] == ["delete", "create"]


def test_import_takes_over_what_exists(bench: Bench, world: World) -> None:
    """An existing thing is adopted by its id, not created."""
    world.things["fake:index:Thing/there"] = {
        "name": "there",
        "id": "fake:index:Thing/there",
        "url": "fake://there",
    }
    program = """
        t = Thing("t", name="there", opts=Options(import_="fake:index:Thing/there"))
        pulumi.export("url", t.url)
    """
    bench.program(program)
    stack = bench.stack()
    result = stack.up()
    assert result.summary.resource_changes == {"create": 1, "import": 1}
    assert result.outputs["url"].value == "fake://there"
    assert world.done("create") == []
    assert stack.up().summary.resource_changes == {"same": 2}
    bench.program(program.replace("/there", "/nowhere").replace('"t",', '"u",'))
    with pytest.raises(auto.CommandError, match="resource 'fake:index:Thing/nowhere' does not"):
        stack.up()


def test_unknown_outputs_stay_unknown_in_a_preview(bench: Bench) -> None:
    """What depends on a resource that does not exist yet is shown as unknown."""
    bench.program(
        """
        first = Thing("first", name="first")
        Thing("second", name=first.url.apply(lambda url: url + "!"))
        pulumi.export("url", first.url)
        """
    )
    lines: list[str] = []
    result = bench.stack().preview(on_output=lines.append)
    assert result.change_summary == {auto.OpType.CREATE: 3}
    assert any("url: [unknown]" in line for line in lines)


def test_target_updates_only_what_it_names(bench: Bench, world: World) -> None:
    """`--target` leaves everything else as it is, and its dependents only if asked."""
    stack = brought_up(bench, CHAIN.replace("SIZE", "1"))
    bench.program(CHAIN.replace("SIZE", "2"))
    assert stack.up(target=[urn("first")]).summary.resource_changes == {"same": 3, "update": 1}
    bench.program(CHAIN.replace("SIZE", "3"))
    result = stack.up(target=[urn("first")], target_dependents=True)
    assert result.summary.resource_changes == {"same": 2, "update": 2}
    sizes = {name.rpartition("/")[2]: thing["size"] for name, thing in world.things.items()}
    assert sizes == {"first": 3, "second": 3, "third": 1}


def test_exclude_spares_what_it_names(bench: Bench, world: World) -> None:
    """An excluded resource survives a destroy together with what it needs."""
    brought_up(bench, CHAIN.replace("SIZE", "1"))
    # The Automation API has no argument for it; the command line has.
    words = ["destroy", "--yes", "--exclude", urn("second"), "--stack", "dev"]
    bench.engine.run(words, str(bench.root), bench.environ)
    assert set(bench.resources()) == {"demo-dev", "first", "second"}


def test_target_of_destroy_needs_its_dependents(bench: Bench) -> None:
    """Deleting what others need is refused unless they go too."""
    stack = brought_up(bench, CHAIN.replace("SIZE", "1"))
    with pytest.raises(auto.CommandError, match="was not specified in --target list"):
        stack.destroy(target=[urn("first")])
    stack.destroy(target=[urn("first")], target_dependents=True)
    assert set(bench.resources()) == {"demo-dev", "third"}


def test_new_resource_outside_the_target_is_not_made(bench: Bench) -> None:
    """A left-out creation is skipped, and whoever needs it is refused."""
    bench.program(CHAIN.replace("SIZE", "1"))
    stack = bench.stack()
    stack.up(target=[urn("third")])
    assert set(bench.resources()) == {"demo-dev", "third"}
    with pytest.raises(auto.CommandError, match="which was not specified in --target list"):
        stack.up(target=[urn("second")])


def test_unknown_target_is_refused(bench: Bench) -> None:
    """A target that no resource has is a mistake."""
    stack = brought_up(bench, CHAIN.replace("SIZE", "1"))
    with pytest.raises(auto.CommandError, match="could not be found in the stack"):
        stack.up(target=[urn("nobody")])
    with pytest.raises(auto.CommandError, match="no resource named"):
        stack.destroy(target=[urn("nobody")])


def test_expect_no_changes_fails_on_a_change(bench: Bench) -> None:
    """`--expect-no-changes` is quiet about `same` and fails on anything else."""
    stack = brought_up(bench, CHAIN.replace("SIZE", "1"))
    stack.up(expect_no_changes=True)
    bench.program(CHAIN.replace("SIZE", "2"))
    with pytest.raises(auto.CommandError, match="no changes were expected") as caught:
        stack.preview(expect_no_changes=True)
    assert "code: 7" in str(caught.value)


def test_preview_only_of_refresh_and_destroy_changes_nothing(bench: Bench, world: World) -> None:
    """Their previews tell the truth and write nothing."""
    stack = brought_up(bench, CHAIN.replace("SIZE", "1"))
    before = bench.checkpoint_file().read_bytes()
    world.things["fake:index:Thing/first"]["size"] = 7
    assert stack.preview_refresh().change_summary == {
        auto.OpType.SAME: 3,
        auto.OpType.UPDATE: 1,
    }
    assert stack.preview_destroy().change_summary == {auto.OpType.DELETE: 4}
    assert bench.checkpoint_file().read_bytes() == before
    assert len(world.things) == 3
    assert len(stack.history()) == 1


def test_children_inherit_protection_from_their_parent(bench: Bench) -> None:
    """Protect of a component holds for what is in it."""
    bench.program(
        """
        group = Group("group", opts=Options(protect=True))
        Thing("inner", name="inner", opts=Options(parent=group))
        """
    )
    events: list[auto.EngineEvent] = []
    bench.stack().up(on_event=events.append)
    assert bench.resources()["inner"]["protect"] is True
    assert ("create", "inner") in steps(events)
