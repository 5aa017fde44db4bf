"""What the guide to environments shows is an architecture file's, and says what there is."""

from __future__ import annotations

from pathlib import Path

import yaml

from architecture.environments import EnvironmentOverrides
from architecture.service_resources import EXPECTED

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "environments.md").read_text()


def test_the_example_fits_the_model() -> None:
    """Every key of it is one that an environment can have."""
    text = GUIDE.split("```yaml\n")[1].split("```")[0]
    example = yaml.safe_load(text)["deployment_environments"]
    for overrides in example.values():
        EnvironmentOverrides.model_validate(overrides)


def test_every_variable_of_pre_flight_tests_is_named() -> None:
    """One for each kind that a service is told of."""
    for variable in EXPECTED.values():
        assert f"`{variable}`" in GUIDE
