"""Declares whole layers of a small system against Pulumi's mocks."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from architecture.hydration import hydrate
from architecture.loading import loads
from architecture.rendering import to_yaml
from stacks.context import read_context
from stacks.program import declaration_of

if TYPE_CHECKING:
    from tests.components.conftest import Program, Recording

# Test folders are no packages: the recorder of `tests/components` is loaded by its path.
_spec = importlib.util.spec_from_file_location(
    "pulumi_recorder", Path(__file__).parents[1] / "components" / "conftest.py"
)
assert _spec is not None
assert _spec.loader is not None
_recorder = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = _recorder
_spec.loader.exec_module(_recorder)

ARCHITECTURE = """
name: shop
project_id: shop-project
region: europe-west1
labels: {team: blue}
service_manager_spec:
  name: director
  service_account: director-sa
  deployment: {source_path: .}
  health_check: {path: /health/ready}
  command_topic: {name: commands, lookup: {key: commands, method: yaml}}
  completion_topic: {name: completions, lookup: {key: completions, method: yaml}}
dataflows:
  orders:
    services:
      front:
        service_account: front-sa
        dependencies: [back]
        deployment:
          source_path: .
          min_instances: 1
          environment_vars: {MODE: fast}
          secret_environment_vars: [{name: PASSWORD, value_from: front-password, version: "3"}]
        health_check: {path: /health/ready}
      back:
        service_account: back-sa
        dependencies: [director]
        deployment: {source_path: .}
      silent:
        service_account: back-sa
    resources:
      topics:
        - name: orders
          labels: {kind: new}
          teardown_protection: true
          message_retention_duration: 31d
          producer_service: {name: front}
        - {name: dead}
      subscriptions:
        - name: orders-sub
          topic: orders
          consumer_service: {name: back}
          ack_deadline_seconds: 30
          message_retention_duration: 7d
          retry_policy: {minimum_backoff: 1s, maximum_backoff: 1m}
          dead_letter_policy: {topic: dead, max_delivery_attempts: 5}
"""


class Layers:
    """Runs the program for one stack after another."""

    def __init__(self, program: Program, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self.config = {
            "conductor:architecture": str(folder / "architecture.yaml"),
            "conductor:environment": "test",
            "conductor:target": "local",
            "conductor:registry": "127.0.0.1:5000",
            "conductor:deployer": "user:developer@local.test",
            "conductor:contexts": str(folder / "contexts"),
            "conductor:directorEnvironment": '{"LEDGER": "here"}',
            "gcp:project": "shop-project",
            "gcp:region": "europe-west1",
        }
        self.write(ARCHITECTURE)

    def write(self, text: str) -> None:
        """Hydrate an architecture and make it the one that the stacks read."""
        path = self._folder / "architecture.yaml"
        hydrated = hydrate(loads(text, path).architecture, base_dir=self._folder)
        path.write_text(to_yaml(hydrated))

    def predict(self, outputs: Mapping[str, Mapping[str, Any]]) -> str:
        """Write a file of predicted outputs."""
        path = self._folder / "upstream.json"
        path.write_text(json.dumps(outputs))
        return str(path)

    def declare(
        self,
        stack: str,
        *,
        preview: bool = False,
        stacks: Mapping[str, Any] | None = None,
        config: Mapping[str, str | None] | None = None,
    ) -> Recording:
        """Declare a stack; `stacks` are the outputs that stack references find."""
        merged = {**self.config, **(config or {})}

        def declare_layer() -> Mapping[str, Any]:
            context = read_context()
            return declaration_of(context.name.layer)(context)

        return self._program.run(
            declare_layer,
            stack=stack,
            preview=preview,
            stacks=stacks,
            config={key: value for key, value in merged.items() if value is not None},
        )


@pytest.fixture
def layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layers:
    """Declare the layers of a small system."""
    monkeypatch.delenv("CONDUCTOR_UPSTREAM", raising=False)
    return Layers(_recorder.Program(), tmp_path)


@pytest.fixture
def predicted(layers: Layers, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give the program predicted outputs, as the conductor's preview does."""

    def predict(outputs: Mapping[str, Mapping[str, Any]]) -> None:
        monkeypatch.setenv("CONDUCTOR_UPSTREAM", layers.predict(outputs))

    return predict
