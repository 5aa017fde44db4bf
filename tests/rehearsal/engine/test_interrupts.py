"""Ctrl-C once and twice, at every stage of an operation, in real processes with real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from engine_bench import Bench, is_running, wait_until
from fake_provider import World

SHELL = """
import signal, sys, types
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, sys.argv[1])
from fake_provider import World
import rehearsal.engine.command as command
from engine_bench import shared_launcher
fake = types.ModuleType("rehearsal.providers")
fake.PROVIDERS = {"fake": World.of_files(Path("world")).provider}
sys.modules["rehearsal.providers"] = fake
command._shared_zygote = shared_launcher
from rehearsal.engine.__main__ import leave, main
leave(main(sys.argv[2:]))
"""
# Takes Ctrl-C as a caller of the Automation API does, then opens the gate on which the step waits.
CALLER = """
import signal, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
signal.signal(signal.SIGINT, signal.default_int_handler)
from engine_bench import Bench, shared_launcher
from fake_provider import World
world = World()
bench = Bench(Path(sys.argv[2]), world, shared_launcher())
stack = bench.stack()
try:
    stack.up(on_event=lambda event: None)
except KeyboardInterrupt:
    locks = list(bench.root.glob("state/.pulumi/locks/**/*.json"))
    before = bench.checkpoint_file().read_bytes()
    Path("gate").touch()
    while not world.things:
        time.sleep(0.01)
    time.sleep(0.05)
    after = bench.checkpoint_file().read_bytes()
    Path("verdict").write_text(f"{len(locks)} {before == after}")
"""
SLOW = """
slow = Thing("slow", name="slow", wait="{gate}")
Thing("next", name="next", after=slow.url)
"""


@contextmanager
def shell(bench: Bench, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the engine's command line in a process of its own, and leave none behind."""
    with (bench.root / "said").open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-c", SHELL, str(Path(__file__).parent), *words],
            cwd=bench.root,
            env={**os.environ, **bench.environ},
            stdout=said,
            stderr=said,
            stdin=subprocess.PIPE,
        )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def said(bench: Bench) -> str:
    """Return what the command line has said so far."""
    return (bench.root / "said").read_text()


def locks(bench: Bench) -> list[Path]:
    """Name the locks that somebody holds."""
    return list(bench.root.glob("state/.pulumi/locks/**/*.json"))


def has_pending(bench: Bench) -> Callable[[], bool]:
    """Wait for a step under way."""
    return lambda: "pending_operations" in bench.latest()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_lets_the_step_end_and_records_it(
    bench: Bench, tmp_path: Path, number: int
) -> None:
    """The step under way ends and is recorded, nothing else begins, the exit code is 1."""
    gate = tmp_path / "gate"
    bench.program(SLOW.format(gate=gate))
    stack = bench.stack()
    with shell(bench, "up", "--yes", "-s", "dev") as process:
        wait_until(has_pending(bench))
        process.send_signal(number)
        wait_until(lambda: "press ^C again" in said(bench))
        gate.touch()
        process.wait(20)
    assert process.returncode == 1
    assert "may lead to orphaned resources" in said(bench)
    assert "error: update canceled" in said(bench)
    assert set(bench.resources()) == {"demo-dev", "slow"}
    assert "pending_operations" not in bench.latest()
    assert locks(bench) == []
    assert stack.history()[0].result == "failed"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_second_signal_ends_at_once(bench: Bench, tmp_path: Path, number: int) -> None:
    """A step without end is left on record as pending, the lock is released, the exit code is 1."""
    bench.program(SLOW.format(gate=tmp_path / "never"))
    stack = bench.stack()
    with shell(bench, "up", "--yes", "-s", "dev") as process:
        wait_until(has_pending(bench))
        process.send_signal(number)
        wait_until(lambda: "press ^C again" in said(bench))
        process.send_signal(number)
        process.wait(20)
    assert process.returncode == 1
    assert "^C received; terminating" in said(bench)
    assert "error: update canceled" in said(bench)
    assert [item["type"] for item in bench.latest()["pending_operations"]] == ["creating"]
    assert locks(bench) == []
    assert stack.history()[0].result == "failed"


@pytest.mark.parametrize("call", ["read", "update", "delete"])
def test_signals_reach_every_kind_of_step(bench: Bench, tmp_path: Path, call: str) -> None:
    """A refresh, an update and a deletion under way end at the second signal, too."""
    world = bench.root / "world"
    program = 'Thing("slow", name="slow", size=1, wait_CALL="GATE")'.replace("CALL", call)
    bench.program(program.replace("GATE", str(tmp_path / "never")))
    bench.stack()
    with shell(bench, "up", "--yes", "-s", "dev") as process:
        process.wait(30)
    bench.program(program.replace("GATE", str(tmp_path / "never")).replace("size=1", "size=2"))
    before = bench.latest()["resources"]
    command = {"read": "refresh", "update": "up", "delete": "destroy"}[call]
    with shell(bench, command, "--yes", "-s", "dev") as process:
        wait_until((world / f"{call}.slow").exists)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    assert process.returncode == 1
    assert bench.latest()["resources"] == before
    assert locks(bench) == []


