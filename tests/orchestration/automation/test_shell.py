"""Which stack a Pulumi command line is about, and whether it changes it."""

from __future__ import annotations

import pytest

from orchestration.automation.shell import is_changing, is_deploying, stack_in


@pytest.mark.parametrize(
    "line",
    [
        "up -s dev.images",
        "up --stack dev.images --yes",
        "up --stack=dev.images",
        "preview -sdev.images --json",
        "up -s organization/conductor/dev.images",
        "stack select dev.images",
        "stack rm --yes dev.images",
        "cancel dev.images",
        "--color never stack rm dev.images",
    ],
)
def test_the_stack_is_found_in_every_form(line: str) -> None:
    """By flag in all its spellings, or as the operand of the commands that take one."""
    assert stack_in(line.split(), {}) == "dev.images"


def test_without_a_name_the_variable_counts_and_values_do_not() -> None:
    """`PULUMI_STACK` is Pulumi's own fallback; what follows `--` is a value."""
    assert stack_in(["stack", "ls"], {"PULUMI_STACK": "dev.images"}) == "dev.images"
    assert stack_in(["stack", "ls"], {}) is None
    assert stack_in(["config", "set", "k", "--", "-s", "x"], {}) is None


@pytest.mark.parametrize(
    ("line", "changes", "deploys"),
    [
        ("up -s a.b", True, True),
        ("preview -s a.b", False, True),
        ("refresh --preview-only -s a.b", False, True),
        ("destroy --yes -s a.b", True, True),
        ("stack output -s a.b", False, False),
        ("stack -s a.b rm", True, False),
        ("stack export -s a.b", False, False),
        ("config -s a.b", False, False),
        ("config get key -s a.b", False, False),
        ("config set key value -s a.b", True, False),
        ("cancel a.b", True, False),
        ("", False, False),
    ],
)
def test_changes_and_deployments_are_told_apart(line: str, changes: bool, deploys: bool) -> None:
    """What changes holds the environment; what deploys needs the cloud."""
    assert is_changing(line.split()) is changes
    assert is_deploying(line.split()) is deploys
