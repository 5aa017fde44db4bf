"""What is left, and what is said, when an operation fails, is killed or is interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from engine_bench import Bench, is_running, shared_launcher, steps, wait_until
from fake_provider import World
from pulumi import automation as auto

from rehearsal.engine.programs.processes import FreshInterpreter

DRIVER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from engine_bench import Bench, shared_launcher
from fake_provider import World
bench = Bench(Path(sys.argv[2]), World(), shared_launcher())
bench.stack().up()
"""


def test_failed_step_stops_the_run_and_keeps_what_was_made(bench: Bench, world: World) -> None:
    """The first failure ends the run; what exists by then is recorded."""
    bench.program(
        """
        first = Thing("first", name="first")
        bad = Thing("bad", name="bad", fail="create", after=first.url)
        Thing("last", name="last", after=bad.url)
        """
    )
    stack = bench.stack()
    events: list[auto.EngineEvent] = []
    with pytest.raises(auto.CommandError, match="cannot create bad"):
        stack.up(on_event=events.append)
    assert set(bench.resources()) == {"demo-dev", "first"}
    assert "pending_operations" not in bench.latest()
    assert any(event.res_op_failed_event for event in events)
    assert stack.history()[0].result == "failed"
    assert "update failed" in str(
        [event.diagnostic_event.message for event in events if event.diagnostic_event]
    )


def test_continue_on_error_does_what_does_not_depend_on_the_failure(
    bench: Bench, world: World
) -> None:
    """With --continue-on-error only dependents of the failure are left out."""
    bench.program(
        """
        bad = Thing("bad", name="bad", fail="create")
        Thing("dependent", name="dependent", after=bad.url)
        Thing("free", name="free")
        """
    )
    with pytest.raises(auto.CommandError):
        bench.stack().up(continue_on_error=True)
    assert set(bench.resources()) == {"demo-dev", "free"}


def test_broken_program_is_reported_as_such(bench: Bench, world: World) -> None:
    """An exception in the program keeps what was registered and deletes nothing."""
    bench.program('Thing("kept", name="kept"); pulumi.export("old", 1)')
    stack = bench.stack()
    stack.up()
    bench.program('pulumi.export("new", 2); raise ValueError("program broke")')
    with pytest.raises(auto.errors.RuntimeError) as caught:
        stack.up()
    text = str(caught.value)
    assert "ValueError: program broke" in text
    assert "runpy" not in text
    assert world.things
    assert bench.resources()["demo-dev"]["outputs"] == {"new": 2, "old": 1}


def test_run_error_and_exit_code_are_reported(bench: Bench) -> None:
    """`RunError` shows its message only; a bare exit code is named."""
    bench.program('raise pulumi.RunError("not like this")')
    stack = bench.stack()
    with pytest.raises(auto.errors.RuntimeError, match="not like this"):
        stack.up()
    bench.program("import sys; sys.exit(3)")
    with pytest.raises(auto.errors.RuntimeError, match="non-zero exit code: 3"):
        stack.up()


def test_output_of_the_program_becomes_diagnostics(bench: Bench) -> None:
    """What a program prints reaches the user through events."""
    bench.program('import sys; print("hello"); print("trouble", file=sys.stderr)')
    events: list[auto.EngineEvent] = []
    bench.stack().up(on_event=events.append)
    seen = {
        event.diagnostic_event.message.strip(): event.diagnostic_event.severity
        for event in events
        if event.diagnostic_event
    }
    assert seen == {"hello": "info", "trouble": "info#err"}


def test_refused_inputs_name_the_property(bench: Bench) -> None:
    """A provider's check failure says which resource and property is wrong."""
    bench.program('Thing("thing", name="thing", size="wrong")')
    with pytest.raises(auto.CommandError, match=r"property size value \{wrong\} has"):
        bench.stack().preview()


def test_unhealthy_resource_is_recorded_and_repaired(bench: Bench, world: World) -> None:
    """A resource that was made but is not well is kept, and updated next time."""
    bench.program('Thing("thing", name="thing", fail="init")')
    stack = bench.stack()
    with pytest.raises(auto.CommandError, match="it is unwell"):
        stack.up()
    assert bench.resources()["thing"]["initErrors"] == ["it is unwell"]
    bench.program('Thing("thing", name="thing")')
    assert stack.up().summary.resource_changes == {"same": 1, "update": 1}
    assert "initErrors" not in bench.resources()["thing"]


