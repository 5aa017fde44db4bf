"""Operations on real stacks of the embedded engine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestration.automation.results import UNKNOWN_OUTPUT
from orchestration.errors import ConductorError, StackFailed, StackLocked

if TYPE_CHECKING:
    from tests.orchestration.conftest import Events, TinyProject

STACK = "dev.one"
ONE_THING = 'thing = Thing("thing", size=1)\npulumi.export("url", thing.url)'


def leave_lock(project: TinyProject, pid: int) -> None:
    """Write a stack's lock as a process of this machine would."""
    folder = project.root / "state" / ".pulumi" / "locks" / "organization" / "demo" / STACK
    folder.mkdir(parents=True, exist_ok=True)
    owner = {"pid": pid, "username": "ada", "hostname": socket.gethostname(), "timestamp": "t"}
    (folder / "0b5c1f7e-0000-4000-8000-000000000000.json").write_text(json.dumps(owner))


def test_up_gives_outputs_counts_and_steps(tiny_project: TinyProject, events: Events) -> None:
    """0.15: what a stack puts out reaches the caller, with what was done and as it happened."""
    tiny_project.program(ONE_THING)
    result = tiny_project.operations().up(STACK, on_event=events)
    assert str(result.outputs["url"]).startswith("fake://")
    assert result.changes == {"create": 2}
    assert [(step.operation, step.name) for step in result.steps] == [("create", "thing")]
    assert events.steps("started") == [("create", "thing")]
    assert events.steps("finished") == [("create", "thing")]


def test_a_second_up_changes_nothing(tiny_project: TinyProject) -> None:
    """0.4: what is there already is left as it is."""
    tiny_project.program(ONE_THING)
    operations = tiny_project.operations()
    assert operations.up(STACK).changed == 2
    assert operations.up(STACK).changed == 0
    assert tiny_project.world.done("create") == ["thing"]


def test_a_preview_predicts_and_touches_nothing(tiny_project: TinyProject) -> None:
    """1.3: outputs that nobody can know yet are marked; the provider made nothing."""
    tiny_project.program(ONE_THING + '\npulumi.export("size", thing.size)')
    tiny_project.program(
        'thing = Thing("thing")\npulumi.export("url", thing.url)\npulumi.export("known", 7)'
    )
    preview = tiny_project.operations().preview(STACK)
    assert preview.outputs == {"url": dict(UNKNOWN_OUTPUT), "known": 7}
    assert [(step.operation, step.name) for step in preview.steps] == [("create", "thing")]
    assert preview.changed == 2
    assert tiny_project.world.things == {}


def test_predictions_of_other_stacks_reach_previews_only(tiny_project: TinyProject) -> None:
    """Design 4: a preview reads what others will put out from a file; an up never does."""
    tiny_project.program(
        'import os\npulumi.export("upstream", os.environ.get("CONDUCTOR_UPSTREAM", ""))'
    )
    operations, upstream = tiny_project.operations(), tiny_project.root / "upstream.json"
    assert operations.preview(STACK, upstream=upstream).outputs["upstream"] == str(upstream)
    assert operations.preview(STACK).outputs["upstream"] == ""
    assert operations.up(STACK).outputs["upstream"] == ""


def test_another_passphrase_is_refused_with_the_ways_out(tiny_project: TinyProject) -> None:
    """Bad input: the file that it does not fit is named, and stays as it is."""
    tiny_project.program(ONE_THING)
    tiny_project.operations().up(STACK)
    file = tiny_project.root / "environments" / f"Pulumi.{STACK}.yaml"
    before = file.read_bytes()
    tiny_project.passphrase_file.write_text("another")
    with pytest.raises(StackFailed, match="incorrect passphrase") as refused:
        tiny_project.operations().up(STACK)
    assert file.name in refused.value.hint
    assert file.read_bytes() == before


def test_recorded_outputs_are_read_without_an_operation(tiny_project: TinyProject) -> None:
    """0.14: a skipped phase works from what is recorded; a stack never made has nothing."""
    tiny_project.program('pulumi.export("images", {"cart": "cart@sha256:1"})')
    operations = tiny_project.operations()
    assert operations.outputs(STACK) is None
    operations.up(STACK)
    assert operations.outputs(STACK) == {"images": {"cart": "cart@sha256:1"}}


