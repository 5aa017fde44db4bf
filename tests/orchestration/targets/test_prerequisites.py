"""Secrets that a run needs, looked for before anything is made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import httpx
import pytest

from architecture.hydration import hydrate
from architecture.loading import loads
from orchestration.automation.stacks import StackOperations
from orchestration.conductor.state import PlanOutcome
from orchestration.environments import Environment
from orchestration.errors import PrerequisitesMissing
from orchestration.settings import Settings
from orchestration.targets.local import LocalTarget, stop_cloud_of
from orchestration.targets.prerequisites import PrerequisitesCheck
from orchestration.targets.seeding import seed_secret

PROJECT = "local-proj"
TEXT = """
name: shop
region: europe-west1
service_manager_spec:
  name: director
  service_account: director-sa
  deployment: {source_path: .}
  command_topic: {name: commands}
  completion_topic: {name: completions}
dataflows:
  orders:
    services:
      cart:
        service_account: cart-sa
        deployment:
          source_path: .
          secret_environment_vars:
            - {name: THERE, value_from: there, version: "1"}
            - {name: LATER, value_from: there, version: "2"}
            - {name: OFF, value_from: off, version: "1"}
            - {name: ABSENT, value_from: absent}
"""


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalTarget]:
    """A local cloud of this test's own."""
    (tmp_path / "Pulumi.yaml").write_text("name: conductor\nruntime: python\n")
    monkeypatch.setenv("CONDUCTOR_PROJECT_DIR", str(tmp_path))
    environment = Environment("dev", Settings.from_environment())
    yield LocalTarget(environment, project_id=PROJECT, region="", propagation="none")
    stop_cloud_of(environment)


def findings(target: LocalTarget, folder: Path) -> list[str]:
    """Check what a run would find missing."""
    arch = hydrate(
        loads(TEXT, folder / "shop.yaml").architecture, base_dir=folder, project_id=PROJECT
    )
    environment = Environment("dev", Settings.from_environment())
    # With findings, no stack is ever opened, and the plan is not looked at.
    check = PrerequisitesCheck(environment, arch, target, cast("StackOperations", None))
    with pytest.raises(PrerequisitesMissing) as missing:
        check.check(cast("PlanOutcome", None))
    return list(missing.value.findings)


def test_secrets_that_cannot_be_read_are_named_with_the_way_out(
    target: LocalTarget, tmp_path: Path
) -> None:
    """All in one report: absent ones, absent versions, versions that were switched off."""
    before = findings(target, tmp_path)
    assert len(before) == 4, before
    assert before[0].startswith(f"secret absent does not exist in project {PROJECT}: ")
    assert before[0].endswith("`conductor secrets set absent --env dev`")

    assert seed_secret(target, "there", b"x") == "1"
    assert seed_secret(target, "off", b"x") == "1"
    answer = httpx.post(
        f"{target.endpoints()['secretmanager']}/projects/{PROJECT}/secrets/off/versions/1:disable",
        json={},
        headers={"Authorization": f"Bearer {target.access_token()}"},
    )
    assert answer.is_success, answer.text
    after = [finding.partition(": ")[0] for finding in findings(target, tmp_path)]
    assert after == [
        f"secret absent does not exist in project {PROJECT}",
        "version 1 of secret off is disabled",
        f"secret there has no version 2 in project {PROJECT}",
    ]
