"""Commands that change an environment, while another machine holds its lease."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestration.cli.main import app
from orchestration.durable.database import opened_database
from orchestration.durable.lease import LeaseTerms, take_lease
from orchestration.environments import Environment, TargetName
from orchestration.settings import Settings

CHANGING = {
    "destroy": ("destroy", "--env", "dev", "--yes"),
    "destroy of a dataflow": ("destroy", "--env", "dev", "--dataflow", "orders", "--yes"),
    "pulumi up": ("pulumi", "--env", "dev", "up", "-s", "dev.foundation", "--yes"),
    "pulumi destroy": ("pulumi", "--env", "dev", "destroy", "-s", "dev.foundation", "--yes"),
    "pulumi refresh": ("pulumi", "--env", "dev", "refresh", "-s", "dev.foundation", "--yes"),
    "overrides remove": ("overrides", "remove", "cart", "--env", "dev"),
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project folder with environment `dev`, which another machine changes at this moment."""
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: conductor\nruntime: python\n")
    monkeypatch.setenv("CONDUCTOR_PROJECT_DIR", str(folder))
    url = f"sqlite:///{tmp_path / 'shared.sqlite'}"
    monkeypatch.setenv("CONDUCTOR_DATABASE_URL", url)
    Environment("dev", Settings(folder)).make(
        target=TargetName.LOCAL, architecture_name="shop", project_id="p1"
    )
    elsewhere = Environment("dev", Settings(tmp_path / "elsewhere"))
    with opened_database(url) as engine:
        take_lease(engine, elsewhere, "conductor up --env dev", LeaseTerms(length_s=600))
        yield folder


@pytest.mark.parametrize("words", CHANGING.values(), ids=CHANGING)
def test_a_command_that_changes_an_environment_needs_its_lease(
    project: Path, words: tuple[str, ...]
) -> None:
    """Step 4, item 2: it is refused at once, with the holder's name, host and age."""
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 3, done.output
    assert "environment-busy" in done.stderr
    assert "`conductor up --env dev`" in done.stderr
    assert socket.gethostname() in done.stderr
    assert re.search(r"for \d+ s", done.stderr)
    assert not (project / ".conductor" / "dev" / "cloud").exists()


def test_what_changes_nothing_needs_no_lease(project: Path) -> None:
    """Whoever only looks is not kept out."""
    done = CliRunner().invoke(app, ["runs", "--env", "dev", "--json"])
    assert (done.exit_code, json.loads(done.stdout)) == (0, {"runs": []})
    assert project.exists()
