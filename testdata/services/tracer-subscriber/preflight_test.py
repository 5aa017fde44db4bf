"""Pre-flight test: the generated `resources.yaml` links this service to what it expects.

The conductor runs it before it touches any cloud, with `RESOURCES_FILE` and the `EXPECTED_*`
variables; several names of one kind are comma-separated, in sorted order.
"""

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

KINDS = {"topics": "EXPECTED_TOPIC_NAME", "subscriptions": "EXPECTED_SUBSCRIPTION_NAME"}


def resources_file() -> Path:
    """Return the file under test: the one given, else the one beside this test."""
    return Path(os.environ.get("RESOURCES_FILE") or Path(__file__).with_name("resources.yaml"))


@pytest.fixture(scope="module")
def service() -> ModuleType:
    """Load the service's program, as the container will run it."""
    spec = importlib.util.spec_from_file_location("service", Path(__file__).with_name("main.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("kind", "variable"), KINDS.items(), ids=KINDS)
def test_resources_have_the_expected_names(kind: str, variable: str) -> None:
    """Exactly the expected resources of a kind are linked, by their exact names."""
    resources = yaml.safe_load(resources_file().read_text(encoding="utf-8")) or {}
    linked = ",".join(sorted(resource["name"] for resource in resources.get(kind) or []))
    assert linked == os.environ.get(variable, ""), f"{kind} in {resources_file()} != {variable}"


def test_the_service_finds_its_links(service: ModuleType) -> None:
    """The program's own lookup finds its subscription and the topic that it publishes to."""
    links = service.load_links(resources_file())
    assert links.subscription in os.environ["EXPECTED_SUBSCRIPTION_NAME"].split(",")
    assert links.verify_topic in os.environ["EXPECTED_TOPIC_NAME"].split(",")