def test_protected_resource_survives_destroy(bench: Bench, world: World) -> None:
    """Destroy reports a protected resource, spares it and what it needs, deletes the rest."""
    bench.program(
        """
        base = Thing("base", name="base")
        kept = Thing("kept", name="kept", after=base.url, opts=Options(protect=True))
        Thing("other", name="other", after=kept.url)
        """
    )
    stack = bench.stack()
    stack.up()
    with pytest.raises(auto.CommandError, match="because it is protected"):
        stack.destroy()
    assert set(bench.resources()) == {"demo-dev", "base", "kept"}
    stack.destroy(exclude_protected=True)
    assert set(bench.resources()) == {"demo-dev", "base", "kept"}


def test_what_needs_a_spared_resource_goes(bench: Bench, world: World) -> None:
    """`--exclude-protected` keeps what is protected and what that needs, and nothing else."""
    bench.program(
        """
        base = Thing("base", name="base")
        kept = Thing("kept", name="kept", after=base.url, opts=Options(protect=True))
        Thing("other", name="other", after=kept.url)
        """
    )
    stack = bench.stack()
    stack.up()
    stack.destroy(exclude_protected=True)
    assert set(bench.resources()) == {"demo-dev", "base", "kept"}


def test_unknown_stack_is_not_created_by_selecting_it(bench: Bench) -> None:
    """Selecting what does not exist, or creating what does, has an error of its own."""
    workspace = bench.workspace()
    with pytest.raises(auto.StackNotFoundError):
        workspace.select_stack("nowhere")
    bench.stack()
    with pytest.raises(auto.StackAlreadyExistsError):
        workspace.create_stack("dev")


def test_locked_stack_refuses_a_second_update(bench: Bench) -> None:
    """A held lock is a concurrent update; cancel removes it, a preview ignores it."""
    bench.program("")
    stack = bench.stack()
    folder = bench.root / "state" / ".pulumi" / "locks" / "organization" / "demo" / "dev"
    folder.mkdir(parents=True, exist_ok=True)
    holder = {"pid": 1, "username": "u", "hostname": "h", "timestamp": "2026-01-01T00:00:00Z"}
    (folder / "other.json").write_text(json.dumps(holder))
    with pytest.raises(auto.ConcurrentUpdateError, match=r"created by u@h \(pid 1\)"):
        stack.up()
    stack.preview()
    stack.cancel()
    stack.up()
    assert list(folder.iterdir()) == []


def test_wrong_passphrase_is_refused(bench: Bench) -> None:
    """Nothing begins with a passphrase that does not fit."""
    bench.program("")
    bench.stack().up()
    bench.environ["PULUMI_CONFIG_PASSPHRASE"] = "wrong"
    with pytest.raises(auto.CommandError, match="incorrect passphrase"):
        bench.stack().up()


def test_killed_update_leaves_a_pending_operation(bench: Bench, tmp_path: Path) -> None:
    """After kill -9 the state says what was under way, and the next up works."""
    gate = tmp_path / "gate"
    bench.program(f'Thing("slow", name="slow", wait="{gate}")')
    bench.stack()
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(Path(__file__).parent), str(bench.root)]
    )
    wait_until(lambda: "pending_operations" in bench.latest())
    process.send_signal(signal.SIGKILL)
    process.wait()
    pending = bench.latest()["pending_operations"]
    assert [item["type"] for item in pending] == ["creating"]
    gate.touch()
    stack = bench.stack()
    with pytest.raises(auto.ConcurrentUpdateError):
        stack.up()
    stack.cancel()
    lines: list[str] = []
    stack.up(on_output=lines.append)
    assert "1 pending operations" in "\n".join(lines)
    assert "slow" in bench.resources()
    stack.refresh(clear_pending_creates=True)
    assert "pending_operations" not in bench.latest()


def test_interrupt_waits_for_the_step_under_way(bench: Bench, tmp_path: Path) -> None:
    """Ctrl-C lets the running step end and records it, then reaches the caller."""
    gate = tmp_path / "gate"
    bench.program(
        f"""
        slow = Thing("slow", name="slow", wait="{gate}")
        Thing("next", name="next", after=slow.url)
        """
    )
    stack = bench.stack()
    interrupted = threading.Event()
    # A shell that starts the tests in the background has them ignore Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupt() -> None:
        wait_until(lambda: "pending_operations" in bench.latest())
        os.kill(os.getpid(), signal.SIGINT)
        interrupted.set()
        time.sleep(0.05)
        gate.touch()

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            stack.up()
    finally:
        thread.join()
        signal.signal(signal.SIGINT, before)
    assert interrupted.is_set()
    assert set(bench.resources()) == {"demo-dev", "slow"}
    assert "pending_operations" not in bench.latest()
    assert stack.history()[0].result == "failed"
    stack.up()
    assert "next" in bench.resources()


