"""What `conductor doctor` finds on a machine that lacks this and that."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestration import diagnosis
from orchestration.cli.main import app
from orchestration.diagnosis import Health, examine
from orchestration.environments import Environment, TargetName
from orchestration.settings import Settings
from rehearsal.cloud.info import CloudInfo

Found = tuple[str, str, str]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder of this test's own, and a user without credentials or docker."""
    (tmp_path / "Pulumi.yaml").write_text("name: conductor\nruntime: python\n")
    monkeypatch.setenv("CONDUCTOR_PROJECT_DIR", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'docker.sock'}")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    return tmp_path


def doctor(*words: str) -> tuple[int, list[Found]]:
    """Run the command; give its code and what it found as (subject, health, what)."""
    done = CliRunner().invoke(app, ["doctor", "--json", *words])
    listed = json.loads(done.output)["findings"]
    return done.exit_code, [(item["subject"], item["health"], item["what"]) for item in listed]


def environment(project: Path, name: str = "dev") -> Environment:
    """Make an environment."""
    made = Environment(name, Settings(project))
    made.make(target=TargetName.LOCAL, architecture_name="shop", project_id="local-proj")
    return made


def test_a_machine_with_python_alone_can_rehearse() -> None:
    """No pulumi, docker or credentials: all optional, each with what to do about it."""
    code, found = doctor()
    assert code == 0
    optional = {subject for subject, health, _ in found if health == "optional"}
    assert optional == {"engine", "docker", "credentials"}
    advised = [i for i in examine(Settings.from_environment(), None) if i.health is not Health.OK]
    assert all(item.advice for item in advised)


def test_people_read_one_line_a_thing() -> None:
    """Marks, subjects, and an arrow before what to do."""
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 0
    assert "→ install Pulumi 3.206 or newer" in done.output
    assert "everything is there that a rehearsal on this machine needs" in done.output


def test_a_package_that_is_not_as_pinned_is_a_problem(project: Path) -> None:
    """Versions are compared with the lock; what is for other systems only is not missed."""
    (project / "requirements.lock").write_text(
        "pulumi==1.0.0 \\\n    --hash=sha256:aa\n"
        "no-such-package==1.0 \\\n    --hash=sha256:bb\n"
        "pywin-only==1.0 ; sys_platform == 'win32' \\\n    --hash=sha256:cc\n"
    )
    code, found = doctor()
    assert code == 3
    (problem,) = [what for _, health, what in found if health == "problem"]
    assert problem.startswith("2 packages not as requirements.lock pins: pulumi is ")
    assert problem.endswith("not 1.0.0, no-such-package is missing")


def test_credentials_that_cannot_be_read_are_a_problem(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that points nowhere would fail much later; a good file is named."""
    file = project / "key.json"
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    assert doctor()[0] == 3
    file.write_text("{}")
    assert doctor()[0] == 0
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    (project / "gcloud").mkdir()
    (project / "gcloud" / diagnosis.CREDENTIALS_FILE).write_text("{}")
    assert ("credentials", "ok") in [(subject, health) for subject, health, _ in doctor()[1]]


def test_an_environment_whose_record_is_broken_is_a_problem(project: Path) -> None:
    """Looking goes on past it: the other environment is told as well."""
    environment(project, "dev")
    environment(project, "test").record_file.write_text("{")
    code, found = doctor()
    assert code == 3
    by_subject = {subject: health for subject, health, _ in found}
    assert by_subject["environment dev"] == "ok"
    assert by_subject["environment test"] == "problem"


def test_a_taken_port_is_a_problem(project: Path) -> None:
    """The ports that a local cloud has chosen must be free while it does not run."""
    made = environment(project)
    made.cloud_dir.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        CloudInfo(
            pid=1,
            port=port,
            pubsub_port=port,
            project_id="local-proj",
            project_number="1",
            deployer="user:a",
            deployer_token="t",
            data_dir=made.cloud_dir,
        ).write()
        assert doctor("--env", "dev")[0] == 3
    code, found = doctor("--env", "dev")
    assert code == 0
    assert any(f"its ports {port}, {port} are free" in what for _, _, what in found)


def test_little_space_is_a_problem(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found before a run ends half-way."""
    monkeypatch.setattr(diagnosis, "LITTLE_SPACE_BYTES", 1 << 60)
    code, found = doctor()
    assert code == 3
    (problem,) = [what for _, health, what in found if health == "problem"]
    assert problem.startswith(str(project / ".conductor"))


def test_an_unknown_environment_is_a_wrong_call() -> None:
    """Exit 2, as everywhere."""
    done = CliRunner().invoke(app, ["doctor", "--env", "nope"])
    assert done.exit_code == 2
    assert "there is no environment 'nope'" in done.output
