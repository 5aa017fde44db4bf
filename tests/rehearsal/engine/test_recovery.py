"""Half-done replacements, broken providers and failed refreshes, and how the next run goes on."""

from __future__ import annotations

import pytest
from engine_bench import Bench
from fake_provider import World
from pulumi import automation as auto

from rehearsal.engine.secrets.codec import StateCodec
from rehearsal.engine.secrets.passphrase import unlock
from rehearsal.engine.state import checkpoint, integrity


def assert_sound(bench: Bench) -> None:
    """Check that another engine would accept the state."""
    latest = bench.latest()
    codec = StateCodec(lambda: unlock(checkpoint.salt_of(latest), "x"))
    assert integrity.violation(checkpoint.read(latest, codec).resources) == ""


def test_interrupted_replacement_is_completed(bench: Bench, world: World) -> None:
    """Deleted but not yet made anew: the state remembers, the next up makes it."""
    program = 'Thing("t", name="NAME", deleteFirst=True, FAIL)'
    bench.program(program.replace("NAME", "one").replace("FAIL", ""))
    stack = bench.stack()
    stack.up()
    bench.program(program.replace("NAME", "two").replace("FAIL", 'fail="create"'))
    with pytest.raises(auto.CommandError, match="cannot create t"):
        stack.up()
    assert bench.resources()["t"]["pendingReplacement"] is True
    assert_sound(bench)
    bench.program(program.replace("NAME", "two").replace("FAIL", ""))
    assert stack.up().summary.resource_changes == {"replace": 1, "same": 1}
    assert set(world.things) == {"fake:index:Thing/two"}
    assert "pendingReplacement" not in bench.resources()["t"]
    assert stack.up().summary.resource_changes == {"same": 2}


def test_abandoned_replacement_is_forgotten(bench: Bench, world: World) -> None:
    """What was deleted for a replacement that nobody wants any more leaves the state."""
    bench.program('Thing("t", name="one", deleteFirst=True)')
    stack = bench.stack()
    stack.up()
    bench.program('Thing("t", name="two", deleteFirst=True, fail="create")')
    with pytest.raises(auto.CommandError):
        stack.up()
    bench.program("")
    stack.up()
    assert set(bench.resources()) == {"demo-dev"}
    assert world.done("delete") == ["t"]


def test_original_that_could_not_be_deleted_is_deleted_next_time(
    bench: Bench, world: World
) -> None:
    """A replaced resource stays on record until its deletion succeeds."""
    bench.program('Thing("t", name="one", fail="delete")')
    stack = bench.stack()
    stack.up()
    bench.program('Thing("t", name="two")')
    with pytest.raises(auto.CommandError, match="cannot delete t"):
        stack.up()
    assert sorted(bool(item.get("delete")) for item in bench.latest()["resources"]) == [
        False,
        False,
        False,
        True,
    ]
    assert_sound(bench)
    old = next(item for item in bench.latest()["resources"] if item.get("delete"))
    # The obstacle is gone: in the fake it is an input of the resource itself.
    file = bench.checkpoint_file()
    file.write_text(file.read_text().replace('"fail":"delete"', '"fail":""'))
    assert stack.up().summary.resource_changes == {"same": 2}
    assert old["id"] not in world.things
    assert not [item for item in bench.latest()["resources"] if item.get("delete")]


def test_creation_that_nobody_answered_is_looked_for(bench: Bench, world: World) -> None:
    """What was made although its reply never came stays in doubt, and is found, not made again."""
    bench.program('Thing("t", name="one", fail="reply")')
    stack = bench.stack()
    with pytest.raises(auto.CommandError, match="nobody said what became of t"):
        stack.up()
    (doubtful,) = bench.latest()["pending_operations"]
    assert doubtful["type"] == "creating"
    bench.program('Thing("t", name="one")')
    assert stack.up(refresh=True).summary.resource_changes == {"update": 1, "same": 1}
    assert world.done("create") == ["t"]
    assert "pending_operations" not in bench.latest()
    assert_sound(bench)


def test_failed_refresh_keeps_what_it_could_not_read(bench: Bench, world: World) -> None:
    """One unreadable resource fails the refresh; the others are taken over all the same."""
    bench.program('Thing("bad", name="bad", fail="read"); Thing("good", name="good", size=1)')
    stack = bench.stack()
    stack.up()
    world.things["fake:index:Thing/good"]["size"] = 2
    with pytest.raises(auto.CommandError, match="cannot read bad"):
        stack.refresh()
    assert bench.resources()["good"]["inputs"]["size"] == 2
    assert "bad" in bench.resources()


def test_broken_provider_fails_the_resource_that_needs_it(bench: Bench) -> None:
    """A provider that cannot be configured says so where it is used first."""
    bench.program('Thing("t", name="t")')
    stack = bench.stack()
    stack.set_config("fake:broken", auto.ConfigValue("yes"))
    with pytest.raises(auto.CommandError, match="this provider is broken"):
        stack.up()
    stack.remove_config("fake:broken")
    stack.up()


def test_unknown_package_is_named(bench: Bench) -> None:
    """A resource that no provider serves is refused with the packages there are."""
    bench.program('pulumi.CustomResource("aws:s3:Bucket", "b", {})')
    with pytest.raises(auto.CommandError, match="has providers for fake"):
        bench.stack().preview()


def test_failing_callback_ends_the_operation_cleanly(bench: Bench) -> None:
    """An error in the caller's callback reaches the caller after the lock is released."""
    bench.program('Thing("t", name="t")')
    stack = bench.stack()

    def broken(_line: str) -> None:
        raise OSError("the pipe is gone")

    with pytest.raises(OSError, match="the pipe is gone"):
        stack.up(on_output=broken)
    stack.up()


def test_duplicate_names_are_refused(bench: Bench) -> None:
    """Two resources cannot have one URN."""
    bench.program('Thing("t", name="a"); Thing("t", name="b")')
    with pytest.raises(auto.CommandError, match="Duplicate resource URN"):
        bench.stack().up()


def test_protected_resource_is_not_replaced(bench: Bench, world: World) -> None:
    """A replacement would delete it: refused until the protection is taken off."""
    program = 'Thing("t", name="NAME", opts=Options(protect=True))'
    bench.program(program.replace("NAME", "one"))
    stack = bench.stack()
    stack.up()
    bench.program(program.replace("NAME", "two"))
    with pytest.raises(auto.CommandError, match="unable to replace resource"):
        stack.up()
    assert set(world.things) == {"fake:index:Thing/one"}


def test_original_that_could_not_make_way_is_not_forgotten(bench: Bench, world: World) -> None:
    """A resource whose deletion ahead of its replacement fails is deleted the next time."""
    program = 'Thing("t", name="NAME", deleteFirst=True)'
    bench.program(program.replace("NAME", "one"))
    stack = bench.stack()
    stack.up()
    bench.program(program.replace("NAME", "two"))
    world.failing = {("delete", "t")}
    with pytest.raises(auto.CommandError, match="cannot delete t now"):
        stack.up()
    assert "pendingReplacement" not in bench.resources()["t"]
    world.failing = set()
    stack.up()
    assert set(world.things) == {"fake:index:Thing/two"}
