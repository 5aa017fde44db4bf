"""Runs go on where a killed process has left them: a real database, real processes, `kill -9`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = '''
import json, os, sys
from pathlib import Path
from orchestration.durable.database import open_database
from orchestration.durable.workflows import launched

folder, verb, die_at, fail_at = Path(sys.argv[1]), *sys.argv[2:5]


class Script:
    """Three steps that write down what is done; dies or fails where it is told to."""

    def note(self, word):
        with (folder / "done").open("a") as file:
            file.write(word + "\\n")
        if word == die_at:
            os._exit(9)

    def forward(self):
        return ["one", "two", "three"]

    def do(self, step):
        self.note(step)
        return {"end": "failed"} if step == fail_at else {"state": step}

    def accept(self, step, result):
        with (folder / "accepted").open("a") as file:
            file.write(json.dumps([step, result]) + "\\n")

    def backward(self):
        return ["two", "one"]

    def undo(self, step):
        self.note("undo " + step)
        return step != os.environ.get("STUCK_AT")


with launched(open_database(f"sqlite:///{folder / 'runs.sqlite'}"), "dev") as workflows:
    print(getattr(workflows, verb)("run-1", Script()).value)
'''


def go(folder: Path, verb: str, die_at: str = "-", fail_at: str = "-", stuck: str = "-") -> str:
    """Run or resume `run-1` in a process of its own; give what it printed, `killed` if it died."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder), verb, die_at, fail_at],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
        env={"STUCK_AT": stuck, "PATH": "/usr/bin:/bin"},
    )
    if done.returncode == 9:
        return "killed"
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def done_in(folder: Path) -> list[str]:
    """Read what was done, in order."""
    return (folder / "done").read_text().split("\n")[:-1]


@pytest.mark.parametrize("die_at", ["one", "two", "three"])
def test_a_killed_run_repeats_only_the_step_it_was_in(tmp_path: Path, die_at: str) -> None:
    """Step 4, item 1: what has ended is not done again; its result is handed on all the same."""
    assert go(tmp_path, "start", die_at) == "killed"
    assert go(tmp_path, "resume") == "succeeded"
    assert done_in(tmp_path) == [
        step for word in ("one", "two", "three") for step in [word] * (2 if word == die_at else 1)
    ]
    accepted = [json.loads(line) for line in (tmp_path / "accepted").read_text().splitlines()]
    assert accepted[-3:] == [[word, {"state": word}] for word in ("one", "two", "three")]


@pytest.mark.parametrize("die_at", ["-", "undo two", "undo one"])
def test_a_failed_run_is_undone_to_its_end(tmp_path: Path, die_at: str) -> None:
    """Step 4, item 6: also when the undoing process is killed on its way."""
    end = go(tmp_path, "start", die_at, fail_at="three")
    if die_at != "-":
        assert end == "killed"
        end = go(tmp_path, "resume", fail_at="three")
    assert end == "rolled-back"
    undone = [word for word in done_in(tmp_path) if word.startswith("undo")]
    assert list(dict.fromkeys(undone)) == ["undo two", "undo one"]


def test_an_undo_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    """Design 5: the run ends stuck, with as much undone as can be."""
    assert go(tmp_path, "start", fail_at="three", stuck="two") == "stuck"
    assert done_in(tmp_path)[-2:] == ["undo two", "undo one"]
