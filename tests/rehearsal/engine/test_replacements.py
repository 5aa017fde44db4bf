"""Options that decide whether, how and with whom a resource is replaced or deleted."""

from __future__ import annotations

import pytest
from engine_bench import Bench, steps
from fake_provider import World
from pulumi import automation as auto


def up(bench: Bench, program: str) -> list[tuple[str, str]]:
    """Bring a program up; return the steps on things."""
    bench.program(program)
    events: list[auto.EngineEvent] = []
    bench.stack().up(on_event=events.append)
    return [(op, name) for op, name in steps(events) if name != "demo-dev"]


@pytest.mark.parametrize("first", [False, True], ids=["create-first", "delete-first"])
def test_protection_that_is_lifted_no_longer_hinders(
    bench: Bench, world: World, *, first: bool
) -> None:
    """What was protected is replaced by a program that no longer protects it."""
    program = f'Thing("t", name="NAME", opts=Options(protect=KEEP, delete_before_replace={first}))'
    up(bench, program.replace("NAME", "one").replace("KEEP", "True"))
    with pytest.raises(auto.CommandError, match="currently marked for protection"):
        up(bench, program.replace("NAME", "two").replace("KEEP", "True"))
    assert set(world.things) == {"fake:index:Thing/one"}
    up(bench, program.replace("NAME", "two").replace("KEEP", "False"))
    assert set(world.things) == {"fake:index:Thing/two"}


def test_protected_dependent_hinders_a_deletion_before(bench: Bench, world: World) -> None:
    """A replacement that would take a protected resource along is refused, and begins nothing."""
    program = """
        base = Thing("base", name="NAME", deleteFirst=True)
        user = base.name.apply(lambda name: name + "-user")
        Thing("user", name=user, opts=Options(protect=True))
    """
    up(bench, program.replace("NAME", "one"))
    with pytest.raises(auto.CommandError, match="because it is protected"):
        up(bench, program.replace("NAME", "two"))
    assert world.done("delete") == []
    assert set(bench.resources()) == {"demo-dev", "base", "user"}


def test_retained_resource_is_left_behind_by_its_replacement(bench: Bench, world: World) -> None:
    """retain_on_delete holds for a replaced resource, too."""
    program = 'Thing("t", name="NAME", opts=Options(retain_on_delete=True))'
    up(bench, program.replace("NAME", "one"))
    taken = up(bench, program.replace("NAME", "two"))
    assert taken == [("create-replacement", "t"), ("replace", "t"), ("delete-replaced", "t")]
    assert world.done("delete") == []
    assert set(world.things) == {"fake:index:Thing/one", "fake:index:Thing/two"}


@pytest.mark.parametrize("first", [False, True], ids=["create-first", "delete-first"])
def test_guest_is_replaced_with_its_host(bench: Bench, world: World, *, first: bool) -> None:
    """What is deleted with another one is made anew when that is, without a deletion of its own."""
    program = f"""
        host = Thing("host", name="NAME", deleteFirst={first})
        Thing("guest", size=1, opts=Options(deleted_with=host))
    """
    up(bench, program.replace("NAME", "one"))
    taken = up(bench, program.replace("NAME", "two"))
    assert ("create-replacement", "guest") in taken
    assert ("delete-replaced", "guest") in taken
    assert world.done("delete") == ["host"]
    bench.stack().up(expect_no_changes=True)


def test_cascade_follows_what_would_be_replaced(bench: Bench, world: World) -> None:
    """Dependents that a change would replace go first and come back; the others are updated."""
    program = """
        base = Thing("base", name="NAME", deleteFirst=True)
        named = Thing("named", name=base.name.apply(lambda name: name + "-named"))
        Thing("deeper", name=named.name.apply(lambda name: name + "-deeper"))
        Thing("sized", name="sized", size=base.name)
        Thing("free", name="free")
    """
    up(bench, program.replace("NAME", "one"))
    world.calls.clear()
    taken = up(bench, program.replace("NAME", "two"))
    assert world.done("delete") == ["deeper", "named", "base"]
    assert world.done("create") == ["base", "named", "deeper"]
    assert world.done("update") == ["sized"]
    assert ("same", "free") in taken
    assert not any(item.get("pendingReplacement") for item in bench.resources().values())


