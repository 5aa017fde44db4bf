"""The sample services' own pre-flight tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SERVICES = Path(__file__).parents[2] / "testdata" / "services"
EXPECTED = {
    "tracer-publisher": {"EXPECTED_TOPIC_NAME": "traces"},
    "tracer-subscriber": {
        "EXPECTED_TOPIC_NAME": "verified",
        "EXPECTED_SUBSCRIPTION_NAME": "traces-sub",
    },
    "servicedirector": {
        "EXPECTED_COMMAND_TOPIC": "commands",
        "EXPECTED_COMPLETION_TOPIC": "completions",
        "EXPECTED_COMMAND_SUBSCRIPTION": "commands-sub",
    },
}
WRONG = [(service, variable) for service, names in EXPECTED.items() for variable in names]


def preflight(service: str, resources: Path, expected: dict[str, str]) -> int:
    """Run a service's pre-flight test as the conductor does, and return pytest's exit code."""
    inherited = {key: value for key, value in os.environ.items() if "EXPECTED" not in key}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "preflight_test.py"],
        cwd=SERVICES / service,
        env={**inherited, "RESOURCES_FILE": str(resources), **expected},
        stdout=subprocess.DEVNULL,
        check=False,
    ).returncode


@pytest.mark.parametrize("service", EXPECTED)
def test_preflight_passes_with_the_linked_names(
    service: str, resources_file: Callable[[str], Path]
) -> None:
    """What the generator writes is what the service expects (1.7)."""
    assert preflight(service, resources_file(service), EXPECTED[service]) == 0


@pytest.mark.parametrize(("service", "variable"), WRONG)
def test_preflight_fails_if_any_name_differs(
    service: str, variable: str, resources_file: Callable[[str], Path]
) -> None:
    """One changed name is enough (1.2, 1.7)."""
    expected = EXPECTED[service] | {variable: "another"}
    assert preflight(service, resources_file(service), expected) == 1


def test_preflight_fails_on_a_link_that_nobody_expects(
    resources_file: Callable[[str], Path],
) -> None:
    """A service sees exactly its own links: one too many is a difference too (0.19)."""
    resources = resources_file("tracer-publisher")
    resources.write_text(resources.read_text() + "subscriptions: [{name: foreign}]\n")
    assert preflight("tracer-publisher", resources, EXPECTED["tracer-publisher"]) == 1
