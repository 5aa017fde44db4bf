"""Environments on disk: what they were made for, and who runs in them."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.environments import Environment, TargetName, known_environments
from orchestration.errors import EnvironmentBusy, EnvironmentMismatch, UsageError
from orchestration.settings import Settings

HOLD = """
import sys
from pathlib import Path
from orchestration.environments import Environment
from orchestration.settings import Settings
with Environment("dev", Settings(Path(sys.argv[1]))).locked("conductor up --env dev"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """An environment that was never made."""
    return Environment("dev", Settings(tmp_path))


def make(environment: Environment, name: str = "shop") -> None:
    """Make it for an architecture."""
    environment.make(target=TargetName.LOCAL, architecture_name=name, project_id="p1")


def test_an_environment_remembers_what_it_was_made_for(environment: Environment) -> None:
    """Design 1: one deployed copy of one architecture."""
    make(environment)
    make(environment)
    assert environment.require_record().architecture_name == "shop"
    assert known_environments(environment.settings) == ["dev"]


def test_another_architecture_is_refused(environment: Environment) -> None:
    """Design 1: exit 3, with both names."""
    make(environment)
    with pytest.raises(EnvironmentMismatch, match="'shop', not 'other'") as caught:
        make(environment, "other")
    assert caught.value.exit_code == 3


def test_a_suffix_stays_with_the_environment(environment: Environment) -> None:
    """Asked for or not, an environment's names end as they did when it was made."""
    assert environment.suffix(None) == ""
    assert environment.suffix("r1") == "r1"
    environment.make(
        target=TargetName.LOCAL, architecture_name="shop", project_id="p1", name_suffix="r1"
    )
    assert environment.suffix(None) == "r1"
    assert environment.suffix("r1") == "r1"
    for other in ("r2", ""):
        with pytest.raises(EnvironmentMismatch, match="holds suffix 'r1'"):
            environment.suffix(other)


def test_the_passphrase_is_for_its_owner_only(environment: Environment) -> None:
    """Secrets of the state are readable by nobody else."""
    make(environment)
    assert stat.S_IMODE(environment.passphrase_file.stat().st_mode) == 0o600


def test_an_unknown_environment_is_told_with_the_known_ones(environment: Environment) -> None:
    """A mistyped name is answered with the names there are."""
    make(environment)
    with pytest.raises(UsageError, match="known: dev"):
        Environment("prod", environment.settings).require_record()


@pytest.mark.parametrize("name", ["", "Dev", "a.b", "-x", "x" * 41, "a/b"])
def test_a_name_that_cannot_be_in_stack_names_is_refused(tmp_path: Path, name: str) -> None:
    """The dot separates the parts of a stack's name; labels are lower case."""
    with pytest.raises(UsageError):
        Environment(name, Settings(tmp_path))


def test_a_second_run_is_told_who_holds_the_environment(environment: Environment) -> None:
    """One run per environment: the other is named with what it does, where and its age."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(environment.settings.project_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert environment.is_held()
        with pytest.raises(EnvironmentBusy, match=rf"conductor up --env dev.*pid {holder.pid}"):
            environment.locked("x").__enter__()
        holder.kill()
    # The kernel frees the lock of a process that was killed.
    assert not environment.is_held()
    with environment.locked("x"):
        assert environment.is_held()


@pytest.mark.parametrize(
    ("content", "said"), [("{", "Invalid JSON"), ('{"name": "dev"}', "target: Field required")]
)
def test_a_broken_record_is_told_with_what_is_wrong(
    environment: Environment, content: str, said: str
) -> None:
    """One line: which file, what is wrong with it, what to do."""
    environment.folder.mkdir(parents=True)
    environment.record_file.write_text(content)
    with pytest.raises(UsageError, match=said) as caught:
        environment.record()
    assert str(environment.record_file) in caught.value.message
