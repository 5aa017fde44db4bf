"""A project folder of its own with the sample system, and the commands run in it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, TypeAlias

import httpx

ROOT = Path(__file__).parents[2]
COMMAND_TIMEOUT_S = 150

# A signal to the command, or whatever else is to happen meanwhile.
Action: TypeAlias = "signal.Signals | Callable[[], object]"


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

    def without_preflight(self) -> Self:
        """Have the services' pre-flight tests pass at once, where they are not what is tested."""
        for folder in self.services.iterdir():
            # It goes before the Python test, and costs nothing.
            test = folder / "preflight"
            test.write_text("#!/bin/sh\n")
            test.chmod(0o755)
        return self

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
        self, line: str, what: Action, *words: str, env: str = "local"
    ) -> subprocess.CompletedProcess[str]:
        """Run a command; at the first output line that starts so, signal it or do something."""
        return self.watched({line: what}, *words, env=env)

    def watched(
        self, actions: Mapping[str, Action], *words: str, env: str = "local"
    ) -> subprocess.CompletedProcess[str]:
        """Run a command; do each action at the first output line that starts as its key says."""
        # A test run in the background ignores Ctrl-C, and its children would inherit that.
        program = (
            "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
            "from orchestration.cli.main import main; main()"
        )
        arguments = [sys.executable, "-c", program, *_said(words, env)]
        heard = []
        left = dict(actions)
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
                    for line in [line for line in left if said.startswith(line)]:
                        _do(left.pop(line), process)
                code = process.wait(COMMAND_TIMEOUT_S)
            finally:
                # A test that ran out of time must not wait for it.
                process.kill()
            stderr.seek(0)
            assert not left, f"{list(left)} was never said: {''.join(heard)}{stderr.read()}"
            return subprocess.CompletedProcess(arguments, code, "".join(heard), stderr.read())

    def run(
        self, *words: str, env: str = "local", said: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run `conductor WORDS --env ENV` to its end; it reads what is `said` to it."""
        return subprocess.run(
            [sys.executable, "-m", "orchestration.cli.main", *_said(words, env)],
            env=self.environ(),
            cwd=self.folder,
            input=said,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )

    def set_secret(self, name: str, value: str, env: str = "local") -> str:
        """Give a secret a value; return what the command says of it."""
        done = self.run("secrets", "set", name, env=env, said=f"{value}\n")
        assert done.returncode == 0, done.stderr
        return done.stdout

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
        self._ask_cloud("PUT", "faults", {"rules": rules})

    def faults(self) -> list[dict[str, Any]]:
        """Read the fault rules in force, with how often each struck."""
        found: list[dict[str, Any]] = self._ask_cloud("GET", "faults")["rules"]
        return found

    def calls(self) -> list[dict[str, Any]]:
        """Read every call that the local cloud has seen; none when it was never started."""
        path = self.folder / ".conductor" / "local" / "cloud" / "calls.jsonl"
        if not path.exists():
            return []
        # One that is just being written, or was when the cloud was killed, has no end.
        lines = [line for line in path.read_text().splitlines() if line.endswith("}")]
        return [json.loads(line) for line in lines]

    def cloud_record(self) -> dict[str, Any]:
        """Read what the local cloud has written down of itself."""
        path = self.folder / ".conductor" / "local" / "cloud" / "cloud.json"
        found: dict[str, Any] = json.loads(path.read_text())
        return found

    def service_process(self, name: str) -> int | None:
        """Ask the local cloud for the process of a service; None when it does not run."""
        try:
            listed = self._ask_cloud("GET", "services")["services"]
        except httpx.HTTPError:
            return None
        found: dict[str, int | None] = {
            item["name"].rpartition("/")[2]: item["pid"] for item in listed
        }
        return found.get(name)

    def _ask_cloud(self, method: str, what: str, body: object = None) -> dict[str, Any]:
        """Call one of the local cloud's own routes, in a moment: commands take a second."""
        record = self.cloud_record()
        answer = httpx.request(
            method,
            f"http://127.0.0.1:{record['port']}/_local/{what}",
            headers={"Authorization": f"Bearer {record['deployer_token']}"},
            json=body,
        )
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def revisions(self) -> dict[str, str]:
        """Name the revision that each service runs."""
        return {s["name"]: s["revision"] for s in self.status()["cloud"]["services"]}


def _do(what: Action, process: subprocess.Popen[str]) -> None:
    if isinstance(what, signal.Signals):
        process.send_signal(what)
    else:
        what()


def _said(words: tuple[str, ...], env: str) -> list[str]:
    # A run that is named has its environment with it.
    return list(words) if words[0] == "resume" else [*words, "--env", env]
