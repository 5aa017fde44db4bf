"""`conductor pulumi` on the embedded engine."""

from __future__ import annotations

import sys

import pytest
from end_to_end.one_stack import (
    FOUNDATION,
    OneStack,
    check_changing,
    check_reading,
    check_secrets,
)
from end_to_end.project import Rehearsal

from orchestration.environments import Environment
from orchestration.settings import Settings

pytestmark = pytest.mark.timeout(300)


def test_one_stack_alone_has_the_same_state(rehearsal: Rehearsal) -> None:
    """Step 2, item 3: look, configure, destroy, up; a run holds the environment; the shell."""
    assert rehearsal.up("--propagation", "none").returncode == 0
    # A stopped cloud is started by the first command that needs it.
    assert rehearsal.run("cloud", "stop").returncode == 0
    pulumi = OneStack(rehearsal, "embedded")
    check_reading(pulumi)
    check_secrets(pulumi)
    check_changing(pulumi)

    with Environment("local", Settings(rehearsal.folder)).locked("a test"):
        busy = pulumi("up", "--yes", "-s", FOUNDATION)
        assert busy.returncode == 3
        assert "error[environment-busy]" in busy.stderr
        assert pulumi("stack", "output", "-s", FOUNDATION).returncode == 0

    unknown = pulumi("up", "-s", "elsewhere.foundation")
    assert unknown.returncode == 2
    assert "error[usage]" in unknown.stderr

    # The printed lines are all that an engine needs in a shell of its own.
    lines = pulumi("env", "-s", FOUNDATION).stdout
    looking = f"exec {sys.executable} -m rehearsal.engine preview --expect-no-changes"
    plain = pulumi.shell(
        "sh", "-c", f"{lines}\n{looking} -s {FOUNDATION}", CONDUCTOR_PROJECT_DIR=""
    )
    assert plain.returncode == 0, plain.stdout + plain.stderr

    again = rehearsal.up("--propagation", "none", "--json")
    assert again.returncode == 0, again.stdout + again.stderr