def test_a_program_that_fails_says_why_on_one_line(tiny_project: TinyProject) -> None:
    """G16: the exception itself, not a remark that there was one; its traceback in the details."""
    tiny_project.program('raise ValueError("no such topic")')
    with pytest.raises(StackFailed) as caught:
        tiny_project.operations().up(STACK)
    assert caught.value.message.endswith("unhandled exception: ValueError: no such topic")
    assert "Traceback" in caught.value.details
    assert caught.value.stack == STACK


def test_every_failed_resource_is_named_and_the_others_are_made(tiny_project: TinyProject) -> None:
    """2.3, 2.5: three failures, all three in what the user reads; nothing else is abandoned."""
    tiny_project.program(
        """
        for name in ("cart", "mail", "stock"):
            Thing(name, fail="create")
        Thing("front")
        """
    )
    with pytest.raises(StackFailed) as caught:
        tiny_project.operations().up(STACK, continue_on_error=True)
    assert set(caught.value.failures) == {"cart", "mail", "stock"}
    assert "(and 2 more)" in caught.value.message
    for name in ("cart", "mail", "stock"):
        assert f"{name}: cannot create {name}" in caught.value.details
    assert [item["name"].split("-")[0] for item in tiny_project.world.things.values()] == ["front"]


def test_one_failure_needs_no_details(tiny_project: TinyProject) -> None:
    """One line says all there is; it is not printed twice."""
    tiny_project.program('Thing("cart", fail="create")')
    with pytest.raises(StackFailed) as caught:
        tiny_project.operations().up(STACK)
    assert caught.value.message == f"stack {STACK}: cart: cannot create cart"
    assert caught.value.details == ""


def test_stacks_come_up_side_by_side(
    tiny_project: TinyProject, wait_until: Callable[[Callable[[], object]], None]
) -> None:
    """0.20: operations on six stacks from six threads are under way together."""
    operations, names = tiny_project.operations(), [f"dev.s{number}" for number in range(6)]
    with tiny_project.gate() as gate, ThreadPoolExecutor(len(names)) as pool:
        tiny_project.program(f'Thing("thing", name=pulumi.get_stack(), wait="{gate}")')
        results = [pool.submit(operations.up, name) for name in names]
        wait_until(lambda: tiny_project.world.busy == len(names))
        gate.touch()
        assert [result.result().stack for result in results] == names


def test_a_stack_that_somebody_works_on_is_locked(
    tiny_project: TinyProject, wait_until: Callable[[Callable[[], object]], None]
) -> None:
    """The second operation stops at once and leaves the first one alone."""
    operations = tiny_project.operations()
    with tiny_project.gate() as gate, ThreadPoolExecutor(1) as pool:
        tiny_project.program(f'Thing("thing", wait="{gate}")')
        first = pool.submit(operations.up, STACK)
        wait_until(lambda: tiny_project.world.busy)
        with pytest.raises(StackLocked) as caught:
            operations.up(STACK)
        gate.touch()
        assert first.result().changes["create"] == 2
    assert caught.value.retryable
    assert caught.value.hint


def test_a_dead_process_holds_nobody_up(tiny_project: TinyProject) -> None:
    """Fault case of a killed run: the lock that it left behind is cleared."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    tiny_project.program(ONE_THING)
    operations = tiny_project.operations()
    operations.create(STACK)
    leave_lock(tiny_project, process.pid)
    assert operations.up(STACK).changed == 2


def test_a_living_process_keeps_its_lock(tiny_project: TinyProject) -> None:
    """A lock is cleared only where its owner is known to be gone."""
    tiny_project.program(ONE_THING)
    operations = tiny_project.operations()
    operations.create(STACK)
    leave_lock(tiny_project, os.getppid())
    with pytest.raises(StackLocked):
        operations.up(STACK)


def test_credentials_are_asked_for_each_operation(tiny_project: TinyProject) -> None:
    """A token never outlives its hour: every operation's providers get a fresh one."""
    tiny_project.program(ONE_THING)
    operations = tiny_project.operations()
    operations.up(STACK)
    operations.destroy(STACK)
    tokens = {environ["GOOGLE_OAUTH_ACCESS_TOKEN"] for environ in tiny_project.world.environs}
    assert len(tokens) == 2


