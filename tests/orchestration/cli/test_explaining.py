"""`conductor check --env X --explain`: every value, and where it comes from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestration.cli.main import app

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "testdata" / "architectures" / "tracer.yaml"
PROD = """
deployment_environments:
  prod:
    region: us-central1
    services:
      tracer-publisher: {max_instances: 5}
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The sample with an environment of its own, in a project folder of this test's."""
    (tmp_path / "Pulumi.yaml").write_text("name: conductor\nruntime: python\n")
    monkeypatch.setenv("CONDUCTOR_PROJECT_DIR", str(tmp_path))
    path = tmp_path / "tracer.yaml"
    path.write_text(SAMPLE.read_text() + PROD)
    return path


def explained(file: Path, *words: str) -> str:
    """Run the command; it must succeed."""
    done = CliRunner().invoke(app, ["check", str(file), "--explain", *words])
    assert done.exit_code == 0, done.output
    return done.output


def test_each_value_is_one_line_with_its_place(file: Path) -> None:
    """Step 3, item 7: what an environment has otherwise, and what it replaces."""
    lines = file.read_text().splitlines()
    region = lines.index("    region: us-central1") + 1
    said = explained(file, "--env", "prod").splitlines()
    assert (
        f'region = "us-central1"  # override: {file}:{region}:13: environment prod,'
        f" instead of europe-west1 (line {lines.index('region: europe-west1') + 1})"
    ) in said
    key = "dataflows.tracer-flow.services.tracer-publisher.deployment"
    assert f'{key}.cpu = "1"  # default: of every service' in said
    assert f'{key}.region = "us-central1"  # rule: the architecture\'s region' in said


def test_another_environment_gets_none_of_it(file: Path) -> None:
    """As JSON, one object a line."""
    items = [json.loads(line) for line in explained(file, "--env", "dev", "--json").splitlines()]
    by_key = {item["key"]: item for item in items}
    assert by_key["region"]["value"] == "europe-west1"
    assert by_key["region"]["source"] == "file"
    assert by_key["project_id"]["source"] == "option"
    assert not [item for item in items if item["source"] == "override"]


def test_a_wrong_override_is_a_finding(file: Path) -> None:
    """Exit 2, with the place and the nearest name."""
    file.write_text(
        file.read_text().replace("      tracer-publisher: {max", "      tracer-publishr: {max")
    )
    done = CliRunner().invoke(app, ["check", str(file), "--env", "prod", "--explain"])
    assert done.exit_code == 2
    assert "override-unknown" in done.output
    assert "did you mean `tracer-publisher`" in done.output
