"""`resources.yaml` per service: what it holds, and where it is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from orchestration.artifacts.generator import ConfigGenerator
from orchestration.artifacts.planner import read_architecture
from orchestration.cli.main import app

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "testdata" / "architectures" / "tracer.yaml"
SHARED = os.environ.get("CONDUCTOR_SHARED_TESTDATA")
# Real files, a service of each, and the file that the upstream tool generated for it.
REAL = [
    ("tracer-hydrated", "sd-f84c06fb", "tracer-servicedirector"),
    ("tracer-hydrated", "tracer-publisher-f84c06fb", "tracer-tracer-publisher"),
    ("tracer-hydrated", "tracer-subscriber-f84c06fb", "tracer-tracer-subscriber"),
    ("bigquery-hydrated", "bigquery-service", "bigquery-bigquery"),
    ("bigquery", "bigquery-service", "bigquery-bigquery"),
]


def generate(source: Path, folder: Path) -> dict[str, object]:
    """Generate into a folder and read everything back."""
    file = read_architecture(source, environment="local", project_id="local-proj")
    files = ConfigGenerator(folder).generate(file.architecture)
    return {name: yaml.safe_load(path.read_text()) for name, path in files.items()}


def test_each_service_sees_exactly_its_links(tmp_path: Path) -> None:
    """0.7, 0.19: the publisher its topic, the subscriber its subscription and its topic."""
    found = generate(SAMPLE, tmp_path)
    publisher, subscriber = found["tracer-publisher"], found["tracer-subscriber"]
    assert isinstance(publisher, dict)
    assert isinstance(subscriber, dict)
    assert [topic["name"] for topic in publisher["topics"]] == ["tracer-topic"]
    assert "subscriptions" not in publisher
    assert [topic["name"] for topic in subscriber["topics"]] == ["verify-topic"]
    assert [item["name"] for item in subscriber["subscriptions"]] == ["tracer-sub"]


def test_it_needs_no_network_and_no_credentials(tmp_path: Path) -> None:
    """1.1: the command works with nothing but the file."""
    done = CliRunner().invoke(app, ["generate", str(SAMPLE), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "servicedirector" / "resources.yaml").is_file()


def test_folders_of_services_that_are_gone_are_deleted(tmp_path: Path) -> None:
    """The environment's own folder mirrors the architecture."""
    (tmp_path / "old-service").mkdir()
    generate(SAMPLE, tmp_path)
    assert not (tmp_path / "old-service").exists()


def test_a_folder_that_the_user_names_keeps_what_else_it_holds(tmp_path: Path) -> None:
    """`--out` never deletes what it did not write."""
    (tmp_path / "notes").mkdir()
    done = CliRunner().invoke(app, ["generate", str(SAMPLE), "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "notes").is_dir()


@pytest.mark.skipif(SHARED is None, reason="CONDUCTOR_SHARED_TESTDATA is not set")
@pytest.mark.parametrize(("source", "service", "generated"), REAL)
def test_the_command_writes_what_the_upstream_tool_wrote(
    tmp_path: Path, source: str, service: str, generated: str
) -> None:
    """Step 3, item 6: field for field, in the same order, for every kind of link there is."""
    real = Path(str(SHARED)) / "real"
    words = ["generate", str(real / f"{source}.services.yaml"), "--out", str(tmp_path)]
    done = CliRunner().invoke(app, [*words, "--env", "elsewhere"])
    assert done.exit_code == 0, done.output
    ours = yaml.safe_load((tmp_path / service / "resources.yaml").read_text())
    theirs = yaml.safe_load((real / f"{generated}.resources.yaml").read_text())
    assert yaml.safe_dump(ours, sort_keys=False) == yaml.safe_dump(theirs, sort_keys=False)


def test_names_that_a_suffix_makes_too_long_are_findings_of_the_file(tmp_path: Path) -> None:
    """Exit 2, all of them at once, each with what to do."""
    words = ["generate", str(SAMPLE), "--out", str(tmp_path), "--suffix", "long-long-long-long"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    found = [line for line in done.output.splitlines() if "bad-account-name" in line]
    assert len(found) == 3
    assert all(line.startswith(f"{SAMPLE}: error") and "shorten" in line for line in found)


def test_a_test_runs_files_name_its_resources(tmp_path: Path) -> None:
    """`--suffix` is on every name that the file tells a service."""
    words = ["generate", str(SAMPLE), "--out", str(tmp_path), "--suffix", "r1"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    found = yaml.safe_load((tmp_path / "tracer-publisher-r1" / "resources.yaml").read_text())
    (topic,) = found["topics"]
    assert topic["name"] == "tracer-topic-r1"
    assert topic["producer_service"]["name"] == "tracer-publisher-r1"
