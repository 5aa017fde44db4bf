"""A project folder of its own with the sample system, and the commands run in it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
COMMAND_TIMEOUT_S = 150


class Rehearsal:
    """One project folder with the sample system, and the commands run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copy(ROOT / "Pulumi.yaml", folder)
        ignored = shutil.ignore_patterns("__pycache__")
        # Copies: whoever edits the program during a test would change the director's digest.
        for program in ("architecture", "components", "stacks"):
            shutil.copytree(ROOT / program, folder / program, ignore=ignored)
        shutil.copytree(ROOT / "testdata", folder / "testdata", ignore=ignored)
        self.architecture = folder / "testdata" / "architectures" / "tracer.yaml"
        self.services = folder / "testdata" / "services"

    def environ(self) -> dict[str, str]:
        """Give the environment of this project's commands."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
        return {**inherited, "CONDUCTOR_PROJECT_DIR": str(self.folder), "NO_COLOR": "1"}

    def kill_at(self, line: str, *words: str, env: str = "local") -> None:
        """Run a command and kill it with -9 at the first output line that starts so."""
        self.signal_at(signal.SIGKILL, line, *words, env=env)

    def signal_at(
        self, number: signal.Signals, line: str, *words: str, env: str = "local"
    ) -> subprocess.CompletedProcess[str]:
        """Run a command, signal it at the first output line that starts so, see how it ends."""
        return self.at(line, number, *words, env=env)

    def at(
        self,
        line: str,
        what: signal.Signals | Callable[[], None],
        *words: str,
        env: str = "local",
    ) -> subprocess.CompletedProcess[str]:
        """Run a command; at the first output line that starts so, signal it or do something."""
        # A test run in the background ignores Ctrl-C, and its children would inherit that.
        program = (
            "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
            "from orchestration.cli.main import main; main()"
        )
        arguments = [sys.executable, "-c", program, *words, "--env", env]
        heard = []
        with (
            tempfile.TemporaryFile("w+") as stderr,
            subprocess.Popen(
                arguments,
                env=self.environ(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            ) as process,
        ):
            assert process.stdout is not None
            try:
                for said in process.stdout:
                    heard.append(said)
                    if said.startswith(line):
                        _do(what, process)
                        heard.append(process.stdout.read())
                        code = process.wait(COMMAND_TIMEOUT_S)
                        stderr.seek(0)
                        return subprocess.CompletedProcess(
                            arguments, code, "".join(heard), stderr.read()
                        )
            finally:
                # A test that ran out of time must not wait for it.
                process.kill()
        raise AssertionError(f"{line!r} was never said: {''.join(heard)}")

    def run(self, *words: str, env: str = "local") -> subprocess.CompletedProcess[str]:
        """Run `conductor WORDS --env ENV` to its end."""
        return subprocess.run(
            [sys.executable, "-m", "orchestration.cli.main", *words, "--env", env],
            env=self.environ(),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )

    def up(self, *words: str, env: str = "local") -> subprocess.CompletedProcess[str]:
        """Run `conductor up` on the sample."""
        return self.run("up", str(self.architecture), *words, env=env)

    def prove(self) -> subprocess.CompletedProcess[str]:
        """Run the demo's proof."""
        return subprocess.run(
            [sys.executable, str(self.folder / "testdata" / "prove_tracer.py"), "--env", "local"],
            env={**os.environ, "CONDUCTOR_PROJECT_DIR": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )

    def status(self, env: str = "local") -> dict[str, Any]:
        """Read `conductor status --json`."""
        done = self.run("status", "--json", env=env)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def run_record(self) -> dict[str, Any]:
        """Read the newest run's record."""
        newest = max((self.folder / ".conductor" / "local" / "runs").glob("*/run.json"))
        found: dict[str, Any] = json.loads(newest.read_text())
        return found

    def disturb(self, *rules: dict[str, Any]) -> None:
        """Put these fault rules in place of all that its local cloud has."""
        file = self.folder / "faults.yaml"
        file.write_text(json.dumps({"rules": rules}))
        done = self.run("cloud", "faults", "set", str(file))
        assert done.returncode == 0, done.stderr

    def calls(self) -> list[dict[str, Any]]:
        """Read every call that the local cloud has seen; none when it was never started."""
        path = self.folder / ".conductor" / "local" / "cloud" / "calls.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text().splitlines()]

    def revisions(self) -> dict[str, str]:
        """Name the revision that each service runs."""
        return {s["name"]: s["revision"] for s in self.status()["cloud"]["services"]}


def _do(what: signal.Signals | Callable[[], None], process: subprocess.Popen[str]) -> None:
    if isinstance(what, signal.Signals):
        process.send_signal(what)
    else:
        what()