def test_program_without_end_is_killed_on_failure(bench: Bench) -> None:
    """A program that would go on for ever does not keep a failed operation alive."""
    bench.program(
        """
        import asyncio, time
        Thing("bad", name="bad", fail="create")
        async def busy():
            while True:
                await asyncio.sleep(0.05)
        asyncio.get_event_loop().create_task(busy())
        pulumi.export("never", pulumi.Output.from_input(busy()))
        """
    )
    with pytest.raises(auto.CommandError, match="cannot create bad"):
        bench.stack().up()


def test_fresh_interpreter_runs_programs_too(bench: Bench, world: World) -> None:
    """Without the zygote everything works, only slower."""
    other = Bench(bench.root, world, FreshInterpreter())
    other.program('Thing("thing", name="thing"); print("hello")')
    events: list[auto.EngineEvent] = []
    assert other.stack().up(on_event=events.append).summary.resource_changes == {"create": 2}
    assert ("create", "thing") in steps(events)


def test_parallel_updates_in_threads_do_not_disturb_each_other(bench: Bench) -> None:
    """Several stacks of one project come up at once in one process."""
    bench.program(
        """
        stack = pulumi.get_stack()
        things = [Thing(f"t{n}", name=f"{stack}-{n}") for n in range(5)]
        pulumi.export("stack", stack)
        """
    )
    names = [f"s{number}" for number in range(6)]
    stacks = [bench.stack(name) for name in names]
    results: dict[str, auto.UpResult] = {}

    def up(stack: auto.Stack) -> None:
        results[stack.name] = stack.up(on_event=lambda _event: None)

    threads = [threading.Thread(target=up, args=(stack,)) for stack in stacks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: result.outputs["stack"].value for name, result in results.items()} == {
        name: name for name in names
    }
    assert all(result.summary.resource_changes == {"create": 6} for result in results.values())


def test_parallel_flag_limits_the_steps_at_a_time(bench: Bench, world: World) -> None:
    """`--parallel 1` runs one provider call after the other."""
    bench.program('for n in range(6): Thing(f"t{n}", name=f"t{n}")')
    bench.stack().up(parallel=1)
    assert world.most_busy == 1


def test_process_left_behind_by_a_program_does_not_hold_it_up(bench: Bench) -> None:
    """A program's child that keeps the output open is not waited for."""
    bench.program(
        """
        import subprocess
        child = subprocess.Popen(["sleep", "60"])
        pulumi.export("pid", child.pid)
        """
    )
    started = time.monotonic()
    pid = int(bench.stack().up().outputs["pid"].value)
    assert time.monotonic() - started < 20
    os.kill(pid, signal.SIGKILL)


def test_killed_program_is_reported(bench: Bench) -> None:
    """A program that dies is a failure with its signal, not a hang."""
    bench.program("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(auto.errors.RuntimeError, match="non-zero exit code: -9"):
        bench.stack().up()


def test_zygote_that_died_is_started_again(bench: Bench) -> None:
    """Losing the fork server costs nothing but time."""
    launcher = shared_launcher()
    own = Bench(bench.root, World(), launcher)
    own.program('pulumi.export("a", 1)')
    stack = own.stack()
    stack.up()
    assert launcher._process is not None
    launcher._process.kill()
    launcher._process.wait()
    assert stack.up().outputs["a"].value == 1
    launcher.close()


def test_zygote_ends_with_its_owner(bench: Bench) -> None:
    """A killed owner takes the zygote and its programs with it."""
    bench.program(
        """
        import os, pathlib, time
        pathlib.Path("pids").write_text(f"{os.getpid()} {os.getppid()}")
        time.sleep(60)
        """
    )
    bench.stack()
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(Path(__file__).parent), str(bench.root)]
    )
    pids = bench.root / "stacks" / "pids"
    wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    process.kill()
    process.wait()
    wait_until(lambda: not any(is_running(pid) for pid in pids.read_text().split()))


def test_updates_of_several_processes_share_the_state(bench: Bench) -> None:
    """Processes work on stacks of one folder at once."""
    bench.program('Thing("t", name="t")')
    command = [sys.executable, "-c", DRIVER.replace("bench.stack()", "bench.stack(sys.argv[3])")]
    processes = [
        subprocess.Popen([*command, str(Path(__file__).parent), str(bench.root), name])
        for name in ("one", "two")
    ]
    assert [process.wait() for process in processes] == [0, 0]
    assert "t" in bench.resources("one")
    assert "t" in bench.resources("two")
