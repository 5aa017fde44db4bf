"""The program on the embedded engine and a local cloud, through the Automation API."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from pulumi.automation import LocalWorkspaceOptions, Stack, create_or_select_stack

from architecture.hydration import hydrate
from architecture.loading import load
from architecture.rendering import to_yaml
from rehearsal.cloud import control
from rehearsal.cloud.info import CloudInfo
from rehearsal.engine.command import EmbeddedPulumi
from rehearsal.providers import PROVIDERS

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "testdata" / "architectures" / "tracer.yaml"
PROJECT = "local-proj"
LAYERS = ["local.foundation", "local.images", "local.dataflow.tracer-flow"]
ENDPOINTS = {
    "artifactRegistryCustomEndpoint": "artifactregistry/v1",
    "cloudRunV2CustomEndpoint": "run/v2",
    "iamBetaCustomEndpoint": "iam/v1",
    "pubsubCustomEndpoint": "pubsub/v1",
    "resourceManagerCustomEndpoint": "resourcemanager/v1",
    "serviceUsageCustomEndpoint": "serviceusage/v1beta1",
}


class Rehearsal:
    """The sample's stacks in a project folder of their own."""

    def __init__(self, folder: Path, cloud: CloudInfo) -> None:
        self._folder = folder
        self._engine = EmbeddedPulumi(PROVIDERS)
        self._environ = {
            "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "rehearsal",
            "GOOGLE_OAUTH_ACCESS_TOKEN": cloud.deployer_token,
        }
        for name in ("state", "environments", "contexts"):
            (folder / name).mkdir()
        shutil.copy(ROOT / "Pulumi.yaml", folder)
        (folder / "stacks").symlink_to(ROOT / "stacks")
        (folder / ".venv").symlink_to(sys.prefix)
        architecture = hydrate(
            load(SAMPLE).architecture, base_dir=SAMPLE.parent, project_id=PROJECT
        )
        (folder / "architecture.yaml").write_text(to_yaml(architecture))
        for _, service in architecture.services():
            context = folder / "contexts" / service.name
            context.mkdir()
            (context / "main.py").write_text(f"# {service.name}\n")
        base = f"http://127.0.0.1:{cloud.port}"
        self._config = {
            "conductor:architecture": "architecture.yaml",
            "conductor:contexts": "contexts",
            "conductor:environment": "local",
            "conductor:target": "local",
            "conductor:registry": f"127.0.0.1:{cloud.port}",
            "conductor:deployer": cloud.deployer,
            "gcp:project": PROJECT,
            "gcp:region": "europe-west1",
            **{f"gcp:{key}": f"{base}/{path}/" for key, path in ENDPOINTS.items()},
        }

    def stack(self, name: str) -> Stack:
        """Select a stack, made at its first use."""
        file = self._folder / "environments" / f"Pulumi.{name}.yaml"
        if not file.exists():
            file.write_text(yaml.safe_dump({"config": self._config}))
        options = LocalWorkspaceOptions(pulumi_command=self._engine, env_vars=self._environ)
        return create_or_select_stack(name, work_dir=str(self._folder), opts=options)


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[CloudInfo]:
    """Run a local cloud whose grants work at once."""
    data_dir = tmp_path / "cloud"
    try:
        yield control.start(data_dir, project_id=PROJECT, propagation="none")
    finally:
        control.stop(data_dir)


def test_layers_come_up_stay_as_they_are_and_go_without_a_trace(
    tmp_path: Path, cloud: CloudInfo
) -> None:
    """Up, up again with no change, destroy: the cloud is as it was (0.4, 0.5, 0.10)."""
    folder = tmp_path / "project"
    folder.mkdir()
    rehearsal = Rehearsal(folder, cloud)
    listed = (
        f"pubsub/v1/projects/{PROJECT}/topics",
        f"pubsub/v1/projects/{PROJECT}/subscriptions",
        f"iam/v1/projects/{PROJECT}/serviceAccounts",
        f"artifactregistry/v1/projects/{PROJECT}/locations/europe-west1/repositories",
    )

    def inventory() -> list[bool]:
        """Say of each kind of resource whether there are any."""
        token = {"Authorization": f"Bearer {cloud.deployer_token}"}
        return [
            bool(httpx.get(f"http://127.0.0.1:{cloud.port}/{path}", headers=token).json())
            for path in listed
        ]

    outputs = {}
    for name in LAYERS:
        result = rehearsal.stack(name).up()
        assert set(result.summary.resource_changes or {}) == {"create"}
        outputs |= {key: output.value for key, output in result.outputs.items()}
    assert outputs["topics"]["tracer-topic"] == f"projects/{PROJECT}/topics/tracer-topic"
    assert "@sha256:" in outputs["images"]["tracer-publisher"]
    assert inventory() == [True] * len(listed)

    for name in LAYERS:
        assert set(rehearsal.stack(name).up().summary.resource_changes or {}) == {"same"}

    for name in reversed(LAYERS):
        rehearsal.stack(name).destroy()
    assert inventory() == [False] * len(listed)
