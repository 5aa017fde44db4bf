"""`conductor secrets set`: values get in and never come out."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner, Result

from orchestration.cli.main import app

VALUE = "a-value-that-nobody-may-see"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project folder of this test's own; a local cloud that it starts is stopped."""
    (tmp_path / "Pulumi.yaml").write_text("name: conductor\nruntime: python\n")
    monkeypatch.setenv("CONDUCTOR_PROJECT_DIR", str(tmp_path))
    yield tmp_path
    CliRunner().invoke(app, ["cloud", "stop", "--env", "local"])


def set_secret(*words: str, value: str = "") -> Result:
    """Run the command with a value on standard input."""
    return CliRunner().invoke(app, ["secrets", "set", *words], input=value)


def stored(project: Path, name: str, version: str) -> bytes:
    """Read a value as the cloud's owner."""
    info = json.loads((project / ".conductor" / "local" / "cloud" / "cloud.json").read_text())
    path = f"secretmanager/v1/projects/local-proj/secrets/{name}/versions/{version}:access"
    answer = httpx.get(
        f"http://127.0.0.1:{info['port']}/{path}",
        headers={"Authorization": f"Bearer {info['deployer_token']}"},
    )
    assert answer.is_success, answer.text
    return base64.b64decode(answer.json()["payload"]["data"])


def test_each_value_is_a_version_to_pin(project: Path) -> None:
    """From standard input without its line break, from a file as it is; never shown or logged."""
    first = set_secret("db-password", value=f"{VALUE}\n")
    assert first.exit_code == 0, first.output
    assert "version: 1" in first.output
    file = project / "value"
    file.write_bytes(f"{VALUE}2\n".encode())
    second = set_secret("db-password", "--from-file", str(file), "--json")
    assert json.loads(second.output) == {
        "secret": "db-password",
        "version": "2",
        "environment": "local",
        "project": "local-proj",
    }
    assert stored(project, "db-password", "1") == VALUE.encode()
    assert stored(project, "db-password", "2") == f"{VALUE}2\n".encode()
    assert VALUE not in first.output + second.output
    file.unlink()
    holding = [p for p in project.rglob("*") if p.is_file() and VALUE.encode() in p.read_bytes()]
    assert holding == []


@pytest.mark.parametrize(
    ("words", "value", "said"),
    [
        (["no spaces"], VALUE, "is no name of a secret"),
        (["empty"], "", "the value of secret empty is empty"),
        (["large"], "x" * 65_537, "65537 bytes"),
        (["absent", "--from-file", "nowhere"], "", "nowhere cannot be read"),
    ],
)
def test_what_secret_manager_would_refuse_is_refused_at_once(
    project: Path, words: list[str], value: str, said: str
) -> None:
    """Exit 2 with one line that does not hold the value; no cloud is started."""
    done = set_secret(*words, value=value)
    assert done.exit_code == 2
    assert said in done.output
    assert VALUE not in done.output
    assert not (project / ".conductor").exists()
