"""What `conductor pulumi` does for one stack alone, whichever engine is behind it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

from end_to_end.project import COMMAND_TIMEOUT_S, ROOT, Rehearsal

FOUNDATION = "local.foundation"
DATAFLOW = "local.dataflow.tracer-flow"
Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class OneStack:
    """Pulumi's commands in the folder of a rehearsal."""

    rehearsal: Rehearsal
    engine: str
    environ: dict[str, str] = field(default_factory=dict)

    def __call__(self, *words: str) -> Done:
        """Run `conductor pulumi WORDS`."""
        command = [sys.executable, "-m", "orchestration.cli.main", "pulumi"]
        return self.shell(*command, "--engine", self.engine, *words)

    def shell(self, *words: str, **environ: str) -> Done:
        """Run any command in the project's folder."""
        return subprocess.run(
            words,
            env={
                **os.environ,
                **self.environ,
                "CONDUCTOR_PROJECT_DIR": str(self.rehearsal.folder),
                "PYTHONPATH": str(ROOT),
                **environ,
            },
            cwd=self.rehearsal.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )

    def variables(self) -> dict[str, str]:
        """Read what `conductor pulumi env` prints for programs."""
        done = self("env", "-s", FOUNDATION, "--json")
        assert done.returncode == 0, done.stderr
        found: dict[str, str] = json.loads(done.stdout)
        return found


def check_reading(pulumi: OneStack) -> None:
    """Look at one stack: nothing to change, its outputs, its history, the list."""
    for stack in (FOUNDATION, DATAFLOW):
        looked = pulumi("preview", "--expect-no-changes", "-s", stack)
        assert looked.returncode == 0, looked.stdout + looked.stderr
        assert "one stack alone" in looked.stdout
    outputs: dict[str, Any] = json.loads(pulumi("stack", "output", "--json", "-s", DATAFLOW).stdout)
    assert set(outputs["topics"]) == {"tracer-topic", "verify-topic"}
    assert FOUNDATION in pulumi("stack", "ls").stdout
    history = json.loads(pulumi("stack", "history", "--json", "-s", FOUNDATION).stdout)
    assert history[0]["result"] == "succeeded"
    assert pulumi("preview", "-s", "local.nothing").returncode == 6


def check_secrets(pulumi: OneStack) -> None:
    """Keep a secret in the configuration; it shows only where it is asked for."""
    said = "hunter-of-tests"
    assert (
        pulumi("config", "set", "conductor:t", "--secret", said, "-s", FOUNDATION).returncode == 0
    )
    assert said not in pulumi("config", "-s", FOUNDATION).stdout
    assert pulumi("config", "get", "conductor:t", "-s", FOUNDATION).stdout.strip() == said
    assert pulumi("config", "rm", "conductor:t", "-s", FOUNDATION).returncode == 0


def check_changing(pulumi: OneStack) -> None:
    """Take one dataflow's stack down and bring it up again, in the conductor's own state."""
    gone = pulumi("destroy", "--yes", "-s", DATAFLOW)
    assert gone.returncode == 0, gone.stdout + gone.stderr
    made = pulumi("up", "--yes", "-s", DATAFLOW)
    assert made.returncode == 0, made.stdout + made.stderr
    assert pulumi("refresh", "--yes", "--expect-no-changes", "-s", DATAFLOW).returncode == 0
