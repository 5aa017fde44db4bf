"""A Pulumi project in a folder, worked on by the real Automation API."""

from __future__ import annotations

import json
import os
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fake_provider import World
from pulumi import automation as auto

from rehearsal.engine.command import EmbeddedPulumi
from rehearsal.engine.programs.processes import Launcher, ZygoteLauncher
from rehearsal.engine.secrets.codec import StateCodec
from rehearsal.engine.secrets.passphrase import unlock
from rehearsal.engine.state import checkpoint
from rehearsal.engine.state.checkpoint import Snapshot

# One salt for all stacks, so that a test process derives its key once.
SALT = "v1:MlqJpBLDLXg=:v1:OM7xVVNhmt7gaj+b:QHxpA6jBnX7kCpZz8o4sxcMsafc4jg=="
PASSPHRASE = "x"
PRELUDE = """
import pulumi
from pulumi import ResourceOptions as Options
class Thing(pulumi.CustomResource):
    url: pulumi.Output[str]
    name: pulumi.Output[str]
    def __init__(self, resource_name, opts=None, **props):
        outputs = {"url": None, "name": None}
        super().__init__("fake:index:Thing", resource_name, {**outputs, **props}, opts)
class Group(pulumi.ComponentResource):
    def __init__(self, name, opts=None, **props):
        super().__init__("test:index:Group", name, props, opts)
config = pulumi.Config()
"""


def shared_launcher() -> ZygoteLauncher:
    """Make a launcher that preloads only what the tests' programs need."""
    return ZygoteLauncher(["pulumi", "pulumi.runtime", "rehearsal.engine.programs.runner"])


class Bench:
    """A project `demo` with its state beside it."""

    def __init__(self, root: Path, world: World, launcher: Launcher, *, name: str = "demo") -> None:
        self.root = root
        self.world = world
        self.name = name
        self.engine = EmbeddedPulumi({"fake": world.provider}, launcher=launcher)
        for folder in ("state", "stacks", "environments"):
            (root / folder).mkdir(exist_ok=True)
        if not (root / "Pulumi.yaml").exists():
            # Several processes may work in one project.
            (root / "Pulumi.yaml").write_text(
                f"name: {name}\nruntime: python\nmain: stacks\nstackConfigDir: environments\n"
            )
        self.environ = {
            "PULUMI_BACKEND_URL": f"file://{root}/state",
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_HOME": str(root / "home"),
        }

    def program(self, text: str) -> None:
        """Write the program; `Thing`, `Group`, `Options` and `config` are there already."""
        (self.root / "stacks" / "__main__.py").write_text(PRELUDE + textwrap.dedent(text))

    def workspace(self) -> auto.LocalWorkspace:
        """Open the project with the Automation API."""
        return auto.LocalWorkspace(
            work_dir=str(self.root), pulumi_command=self.engine, env_vars=self.environ
        )

    def stack(self, name: str = "dev") -> auto.Stack:
        """Create or select a stack."""
        file = self.root / "environments" / f"Pulumi.{name}.yaml"
        if not file.exists():
            file.write_text(f"encryptionsalt: {SALT}\n")
        return auto.Stack.create_or_select(name, self.workspace())

    def checkpoint_file(self, stack: str = "dev") -> Path:
        """Where a stack's checkpoint is."""
        return self.root / "state" / ".pulumi" / "stacks" / self.name / f"{stack}.json"

    def latest(self, stack: str = "dev") -> dict[str, Any]:
        """Read a stack's deployment from its checkpoint."""
        document = json.loads(self.checkpoint_file(stack).read_text())
        latest: dict[str, Any] = document["checkpoint"]["latest"]
        return latest

    def snapshot(self, stack: str = "dev") -> Snapshot:
        """Read a stack's checkpoint with its secrets opened."""
        latest = self.latest(stack)
        codec = StateCodec(lambda: unlock(checkpoint.salt_of(latest), PASSPHRASE))
        return checkpoint.read(latest, codec)

    @property
    def full_environ(self) -> dict[str, str]:
        """The environment of a command line in this project."""
        return {**os.environ, **self.environ}

    def resources(self, stack: str = "dev") -> dict[str, dict[str, Any]]:
        """Read a stack's resources by name; default providers are left out."""
        return {
            item["urn"].rpartition("::")[2]: item
            for item in self.latest(stack).get("resources", [])
            if not item["type"].startswith("pulumi:providers:")
        }


def steps(events: list[auto.EngineEvent]) -> list[tuple[str, str]]:
    """Reduce events to the operations that began, with the resource's name."""
    return [
        (
            str(event.resource_pre_event.metadata.op.value),
            _name(event.resource_pre_event.metadata.urn),
        )
        for event in events
        if event.resource_pre_event is not None
        and "pulumi:providers:" not in event.resource_pre_event.metadata.urn
    ]


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]


def wait_until(condition: Callable[[], bool], *, within_s: float = 20.0) -> None:
    """Wait for a condition, failing when it does not come true."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def is_running(pid: str) -> bool:
    """Tell whether a process exists and is no zombie that nobody has collected."""
    try:
        return ") Z" not in Path("/proc", pid, "stat").read_text()
    except OSError:
        return False