def test_import_replaces_what_was_there(bench: Bench, world: World) -> None:
    """A resource that is to be another one from now on takes that over; the old one is deleted."""
    up(bench, 'Thing("t", name="mine")')
    there = "fake:index:Thing/there"
    world.things[there] = {"name": "there", "size": 1, "id": there, "url": "fake://there"}
    program = f'Thing("t", name="there", size=SIZE, opts=Options(import_="{there}"))'
    taken = up(bench, program.replace("SIZE", "2"))
    assert taken == [
        ("import-replacement", "t"),
        ("replace", "t"),
        ("update", "t"),
        ("delete-replaced", "t"),
    ]
    assert set(world.things) == {there}
    assert world.things[there]["size"] == 2
    bench.stack().up(expect_no_changes=True)


@pytest.mark.parametrize(
    ("ignored", "expected"),
    [
        ('["labels"]', {"a": {"x": 1}, "b": {"x": 1}}),
        ('["labels.a"]', {"a": {"x": 1}, "b": {"x": 2}}),
        ("['labels[\"a\"].x']", {"a": {"x": 1}, "b": {"x": 2}}),
        ('["labels[*].x"]', {"a": {"x": 1}, "b": {"x": 1}}),
        ('["*"]', {"a": {"x": 1}, "b": {"x": 1}}),
        ('["labels.c.x"]', {"a": {"x": 2}, "b": {"x": 2}}),
        ('["nothing"]', {"a": {"x": 2}, "b": {"x": 2}}),
    ],
)
def test_ignored_paths(bench: Bench, world: World, ignored: str, expected: object) -> None:
    """Nested, quoted, wild and missing paths each keep what they name, and nothing else."""
    program = f"""
        Thing("t", name="t", labels={{"a": {{"x": SIZE}}, "b": {{"x": SIZE}}}},
              opts=Options(ignore_changes={ignored}))
    """
    up(bench, program.replace("SIZE", "1"))
    up(bench, program.replace("SIZE", "2"))
    assert world.things["fake:index:Thing/t"]["labels"] == expected


def test_ignored_element_that_comes_or_goes_is_told(bench: Bench, world: World) -> None:
    """An element that only one of both has cannot be ignored; that is said, and it is done."""
    program = 'Thing("t", name="t", items=ITEMS, opts=Options(ignore_changes=["items[1]"]))'
    up(bench, program.replace("ITEMS", "[1]"))
    bench.program(program.replace("ITEMS", "[1, 2]"))
    lines: list[str] = []
    bench.stack().up(on_output=lines.append)
    assert "cannot ignore changes in added or removed elements" in "\n".join(lines)
    assert world.things["fake:index:Thing/t"]["items"] == [1, 2]


@pytest.mark.parametrize("late", [False, True], ids=["from-the-start", "later"])
def test_additional_secret_outputs_are_encrypted(bench: Bench, *, late: bool) -> None:
    """An output that the program declares secret is so in state, events and stack outputs."""
    program = 't = Thing("t", name="t", opts=Options(OPTION)); pulumi.export("url", t.url)'
    option = 'additional_secret_outputs=["url", "id"]'
    if late:
        up(bench, program.replace("OPTION", ""))
    bench.program(program.replace("OPTION", option))
    events: list[auto.EngineEvent] = []
    result = bench.stack().up(on_event=events.append)
    assert result.outputs["url"].secret
    recorded = bench.resources()["t"]
    assert "ciphertext" in recorded["outputs"]["url"]
    assert recorded["additionalSecretOutputs"] == ["url", "id"]
    assert recorded["id"] == "fake:index:Thing/t"
    assert "fake://" not in "".join(
        str(event.res_outputs_event.metadata.new)
        for event in events
        if event.res_outputs_event and "demo-dev" not in event.res_outputs_event.metadata.urn
    )


def test_taint_replaces(bench: Bench, world: World) -> None:
    """A resource that is marked as tainted in the state is made anew."""
    program = 'Thing("t", name="t", deleteFirst=True)'
    up(bench, program)
    file = bench.checkpoint_file()
    file.write_text(
        file.read_text().replace(
            '"custom":true,"id":"fake', '"custom":true,"taint":true,"id":"fake'
        )
    )
    assert ("replace", "t") in up(bench, program)
    assert "taint" not in bench.resources()["t"]