@pytest.mark.parametrize(
    "program",
    [
        "while True: pass",
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); READY()\nwhile True: pass",
        "import sys; READY(); sys.stdin.read() or time.sleep(60)",
        "pulumi.export('a', pulumi.Output.from_input(asyncio.get_event_loop().create_future()))",
        (
            "import subprocess; child = subprocess.Popen(['sleep', '60'])\n"
            "pathlib.Path('pids').write_text(f'{os.getpid()} {child.pid}'); READY(); child.wait()"
        ),
    ],
    ids=["busy", "deaf", "reading", "deadlocked", "with-children"],
)
def test_program_without_end_is_ended_with_its_children(bench: Bench, program: str) -> None:
    """One Ctrl-C is enough for a program that hangs: no process is left, and no lock."""
    bench.program(
        "import asyncio, os, pathlib, time\n"
        "def READY(): pathlib.Path('ready').touch()\n"
        "pathlib.Path('pids').write_text(str(os.getpid()))\n"
        + program.replace("while True", "READY()\nwhile True")
        + ("\nREADY()" if "export" in program else "")
    )
    bench.stack()
    folder = bench.root / "stacks"
    with shell(bench, "up", "--yes", "-s", "dev") as process:
        wait_until((folder / "ready").exists)
        process.send_signal(signal.SIGINT)
        process.wait(20)
    assert process.returncode == 1
    assert "update canceled" in said(bench)
    wait_until(lambda: not any(is_running(pid) for pid in (folder / "pids").read_text().split()))
    assert locks(bench) == []


def test_signal_while_the_state_is_loaded_begins_nothing(bench: Bench) -> None:
    """Before the program has started there is nothing to wait for."""
    bench.program("import pathlib; pathlib.Path('started').touch()")
    bench.stack()
    with shell(bench, "up", "--yes", "-s", "dev") as process:
        wait_until(lambda: bool(locks(bench)))
        process.send_signal(signal.SIGINT)
        process.wait(20)
    assert process.returncode == 1
    assert not (bench.root / "stacks" / "started").exists()
    assert locks(bench) == []


def test_signal_without_an_operation_ends_the_command(bench: Bench) -> None:
    """A command that waits for its input ends as any program does."""
    bench.stack()
    with shell(bench, "stack", "import", "-s", "dev") as process:
        wait_until(lambda: is_reading(process.pid))
        process.send_signal(signal.SIGINT)
        process.wait(20)
    assert process.returncode == 130


def is_reading(pid: int) -> bool:
    """Tell whether a process waits for its standard input."""
    return "pipe_r" in Path("/proc", str(pid), "wchan").read_text()


def test_caller_interrupted_twice_finds_the_state_left_alone(bench: Bench) -> None:
    """Once the second Ctrl-C reaches the caller nothing is written any more, no lock is held."""
    gate = bench.root / "gate"
    bench.program(SLOW.format(gate=gate).replace("wait=", "stubborn=True, wait="))
    bench.stack()
    process = subprocess.Popen(
        [sys.executable, "-c", CALLER, str(Path(__file__).parent), str(bench.root)],
        cwd=bench.root,
    )
    try:
        wait_until(has_pending(bench))
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.wait(20)
    finally:
        process.kill()
    assert (bench.root / "verdict").read_text() == "0 True"
    assert [item["type"] for item in bench.latest()["pending_operations"]] == ["creating"]


@pytest.mark.parametrize("delay_s", [0.05 * number for number in range(4)])
def test_state_is_whole_whenever_the_signal_comes(bench: Bench, delay_s: float) -> None:
    """Wherever Ctrl-C strikes, the next update finds no lock and finishes the work."""
    bench.program('for n in range(12): Thing(f"t{n}", name=f"t{n}", foreseen=True)')
    bench.stack()
    with shell(bench, "up", "--yes", "-s", "dev", "--parallel", "1") as process:
        wait_until(lambda: bool(locks(bench)))
        time.sleep(delay_s)
        process.send_signal(signal.SIGINT)
        process.wait(20)
    assert process.returncode in {0, 1}
    assert locks(bench) == []
    assert "pending_operations" not in bench.latest()
    made = World.of_files(bench.root / "world").things
    assert {item["id"] for item in bench.resources().values() if "id" in item} == set(made)
    with shell(bench, "up", "--yes", "-s", "dev") as process:
        process.wait(30)
    assert process.returncode == 0
    assert len(bench.resources()) == 13
