"""Programs that misbehave: what the Automation API's user is told, and what is left."""

from __future__ import annotations

import textwrap

import pytest
from engine_bench import Bench
from fake_provider import World
from pulumi import automation as auto

from rehearsal.engine.programs.processes import FreshInterpreter


def messages(events: list[auto.EngineEvent]) -> list[tuple[str, str]]:
    """List what was said, with its severity."""
    return [
        (event.diagnostic_event.severity, event.diagnostic_event.message)
        for event in events
        if event.diagnostic_event
    ]


def failed_up(bench: Bench) -> tuple[auto.CommandError, list[auto.EngineEvent]]:
    """Bring up what does not come up."""
    events: list[auto.EngineEvent] = []
    with pytest.raises(auto.CommandError) as caught:
        bench.stack().up(on_event=events.append)
    return caught.value, events


@pytest.mark.parametrize("is_fresh", [False, True], ids=["forked", "fresh"])
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_endless_line_arrives_whole(bench: Bench, stream: str, *, is_fresh: bool) -> None:
    """A line of many megabytes, and bytes that are no text, lose nothing and stop nobody."""
    user = Bench(bench.root, bench.world, FreshInterpreter()) if is_fresh else bench
    user.program(
        f"""
        import sys
        stream = sys.{stream}
        stream.write("é" * 5_000_000 + "\\n")
        stream.flush()
        stream.buffer.write(b"not \\xff\\xfe text\\n\\n   \\nno end")
        """
    )
    events: list[auto.EngineEvent] = []
    user.stack().up(on_event=events.append)
    severity = {"stdout": "info", "stderr": "info#err"}[stream]
    assert {said for said, _ in messages(events)} == {severity}
    texts = [text for _, text in messages(events)]
    assert sum(text.count("é") for text in texts) == 5_000_000
    assert texts[-2:] == ["not \ufffd\ufffd text\n\n", "no end\n"]


def test_caller_that_reads_slowly_gets_every_line(bench: Bench) -> None:
    """The program waits for its reader instead of filling the memory."""
    bench.program("for n in range(5000): print(n)")
    events: list[auto.EngineEvent] = []
    bench.stack().up(on_event=events.append)
    assert [int(text) for _, text in messages(events)] == list(range(5000))


@pytest.mark.parametrize(
    ("program", "kind", "said"),
    [
        ("if", auto.errors.RuntimeError, "SyntaxError: invalid syntax"),
        ("import nothing_like_it", auto.errors.RuntimeError, "No module named 'nothing_like_it'"),
        ("raise SystemExit('so long')", auto.errors.RuntimeError, "non-zero exit code: 1"),
        ("raise SystemExit(7)", auto.errors.RuntimeError, "non-zero exit code: 7"),
        ("import os; os._exit(9)", auto.errors.RuntimeError, "non-zero exit code: 9"),
        (
            "Thing('t', name='t').url.apply(lambda url: url.nothing)",
            auto.errors.RuntimeError,
            "AttributeError: 'str' object has no attribute 'nothing'",
        ),
        (
            "def deep(n): return deep(n + 1)\ndeep(0)",
            auto.errors.RuntimeError,
            "RecursionError",
        ),
        ("raise ValueError('x' * 1_000_000)", auto.errors.RuntimeError, "x" * 1_000_000),
        (
            "print('main.go:1:2: undefined: x'); raise SystemExit(1)",
            auto.errors.CompilationError,
            ": undefined: x",
        ),
    ],
    ids=[
        "syntax",
        "import",
        "exit-text",
        "exit-code",
        "os-exit",
        "apply",
        "deep",
        "huge",
        "compiler",
    ],
)
def test_failing_program_raises_the_error_of_its_kind(
    bench: Bench, program: str, kind: type[auto.CommandError], said: str
) -> None:
    """The Automation API's class, the reason in its text, and frames of the user's code only."""
    bench.program(program)
    error, events = failed_up(bench)
    assert type(error) is kind
    assert said in str(error)
    assert "runpy" not in str(error)
    assert "rehearsal/engine" not in str(error)
    assert any(severity == "error" for severity, _ in messages(events))


def test_text_given_to_exit_is_shown(bench: Bench) -> None:
    """`sys.exit(text)` says so, as the interpreter would."""
    bench.program("import sys; sys.exit('so long')")
    _, events = failed_up(bench)
    assert ("info#err", "so long\n\n") in messages(events)


def test_program_that_leaves_early_has_asked_for_what_it_has_asked_for(
    bench: Bench, world: World
) -> None:
    """Exit code 0 is success, even in the middle: what was not registered is not wanted."""
    bench.program('import sys; Thing("one", name="one"); Thing("two", name="two")')
    stack = bench.stack()
    stack.up()
    bench.program('import sys; Thing("one", name="one"); sys.exit(0)')
    stack.preview()
    assert len(world.things) == 2


def test_fork_of_a_program_is_harmless(bench: Bench) -> None:
    """A program may fork children that print and end."""
    bench.program(
        """
        import multiprocessing, os, sys
        pid = os.fork()
        if pid == 0:
            print("child", flush=True)
            os._exit(0)
        os.waitpid(pid, 0)
        Thing("t", name="t")
        """
    )
    events: list[auto.EngineEvent] = []
    result = bench.stack().up(on_event=events.append)
    assert result.summary.resource_changes == {"create": 2}
    assert ("info", "child\n\n") in messages(events)


def test_registration_after_the_end_is_refused_or_done(bench: Bench, world: World) -> None:
    """A thread that goes on registering does not hold the operation up, nor break the state."""
    bench.program(
        """
        import atexit, threading, time
        Thing("one", name="one")
        def late():
            try:
                Thing("late", name="late")
            except Exception as error:
                print("refused", error)
        threading.Timer(0.2, late).start()
        """
    )
    stack = bench.stack()
    stack.up()
    assert set(bench.resources()) == {"demo-dev", "one"}
    assert set(world.things) == {"fake:index:Thing/one"}


def test_standard_input_is_empty(bench: Bench) -> None:
    """A program that reads its standard input finds its end at once."""
    bench.program("import sys; pulumi.export('read', sys.stdin.read())")
    assert bench.stack().up().outputs["read"].value == ""


def test_program_in_another_language_is_declined(bench: Bench) -> None:
    """What this engine cannot run it says before anything happens."""
    bench.stack()
    (bench.root / "Pulumi.yaml").write_text(
        textwrap.dedent(
            """
            name: demo
            runtime: nodejs
            stackConfigDir: environments
            """
        )
    )
    with pytest.raises(auto.CommandError, match="the runtime 'nodejs' is not supported"):
        bench.stack().up()
