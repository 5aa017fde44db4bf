"""A small system in a folder and a local cloud of its own: previewed, brought up, tampered with.

The stacks, the engine, the cloud and the preview are the real ones. The services are a few lines
of Python each, and every stack is brought up by the deployer: what a director would do for a
dataflow is the same operation on the same stack.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from architecture.names import stack_name
from orchestration.artifacts.planner import ContextPreparer, LocalPlanner, read_architecture
from orchestration.artifacts.preflight import PreflightValidator
from orchestration.automation.engines import EngineName
from orchestration.automation.results import PlannedStep
from orchestration.conductor.assembly import preview_stacks, stack_operations
from orchestration.environments import Environment, TargetName
from orchestration.settings import Settings
from orchestration.targets.local import LocalTarget
from orchestration.targets.prerequisites import PrerequisitesCheck, stacks_of

ROOT = Path(__file__).parents[2]
PROJECT = "local-proj"
REGION = "europe-west1"
# Starts in 20 ms: no import but one, and no `site`.
SERVER = """\
import os, socket
listener = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
while True:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.0 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
"""
Operations = dict[str, set[tuple[str, str]]]


def service(name: str, **deployment: Any) -> dict[str, Any]:
    """Describe a service whose sources are in `sources/NAME`."""
    return {
        "service_account": f"{name}-sa",
        "deployment": {"source_path": "sources", "buildable_module_path": name, **deployment},
    }


def link(name: str) -> dict[str, Any]:
    """Link a service to a topic or a subscription."""
    return {"name": name, "lookup": {"key": f"{name}-link", "method": "yaml"}}


def sample() -> dict[str, Any]:
    """Describe two dataflows, one of which reads what the other writes."""
    return {
        "name": "shop",
        "region": REGION,
        "labels": {},
        "service_manager_spec": {
            "name": "director",
            **service("director"),
            "command_topic": link("command-topic"),
            "completion_topic": link("completion-topic"),
        },
        "dataflows": {
            "orders": {
                "services": {
                    "taker": {**service("taker"), "dependencies": ["director"]},
                    "packer": service("packer"),
                },
                "resources": {
                    "topics": [{"name": "placed", "producer_service": link("taker")}],
                    "subscriptions": [
                        {
                            "name": "placed-sub",
                            "topic": "placed",
                            "consumer_service": link("packer"),
                        }
                    ],
                },
            },
            "billing": {
                "services": {"biller": {**service("biller"), "dependencies": ["taker"]}},
                "resources": {
                    "topics": [{"name": "billed", "producer_service": link("biller")}],
                    "subscriptions": [
                        {"name": "to-bill", "topic": "placed", "consumer_service": link("biller")}
                    ],
                },
            },
        },
    }


@dataclass
class System:
    """One environment; `file` is its architecture, as somebody would edit it."""

    folder: Path
    file: dict[str, Any] = field(default_factory=sample)

    def __post_init__(self) -> None:
        shutil.copy(ROOT / "Pulumi.yaml", self.folder)
        for program in ("architecture", "components", "stacks"):
            (self.folder / program).symlink_to(ROOT / program)
        self.environment = Environment("local", Settings(self.folder))
        self.environment.make(target=TargetName.LOCAL, architecture_name="shop", project_id=PROJECT)
        self.target = LocalTarget(
            self.environment, project_id=PROJECT, region=REGION, propagation="none"
        )

    @property
    def sources(self) -> Path:
        """Where the services' sources are."""
        return self.folder / "sources"

    def preview(self) -> dict[str, tuple[PlannedStep, ...]]:
        """Say what `up` would do, by stack."""
        previews = preview_stacks(
            self.environment, self._read(), self.target, engine=EngineName.AUTO, refresh=True
        )
        return {preview.stack: preview.steps for preview in previews}

    def up(self) -> dict[str, tuple[PlannedStep, ...]]:
        """Bring every stack up in a run's order; say what was done, by stack."""
        file = self._read()
        operations = stack_operations(self.environment, self.target, EngineName.AUTO)
        plan = LocalPlanner(self.environment, file, PreflightValidator()).plan()
        PrerequisitesCheck(self.environment, file.architecture, self.target, operations).check(plan)
        ContextPreparer(self.environment, file.architecture).prepare()
        return {
            stack: operations.up(stack).steps for stack in stacks_of(self.environment.name, plan)
        }

    def _read(self) -> Any:
        for name in self.services():
            source = self.sources / name / "main.py"
            if not source.exists():
                source.parent.mkdir(parents=True)
                source.write_text(SERVER)
                (source.parent / "Procfile").write_text("web: python -S -E main.py\n")
        path = self.folder / "services.yaml"
        path.write_text(yaml.safe_dump(self.file, sort_keys=False))
        return read_architecture(path, environment="local", project_id=PROJECT)

    def services(self) -> list[str]:
        """Name every service, the director first."""
        flows = self.file["dataflows"].values()
        return ["director", *(name for flow in flows for name in flow["services"])]

    def call(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """Call an API of the local cloud behind everybody's back."""
        answer = self._request(method, path, body, query)
        answer.raise_for_status()
        return answer.json()

    def delete(self, path: str) -> None:
        """Delete a resource behind everybody's back."""
        self._request("DELETE", path).raise_for_status()

    def exists(self, path: str) -> bool:
        """Say whether a resource is there; one whose API is not enabled yet is not."""
        return self._request("GET", path).is_success

    def _request(
        self, method: str, path: str, body: Any = None, query: dict[str, str] | None = None
    ) -> httpx.Response:
        return httpx.request(
            method,
            f"{self.target.base_url}/{path}",
            params=query,
            content=None if body is None else json.dumps(body),
            headers={"Authorization": f"Bearer {self.target.access_token()}"},
            timeout=30,
        )


def operations(steps: dict[str, tuple[PlannedStep, ...]]) -> Operations:
    """Keep what changes something: operations with their URNs, by stack."""
    return {
        stack: {(step.operation, step.urn) for step in planned if not step.is_quiet}
        for stack, planned in steps.items()
    }


def stack_of(layer: Any, dataflow: str | None = None) -> str:
    """Name a stack of the environment."""
    return stack_name("local", layer, dataflow)
