"""What the embedded engine adds to a program: an `up` that changes nothing, against mocks.

    python benchmarks/engine.py [RESOURCES ...]

For stacks of 100 and 1,000 topics (or as many as told) it deploys once to a local cloud and then
prints, for an `up` with no change:

- program: seconds a fresh interpreter needs to run the same program with Pulumi's mocks;
- up: seconds of the whole operation in a process that has deployed before, as the conductor has;
- shell: seconds of the same in a process of its own (`python -m rehearsal.engine up`);
- memory: what the engine's process holds after the first of the ups, and what ten more add.

Each is the best of several. Ends with 1 where an `up` takes more than twice its program (step 9,
item 5).
"""

from __future__ import annotations

import contextlib
import gc
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pulumi import automation as auto

from rehearsal.cloud import control
from rehearsal.engine.command import EmbeddedPulumi
from rehearsal.providers import PROVIDERS

_SIZES: Final = (100, 1000)
_GOAL: Final = 2.0
_PASSES: Final = 5
_GROWTH_UPS: Final = 10
_PROJECT: Final = "local-proj"
_PROGRAM: Final = """
import pulumi
from pulumi_gcp import projects, pubsub
api = projects.Service("pubsub", service="pubsub.googleapis.com", disable_on_destroy=False)
group = pulumi.ComponentResource("bench:index:Topics", "topics")
for number in range({resources}):
    topic = pubsub.Topic(
        f"topic-{{number}}",
        name=f"topic-{{number}}",
        labels={{"number": str(number), "owner": "benchmark"}},
        message_retention_duration="86400s",
        opts=pulumi.ResourceOptions(parent=group, depends_on=[api]),
    )
pulumi.export("last", topic.id)
"""
_WITH_MOCKS: Final = """
import runpy, sys
import pulumi
class Mocks(pulumi.runtime.Mocks):
    def new_resource(self, args):
        return args.name, args.inputs
    def call(self, args):
        return {}
pulumi.runtime.set_mocks(Mocks())
@pulumi.runtime.test
def program():
    runpy.run_path(sys.argv[1], run_name="__main__")
program()
"""


def main(arguments: list[str]) -> int:
    """Measure each size, print a line each, and compare with the goal."""
    sizes = [int(argument) for argument in arguments] or list(_SIZES)
    return 0 if all([_measure(size) for size in sizes]) else 1  # noqa: C419 - show every line.


def _measure(resources: int) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        cloud = control.start(root / "cloud", project_id=_PROJECT, propagation="none")
        try:
            stack = _stack(root, resources, cloud.port, cloud.deployer_token)
            stack.up()
            _up(stack)
            memory_mb = _resident_mb()
            up_s = _best(lambda: _up(stack))
            for _ in range(_GROWTH_UPS):
                _up(stack)
            gc.collect()
            growth_mb = _resident_mb() - memory_mb
            shell_s = _best(lambda: _shell_up(root, stack))
        finally:
            control.stop(root / "cloud")
        program_s = _best(lambda: _run_with_mocks(root))
    sys.stdout.write(
        f"{resources:5} resources: program {program_s:.2f} s, up {up_s:.2f} s"
        f" ({up_s / program_s:.2f} times), shell {shell_s:.2f} s"
        f" ({shell_s / program_s:.2f} times), memory {memory_mb:.0f} MB,"
        f" {growth_mb:+.1f} MB after {_PASSES + _GROWTH_UPS} more\n"
    )
    return max(up_s, shell_s) <= _GOAL * program_s


def _stack(root: Path, resources: int, port: int, token: str) -> auto.Stack:
    (root / "Pulumi.yaml").write_text("name: bench\nruntime: python\n")
    (root / "__main__.py").write_text(_PROGRAM.format(resources=resources))
    (root / "state").mkdir()
    workspace = auto.LocalWorkspace(
        work_dir=str(root),
        pulumi_command=EmbeddedPulumi(PROVIDERS),
        env_vars={
            "PULUMI_BACKEND_URL": f"file://{root}/state",
            "PULUMI_CONFIG_PASSPHRASE": "benchmark",
            "PULUMI_HOME": str(root / "home"),
            "GOOGLE_OAUTH_ACCESS_TOKEN": token,
        },
    )
    stack = auto.Stack.create_or_select("dev", workspace)
    base = f"http://127.0.0.1:{port}"
    stack.set_all_config(
        {
            "gcp:project": auto.ConfigValue(_PROJECT),
            "gcp:pubsubCustomEndpoint": auto.ConfigValue(f"{base}/pubsub/v1/"),
            "gcp:serviceUsageCustomEndpoint": auto.ConfigValue(f"{base}/serviceusage/v1beta1/"),
            "gcp:resourceManagerCustomEndpoint": auto.ConfigValue(f"{base}/resourcemanager/v1/"),
        }
    )
    return stack


def _up(stack: auto.Stack) -> None:
    changes = stack.up(expect_no_changes=True).summary.resource_changes or {}
    assert set(changes) == {"same"}, changes


def _shell_up(root: Path, stack: auto.Stack) -> None:
    subprocess.run(
        [sys.executable, "-m", "rehearsal.engine", "up", "--yes", "--expect-no-changes"],
        cwd=root,
        env={
            **os.environ,
            **stack.workspace.env_vars,
            "PYTHONPATH": str(Path(__file__).parents[1]),
        },
        stdout=subprocess.DEVNULL,
        check=True,
    )


def _run_with_mocks(root: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", _WITH_MOCKS, "__main__.py"],
        cwd=root,
        stdout=subprocess.DEVNULL,
        check=True,
    )


def _best(work: Callable[[], None], passes: int = _PASSES) -> float:
    """The shortest of several runs in seconds: other programs on the machine only add to it."""
    times = []
    for _ in range(passes):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return min(times)


def _resident_mb() -> float:
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
