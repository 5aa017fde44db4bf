"""Engines as commands called `pulumi`, and projects of their own to try them on."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
# Nothing may reach the internet: what is not on this machine fails at this closed port.
FENCE = {
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "127.0.0.1,localhost",
    "PULUMI_SKIP_UPDATE_CHECK": "true",
    "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
}
PASSPHRASE = "x"
# One salt for all stacks, so that what both engines encrypt can be compared.
SALT = "v1:MlqJpBLDLXg=:v1:OM7xVVNhmt7gaj+b:QHxpA6jBnX7kCpZz8o4sxcMsafc4jg=="
PROJECT = """\
name: twins
runtime:
  name: python
  options: {toolchain: pip, virtualenv: .venv}
main: program
"""
PRELUDE = """
import pulumi
from pulumi import Output, ResourceOptions as Options, Stash
class Group(pulumi.ComponentResource):
    def __init__(self, name, opts=None, **props):
        super().__init__("test:index:Group", name, props, opts)
config = pulumi.Config()
"""
COMMAND_TIMEOUT_S = 120


@dataclass(frozen=True)
class Engine:
    """An engine: the folder in which its `pulumi` is."""

    name: str
    folder: Path


def embedded(folder: Path) -> Engine:
    """Make a `pulumi` of the embedded engine's shell entry."""
    folder.mkdir(parents=True, exist_ok=True)
    command = folder / "pulumi"
    python = shlex.quote(sys.executable)
    command.write_text(f'#!/bin/sh\nexec {python} -m rehearsal.engine "$@"\n')
    command.chmod(0o755)
    return Engine("embedded", folder)


@dataclass(frozen=True)
class Done:
    """A command that has ended, and the events that it told of."""

    code: int
    stdout: str
    stderr: str
    events: list[dict[str, Any]]

    @property
    def said(self) -> str:
        """All that it said, for whoever reads a failed test."""
        return f"exit code {self.code}\n{self.stdout}\n{self.stderr}"


@dataclass(frozen=True)
class Place:
    """A project with its state beside it, in a folder of its own."""

    root: Path

    @classmethod
    def make(cls, root: Path) -> Place:
        """Make the project, with a stack's file for `dev` and for `other`."""
        for folder in ("state", "home", "program"):
            (root / folder).mkdir(parents=True)
        (root / "Pulumi.yaml").write_text(PROJECT)
        (root / ".venv").symlink_to(sys.prefix)
        for stack in ("dev", "other"):
            (root / f"Pulumi.{stack}.yaml").write_text(f"encryptionsalt: {SALT}\n")
        return cls(root)

    def program(self, text: str) -> None:
        """Write the program; `Stash`, `Group`, `Options`, `Output` and `config` are there."""
        (self.root / "program" / "__main__.py").write_text(PRELUDE + textwrap.dedent(text))

    def checkpoint_file(self, stack: str = "dev") -> Path:
        """Where a stack's checkpoint is."""
        return self.root / "state" / ".pulumi" / "stacks" / "twins" / f"{stack}.json"

    def run(self, engine: Engine, *words: str) -> Done:
        """Run a command line of an engine in the project."""
        log = self.root / "events.log"
        log.unlink(missing_ok=True)
        logged = words[0] in {"up", "preview", "refresh", "destroy"}
        done = subprocess.run(
            [
                str(engine.folder / "pulumi"),
                *("--non-interactive", "--color", "never"),
                *words,
                *(("--event-log", str(log)) if logged else ()),
            ],
            env={
                **os.environ,
                **FENCE,
                "PATH": f"{engine.folder}:{os.environ['PATH']}",
                "PYTHONPATH": str(ROOT),
                "PULUMI_HOME": str(self.root / "home"),
                "PULUMI_BACKEND_URL": f"file://{self.root}/state",
                "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
                "PULUMI_DEBUG_COMMANDS": "true",
            },
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        events = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return Done(done.returncode, done.stdout, done.stderr, events)
