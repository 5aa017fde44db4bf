"""`--continue-on-error`, excludes, targets and `--expect-no-changes`: what goes on, what stays."""

from __future__ import annotations

import pytest
from engine_bench import Bench, steps
from fake_provider import World
from pulumi import automation as auto

FAMILY = """
bad = Thing("bad", name="bad", size=SIZE, fail="FAIL")
user = Thing("user", name="user", source=bad.url, size=SIZE)
Thing("child", name="child", size=SIZE, opts=Options(parent=user))
Thing("grandchild", name="grandchild", size=SIZE, opts=Options(depends_on=[user]))
Thing("free", name="free", size=SIZE)
there = Thing("there", opts=Options(id="fake:index:Thing/free", depends_on=[bad]))
"""


def urn(name: str) -> str:
    """Return the URN of a thing of the bench's stack."""
    return f"urn:pulumi:dev::demo::fake:index:Thing::{name}"


def family(size: int, fail: str = "") -> str:
    """Write the program."""
    return FAMILY.replace("SIZE", str(size)).replace("FAIL", fail)


def test_what_needs_a_failed_resource_is_left_as_it_is(bench: Bench, world: World) -> None:
    """Its dependents, their children and what is read after it are neither changed nor deleted."""
    bench.program(family(1))
    stack = bench.stack()
    stack.up()
    before = bench.resources()
    bench.program(family(2, "update"))
    events: list[auto.EngineEvent] = []
    with pytest.raises(auto.CommandError, match="cannot update bad"):
        stack.up(continue_on_error=True, on_event=events.append)
    assert world.done("delete") == []
    assert {name for op, name in steps(events) if op == "update"} == {"bad", "free"}
    after = bench.resources()
    assert after.keys() == before.keys()
    untouched = ("bad", "user", "child", "grandchild")
    assert {name: after[name]["inputs"] for name in untouched} == {
        name: before[name]["inputs"] for name in untouched
    }
    assert world.things["fake:index:Thing/free"]["size"] == 2
    bench.program(family(2))
    assert stack.up().summary.resource_changes == {"read": 1, "same": 2, "update": 4}


def test_failed_creations_leave_out_their_dependents(bench: Bench, world: World) -> None:
    """Nothing that needs what could not be made is begun, in a preview neither."""
    bench.program(family(1, "create"))
    with pytest.raises(auto.CommandError, match="cannot create bad"):
        bench.stack().up(continue_on_error=True)
    assert set(bench.resources()) == {"demo-dev", "free"}
    assert sorted(world.done("create")) == ["bad", "free"]


def test_failed_deletion_spares_what_it_needs(bench: Bench, world: World) -> None:
    """The others are deleted; without the flag nothing more begins."""
    bench.program(
        """
        base = Thing("base", name="base")
        Thing("stuck", name="stuck", source=base.url, fail="delete")
        Thing("free", name="free")
        """
    )
    stack = bench.stack()
    stack.up()
    with pytest.raises(auto.CommandError, match="cannot delete stuck"):
        stack.destroy(continue_on_error=True)
    assert set(bench.resources()) == {"demo-dev", "base", "stuck"}


@pytest.mark.parametrize("with_dependents", [False, True])
def test_excluded_resources_stay_as_they_are(
    bench: Bench, world: World, *, with_dependents: bool
) -> None:
    """An update leaves them out, and their dependents if asked; a destroy what they need, too."""
    bench.program(family(1))
    stack = bench.stack()
    stack.up()
    bench.program(family(2))
    stack.up(exclude=[urn("user")], exclude_dependents=with_dependents)
    sizes = {name.rpartition("/")[2]: thing["size"] for name, thing in world.things.items()}
    spared = {"user", "child", "grandchild"} if with_dependents else {"user"}
    assert {name for name, size in sizes.items() if size == 1} == spared


def test_new_resource_that_needs_an_excluded_one_is_refused(bench: Bench) -> None:
    """What is left out and does not exist yet cannot be depended on."""
    bench.program(family(1))
    stack = bench.stack()
    with pytest.raises(auto.CommandError, match=r"depends on .*::bad' which was"):
        stack.up(exclude=[urn("bad")])


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (urn("nobody"), "could not be found in the stack. Did you forget to escape $"),
        ("urn:pulumi:dev::demo::a:b:C$fake:index:Thing::x", "could not be found in the stack.\n"),
    ],
)
def test_unknown_targets_are_told(bench: Bench, target: str, said: str) -> None:
    """A name without `$` may have lost it to the shell; that is said."""
    bench.program(family(1))
    stack = bench.stack()
    stack.up()
    for words in ({"target": [target]}, {"exclude": [target]}, {"replace": [target]}):
        with pytest.raises(auto.CommandError) as caught:
            stack.up(**words)  # type: ignore[arg-type]
        assert said in f"{caught.value}\n"
    for operation in (stack.refresh, stack.destroy):
        with pytest.raises(auto.CommandError, match=r"no resource named '.*' found"):
            operation(target=[target])


def test_patterns_choose_by_parts_of_the_urn(bench: Bench, world: World) -> None:
    """`*` stops at a colon, `**` does not."""
    bench.program(family(1))
    stack = bench.stack()
    stack.up()
    bench.program(family(2))
    assert stack.up(target=["urn:pulumi:dev::demo::*::free"]).summary.resource_changes == {
        "same": 6
    }
    stack.up(target=["**::free"])
    sizes = {name.rpartition("/")[2]: thing["size"] for name, thing in world.things.items()}
    assert {name for name, size in sizes.items() if size == 2} == {"free"}


def test_target_replace_is_target_and_replace(bench: Bench, world: World) -> None:
    """One resource is made anew, the others are left alone."""
    bench.program('Thing("a", name="a", deleteFirst=True); Thing("b", name="b", size=1)')
    bench.stack().up()
    bench.program('Thing("a", name="a", deleteFirst=True); Thing("b", name="b", size=2)')
    words = ["up", "--yes", "-s", "dev", "--target-replace", urn("a")]
    bench.engine.run(words, str(bench.root), bench.environ)
    assert sorted(world.done("create")) == ["a", "a", "b"]
    assert world.done("update") == []


def test_expect_no_changes_has_an_exit_code_of_its_own(bench: Bench, world: World) -> None:
    """For every operation; reading, discarding and staying the same are no changes."""
    bench.program('Thing("a", name="a", size=1)')
    stack = bench.stack()
    stack.up()
    stack.refresh(expect_no_changes=True)
    world.things["fake:index:Thing/a"]["size"] = 2
    for operation in (
        lambda: stack.preview_refresh(expect_no_changes=True),
        lambda: stack.refresh(expect_no_changes=True),
        lambda: stack.up(expect_no_changes=True),
        lambda: bench.engine.run(
            ["destroy", "--yes", "-s", "dev", "--expect-no-changes"], str(bench.root), bench.environ
        ),
    ):
        with pytest.raises(auto.CommandError, match="no changes were expected") as caught:
            operation()
        assert "code: 7" in str(caught.value)
