"""`conductor pulumi` and the plain `pulumi`, both the real one, on stacks of the embedded engine.

Images are left to the docker provider's own tests: the official one needs a daemon.
"""

from __future__ import annotations

import sys

import pytest
from end_to_end.one_stack import (
    DATAFLOW,
    FOUNDATION,
    OneStack,
    check_changing,
    check_reading,
    check_secrets,
)

pytestmark = pytest.mark.timeout(600)


def test_the_real_engine_takes_a_stack_over(pulumi: OneStack) -> None:
    """Design 6: it previews no change, keeps secrets, and changes the same state."""
    check_reading(pulumi)
    check_secrets(pulumi)
    check_changing(pulumi)
    # And back: the embedded engine finds nothing to do.
    back = OneStack(pulumi.rehearsal, "embedded")
    for stack in (FOUNDATION, DATAFLOW):
        looked = back("preview", "--expect-no-changes", "-s", stack)
        assert looked.returncode == 0, looked.stdout + looked.stderr


def test_plain_pulumi_works_with_the_printed_variables(pulumi: OneStack) -> None:
    """Step 2, item 3: all that the program needs is in the stack's file and those variables."""
    lines = pulumi("env", "-s", FOUNDATION).stdout
    for command in (
        f"pulumi preview --expect-no-changes -s {FOUNDATION}",
        f"pulumi up --yes --expect-no-changes -s {DATAFLOW}",
        f"pulumi stack output topics --json -s {DATAFLOW}",
    ):
        done = pulumi.shell("sh", "-c", f"{lines}\nexec {command}", CONDUCTOR_PROJECT_DIR="")
        assert done.returncode == 0, done.stdout + done.stderr


def test_plain_pulumi_finds_what_was_taken_away(pulumi: OneStack) -> None:
    """A topic deleted behind everybody's back is made again by `pulumi up --refresh`."""
    topic = "projects/local-proj/topics/verify-topic"
    variables = pulumi.variables()
    gone = pulumi.shell(
        sys.executable,
        "-c",
        "import sys, httpx; httpx.delete(sys.argv[1], headers={'Authorization': sys.argv[2]})"
        ".raise_for_status()",
        f"{_cloud_url(pulumi)}/pubsub/v1/{topic}",
        f"Bearer {variables['GOOGLE_OAUTH_ACCESS_TOKEN']}",
    )
    assert gone.returncode == 0, gone.stderr
    mended = pulumi.shell("pulumi", "up", "--yes", "--refresh", "-s", DATAFLOW, **variables)
    assert mended.returncode == 0, mended.stdout + mended.stderr
    assert "created" in mended.stdout


def _cloud_url(pulumi: OneStack) -> str:
    return str(pulumi.rehearsal.status()["cloud"]["url"])
