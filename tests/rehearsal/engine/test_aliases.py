"""Aliases of every form: a resource that moves or is renamed is the same one afterwards."""

from __future__ import annotations

import pytest
from engine_bench import Bench
from fake_provider import World
from pulumi import automation as auto

BEFORE = """
class Box(pulumi.ComponentResource):
    def __init__(self, name, opts=None):
        super().__init__("test:index:Box", name, {}, opts)
box = Box("box")
thing = Thing("thing", name="thing", opts=Options(parent=box))
Thing("inner", name="inner", opts=Options(parent=thing))
Thing("thing-named", name="named", opts=Options(parent=thing))
Thing("user", name="user", source=thing.url, opts=Options(depends_on=[thing]))
"""


def moved(bench: Bench, world: World, after: str) -> None:
    """Bring up the second form of the program; nothing may be made or deleted."""
    bench.program(BEFORE)
    stack = bench.stack()
    stack.up()
    world.calls.clear()
    bench.program(after)
    preview = stack.preview()
    result = stack.up()
    assert {"create", "delete"}.isdisjoint(call for call, _ in world.calls), world.calls
    assert preview.change_summary == result.summary.resource_changes
    assert not any("aliases" in resource for resource in bench.resources().values())
    assert (stack.up().summary.resource_changes or {}).keys() == {"same"}


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        # By name; the child that is named after it moves along.
        ('Thing("thing",', 'Thing("other",'),
        # By type.
        ("test:index:Box", "test:index:Crate"),
        # By name of the parent.
        ('Box("box")', 'Box("case")'),
    ],
    ids=["name", "parent-type", "parent-name"],
)
def test_renamed_resource_and_its_children_stay(
    bench: Bench, world: World, was: str, becomes: str
) -> None:
    """Children take their parent's alias, and names that begin with its name, along."""
    alias = {
        'Thing("thing",': 'pulumi.Alias(name="thing")',
        "test:index:Box": 'pulumi.Alias(type_="test:index:Box")',
        'Box("box")': 'pulumi.Alias(name="box")',
    }[was]
    after = BEFORE.replace(was, becomes)
    if was.startswith("Thing"):
        after = after.replace(
            "opts=Options(parent=box)", f"opts=Options(parent=box, aliases=[{alias}])"
        )
        after = after.replace("thing-named", "other-named")
    elif was.startswith("Box"):
        after = after.replace(becomes, f'Box("case", Options(aliases=[{alias}]))')
    else:
        after = after.replace(
            "{}, opts)", f"{{}}, Options.merge(opts, Options(aliases=[{alias}])))"
        )
    moved(bench, world, after)


@pytest.mark.parametrize(
    "alias",
    [
        "pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)",
        "pulumi.Alias(parent=None)",
        '"urn:pulumi:dev::demo::fake:index:Thing::user"',
        'pulumi.create_urn("user", "fake:index:Thing")',
        'pulumi.Alias(parent=None, stack="dev", project="demo")',
    ],
    ids=["root", "no-parent", "urn", "created-urn", "stack-and-project"],
)
def test_resource_moves_into_a_component(bench: Bench, world: World, alias: str) -> None:
    """Where it was is said by parent, by absence of one, or by URN."""
    moved(
        bench,
        world,
        BEFORE.replace(
            "opts=Options(depends_on=[thing])",
            f"opts=Options(depends_on=[thing], parent=box, aliases=[{alias}])",
        ),
    )


def test_resource_moves_out_of_a_component(bench: Bench, world: World) -> None:
    """The old parent is named by the component, or by its URN."""
    moved(
        bench,
        world,
        BEFORE.replace(
            "opts=Options(parent=box)", "opts=Options(aliases=[pulumi.Alias(parent=box)])"
        ),
    )


def test_stack_that_was_renamed_keeps_its_resources(bench: Bench, world: World) -> None:
    """An export of another stack is taken over by aliases of stack and project."""
    bench.program('Thing("thing", name="thing")')
    bench.stack("old").up()
    state = bench.checkpoint_file("old").read_text()
    stack = bench.stack("dev")
    bench.checkpoint_file("dev").write_text(
        state.replace("organization/demo/old", "organization/demo/dev")
    )
    world.calls.clear()
    bench.program('Thing("thing", name="thing", opts=Options(aliases=[pulumi.Alias(stack="old")]))')
    stack.up()
    assert "create" not in {call for call, _ in world.calls}
    assert bench.resources()["thing"]["urn"] == "urn:pulumi:dev::demo::fake:index:Thing::thing"


def test_old_resource_cannot_become_two(bench: Bench) -> None:
    """Two resources that both claim to have been one are refused."""
    bench.program('Thing("thing", name="thing")')
    stack = bench.stack()
    stack.up()
    bench.program(
        """
        for name in ("one", "two"):
            Thing(name, name="thing", opts=Options(aliases=[pulumi.Alias(name="thing")]))
        """
    )
    with pytest.raises(auto.CommandError, match="both claim to have been"):
        stack.up(parallel=1)


def test_renamed_component_keeps_dependents_references(bench: Bench, world: World) -> None:
    """References of resources that are not registered again follow the new name."""
    bench.program(BEFORE)
    stack = bench.stack()
    stack.up()
    bench.program(
        BEFORE.replace('Thing("thing",', 'Thing("other",')
        .replace(
            "opts=Options(parent=box)",
            'opts=Options(parent=box, aliases=[pulumi.Alias(name="thing")])',
        )
        .replace("thing-named", "other-named")
        + '\nThing("bad", name="bad", fail="create", source=thing.url)\n'
    )
    with pytest.raises(auto.CommandError):
        stack.up(parallel=1)
    resources = bench.resources()
    assert resources["user"]["dependencies"] == [resources["other"]["urn"]]