def test_what_changed_behind_our_back_is_marked_as_repair(tiny_project: TinyProject) -> None:
    """Design 5: an operation that only repairs drift says so; a wanted change does not."""
    tiny_project.program('Thing("kept", size=1)\nThing("changed", size=1)')
    operations = tiny_project.operations()
    operations.up(STACK)
    for thing in tiny_project.world.things.values():
        thing["size"] = 99
    tiny_project.program('Thing("kept", size=1)\nThing("changed", size=2)')
    steps = {step.name: step for step in operations.preview(STACK).steps}
    assert {name: step.repairs_drift for name, step in steps.items()} == {
        "kept": True,
        "changed": False,
    }
    assert [change.path for change in steps["changed"].changes] == ["size"]


def test_a_destroyed_stack_is_empty_and_can_be_removed(tiny_project: TinyProject) -> None:
    """Removing is refused while anything is left, in one clear line."""
    tiny_project.program(ONE_THING)
    operations = tiny_project.operations()
    operations.up(STACK)
    with pytest.raises(StackFailed, match=rf"stack {STACK}: '{STACK}' still has resources"):
        operations.remove(STACK)
    assert operations.destroy(STACK).changes["delete"] == 2
    assert tiny_project.world.things == {}
    operations.remove(STACK)
    assert operations.existing("dev.") == ()


def test_stacks_of_one_environment_are_found(tiny_project: TinyProject) -> None:
    """An environment's stacks are known by their names, sorted; those of others stay out."""
    operations = tiny_project.operations()
    for name in ("dev.images", "dev.director", "device.images"):
        operations.create(name)
    assert operations.existing("dev.") == ("dev.director", "dev.images")


def test_a_wrong_passphrase_is_an_error_of_ours(tiny_project: TinyProject) -> None:
    """House style: foreign errors are wrapped at the adapter, whatever was asked."""
    tiny_project.program(ONE_THING)
    operations = tiny_project.operations()
    operations.up(STACK)
    tiny_project.passphrase_file.write_text("another")
    for ask in (operations.up, operations.preview, operations.destroy):
        with pytest.raises(StackFailed, match=f"^stack {STACK}: incorrect passphrase$"):
            ask(STACK)


def test_a_backend_that_is_gone_is_an_error_of_ours(tiny_project: TinyProject) -> None:
    """House style: no exception of Pulumi's leaves the adapter."""
    operations = tiny_project.operations(state=tiny_project.root / "gone")
    for ask in (operations.existing, operations.outputs, operations.create):
        with pytest.raises(StackFailed, match="unable to open bucket"):
            ask(STACK)


def test_a_guard_keeps_from_every_change(tiny_project: TinyProject) -> None:
    """Fault case 11: whoever was overtaken touches no stack any more, but may still look."""
    tiny_project.program(ONE_THING)
    operations = tiny_project.operations()
    operations.up(STACK)

    def refuse() -> None:
        raise ConductorError("overtaken")

    zombie = operations.guarded(refuse)
    for change in (zombie.up, zombie.refresh, zombie.destroy, zombie.remove):
        with pytest.raises(ConductorError, match="overtaken"):
            change(STACK)
    assert tiny_project.world.done("create") == ["thing"]
    assert len(zombie.resources(STACK)) == len(operations.resources(STACK)) > 0


def test_a_dead_process_that_nobody_has_asked_after_keeps_no_lock(
    tiny_project: TinyProject, wait_until: Callable[[Callable[[], object]], None]
) -> None:
    """In a container whose first process asks after none, the dead keep their numbers."""
    tiny_project.program(ONE_THING)
    operations = tiny_project.operations()
    operations.create(STACK)
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        status = Path(f"/proc/{process.pid}/stat")
        if not status.exists():
            pytest.skip("needs /proc")
        wait_until(lambda: ") Z " in status.read_text())
        leave_lock(tiny_project, process.pid)
        assert operations.up(STACK).changed == 2


def test_a_process_that_died_before_it_had_made_the_stack_keeps_no_lock(
    tiny_project: TinyProject,
) -> None:
    """Killed between the lock and the first checkpoint, it leaves nothing in the way."""
    tiny_project.program(ONE_THING)
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    leave_lock(tiny_project, process.pid)
    assert tiny_project.operations().up(STACK).changed == 2
