"""The sample services, as modules to look into and as processes to run."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import IO

import pytest

TESTDATA = Path(__file__).parents[2] / "testdata"
SERVICES = TESTDATA / "services"

RESOURCES = {
    "tracer-publisher": """
topics:
    - name: traces
      producer_service: {name: tracer-publisher, lookup: {key: tracer-topic-id, method: yaml}}
""",
    "tracer-subscriber": """
topics:
    - name: verified
      producer_service: {name: tracer-subscriber, lookup: {key: verify-topic-id, method: yaml}}
subscriptions:
    - name: traces-sub
      topic: traces
      consumer_service:
          name: tracer-subscriber
          lookup: {key: tracer-subscription-id, method: yaml}
""",
    "servicedirector": """
topics:
    - name: completions
      producer_service: {name: servicedirector, lookup: {key: completion-topic-id, method: yaml}}
subscriptions:
    - name: commands-sub
      topic: commands
      consumer_service:
          name: servicedirector
          lookup: {key: command-subscription-id, method: yaml}
""",
}


class RunningService:
    """A sample service that runs as a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        self._log: IO[str] = process.stdout

    def wait_for(self, message: str) -> dict[str, object]:
        """Read the log until a message appears in it, and return that entry."""
        for line in self._log:
            entry: dict[str, object] = json.loads(line)
            if entry["message"] == message:
                return entry
        raise AssertionError(f"the service ended without saying {message!r}")

    def url(self) -> str:
        """Wait until the service serves, and return where."""
        return f"http://127.0.0.1:{self.wait_for('serving')['port']}"


def load(path: Path) -> ModuleType:
    """Load a program that is no part of a package."""
    name = f"testdata_{path.parent.name}_{path.stem}".replace("-", "_")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def publisher() -> ModuleType:
    """Load the sample publisher's program."""
    return load(SERVICES / "tracer-publisher" / "main.py")


@pytest.fixture(scope="module")
def subscriber() -> ModuleType:
    """Load the sample subscriber's program."""
    return load(SERVICES / "tracer-subscriber" / "main.py")


@pytest.fixture(scope="module")
def prove_tracer() -> ModuleType:
    """Load the demo's proof."""
    return load(TESTDATA / "prove_tracer.py")


@pytest.fixture
def resources_file(tmp_path: Path) -> Callable[[str], Path]:
    """Write a service's `resources.yaml` and return where it is."""

    def write(service: str) -> Path:
        file = tmp_path / f"{service}.yaml"
        file.write_text(RESOURCES[service])
        return file

    return write


@pytest.fixture
def run_service(
    resources_file: Callable[[str], Path],
) -> Callable[..., contextmanager[RunningService]]:
    """Run a sample service as a process; it is ended with the block."""

    @contextmanager
    def run(service: str, **environ: str) -> Iterator[RunningService]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name not in {"PROJECT_ID", "GOOGLE_CLOUD_PROJECT", "PUBSUB_EMULATOR_HOST", "HOST"}
        }
        with subprocess.Popen(
            [sys.executable, "main.py"],
            cwd=SERVICES / service,
            env={
                **inherited,
                "PORT": "0",
                "RESOURCES_FILE": str(resources_file(service)),
                **environ,
            },
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield RunningService(process)
            finally:
                process.kill()

    return run
