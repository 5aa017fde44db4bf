"""An architecture written as YAML is the same architecture when it is read again."""

from __future__ import annotations

from pathlib import Path

from architecture.loading import loads
from architecture.model import Architecture, Service
from architecture.rendering import to_yaml


def test_rendered_architecture_loads_to_the_same(
    sample: Architecture, hydrated: Architecture
) -> None:
    """Before hydration and after it, without a warning."""
    for arch in (sample, hydrated):
        loaded = loads(to_yaml(arch), Path("services.yaml"))
        assert loaded.architecture == arch
        assert loaded.warnings == ()


def test_what_was_not_given_is_left_out(sample: Architecture) -> None:
    """The text holds what the user said, no empty keys."""
    text = to_yaml(sample)
    assert '""' not in text
    assert "''" not in text
    assert "null" not in text
    assert "project_id" not in text


def test_false_and_zero_are_kept_where_they_mean_something(sample: Architecture) -> None:
    """A resource that is not protected differs from one that does not say."""
    flow = sample.dataflows["tracer-flow"]
    topic = flow.resources.topics[0].model_copy(update={"teardown_protection": False})
    resources = flow.resources.model_copy(update={"topics": (topic,)})
    flows = {"tracer-flow": flow.model_copy(update={"resources": resources})}
    text = to_yaml(sample.model_copy(update={"dataflows": flows}))
    assert "teardown_protection: false" in text


def test_texts_that_look_like_something_else_stay_texts(sample: Architecture) -> None:
    """`yes`, `1.0`, `null`, `<<` and dates come back as they were."""
    odd = ["yes", "1.0", "1e3", "null", "~", "", "<<", "=", "2024-01-01", "0o14", " x ", "a: b"]
    odd += ["#", "- x", "é", "🙂", "a\nb", "a\tb", "'", '"', "0x1f", "1_000", ".inf", "*a", "&a"]
    service = Service(name="odd", service_account="odd-service", metadata={"texts": list(odd)})
    flow = sample.dataflows["tracer-flow"]
    flows = {"tracer-flow": flow.model_copy(update={"services": {**flow.services, "odd": service}})}
    arch = sample.model_copy(update={"dataflows": flows})
    assert loads(to_yaml(arch), Path("services.yaml")).architecture == arch
