"""Pre-flight test: the generated `resources.yaml` links the director to its topics.

The conductor runs it before it touches any cloud, with `RESOURCES_FILE` and the `EXPECTED_*`
variables.
"""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    """Load the file under test: the one given, else the one beside this test."""
    file = os.environ.get("RESOURCES_FILE") or Path(__file__).with_name("resources.yaml")
    return yaml.safe_load(Path(file).read_text(encoding="utf-8"))


def test_the_director_pulls_commands_from_its_subscription(resources: dict[str, Any]) -> None:
    """One subscription, of the expected name, on the command topic."""
    (subscription,) = resources["subscriptions"]
    assert subscription["name"] == os.environ["EXPECTED_COMMAND_SUBSCRIPTION"]
    assert subscription["topic"] == os.environ["EXPECTED_COMMAND_TOPIC"]


def test_the_director_publishes_completions_on_its_topic(resources: dict[str, Any]) -> None:
    """One topic to publish to, of the expected name."""
    (topic,) = resources["topics"]
    assert topic["name"] == os.environ["EXPECTED_COMPLETION_TOPIC"]
