"""What `--builder` chooses, and what it leaves in the stacks' configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.automation.config import StackConfigFiles
from orchestration.automation.engines import EngineName
from orchestration.environments import Environment
from orchestration.errors import PrerequisitesMissing, UsageError
from orchestration.settings import Settings
from orchestration.targets.builders import DEFAULT_DAEMON, Builder, BuilderName, choose_builder


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """An environment that was never deployed, on a machine that names no docker host."""
    monkeypatch.setenv("CONDUCTOR_PROJECT_DIR", str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    (tmp_path / "Pulumi.yaml").write_text("name: conductor\nruntime: python\n")
    return Environment("dev", Settings.from_environment())


def record(environment: Environment, builder: Builder) -> None:
    """Write the configuration as a run does."""
    files = StackConfigFiles(environment.settings.stack_config_dir, environment.name)
    files.write("dev.images", builder.config(), without=("docker:host",))


def test_auto_needs_no_docker_until_docker_was_chosen(environment: Environment) -> None:
    """The first choice of `auto` is to assemble; afterwards it is what was chosen last."""

    def auto() -> BuilderName:
        return choose_builder(BuilderName.AUTO, EngineName.AUTO, environment).name

    assert auto() is BuilderName.ASSEMBLE
    record(environment, choose_builder(BuilderName.DOCKER, EngineName.AUTO, environment))
    assert auto() is BuilderName.DOCKER
    record(environment, choose_builder(BuilderName.ASSEMBLE, EngineName.AUTO, environment))
    assert auto() is BuilderName.ASSEMBLE


def test_daemon_is_where_docker_host_says(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon's socket goes into the configuration; other hosts are refused with a hint."""
    chosen = choose_builder(BuilderName.DOCKER, EngineName.EMBEDDED, environment)
    assert chosen.config() == {"conductor:builder": "docker", "docker:host": DEFAULT_DAEMON}
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/user/1000/docker.sock")
    chosen = choose_builder(BuilderName.DOCKER, EngineName.EMBEDDED, environment)
    assert chosen.daemon == "unix:///run/user/1000/docker.sock"
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.1:2375")
    with pytest.raises(UsageError) as refused:
        choose_builder(BuilderName.DOCKER, EngineName.EMBEDDED, environment)
    assert "--builder assemble" in refused.value.hint


def test_switching_back_leaves_no_daemon_in_the_configuration(environment: Environment) -> None:
    """What the provider would find of an earlier choice is removed; keys of others stay."""
    files = StackConfigFiles(environment.settings.stack_config_dir, environment.name)
    files.write("dev.images", {"other:key": "stays"})
    record(environment, Builder(BuilderName.DOCKER, DEFAULT_DAEMON))
    record(environment, Builder(BuilderName.ASSEMBLE))
    assert files.read("dev.images") == {"other:key": "stays", "conductor:builder": "assemble"}


def test_real_engine_builds_with_docker_only(environment: Environment) -> None:
    """The official provider finds its daemon itself, and cannot assemble."""
    chosen = choose_builder(BuilderName.AUTO, EngineName.PULUMI, environment)
    assert chosen.config() == {"conductor:builder": "docker"}
    with pytest.raises(UsageError, match="embedded engine"):
        choose_builder(BuilderName.ASSEMBLE, EngineName.PULUMI, environment)


def test_missing_daemon_is_found_before_anything_is_built(tmp_path: Path) -> None:
    """A daemon that does not answer is a missing prerequisite; assembling has none."""
    Builder(BuilderName.ASSEMBLE).require()
    with pytest.raises(
        PrerequisitesMissing, match="no docker daemon answers at unix://"
    ) as missing:
        Builder(BuilderName.DOCKER, f"unix://{tmp_path}/none.sock").require()
    assert "--builder assemble" in missing.value.hint
