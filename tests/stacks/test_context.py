"""What a stack refuses before it declares anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stacks.context import StackName
from stacks.errors import StackError

if TYPE_CHECKING:
    from tests.stacks.conftest import Layers


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("dev.foundation", ("dev", "foundation", None)),
        ("dev.dataflow.orders", ("dev", "dataflow", "orders")),
        ("dev.services.orders.eu", ("dev", "services", "orders.eu")),
    ],
)
def test_a_stack_name_says_environment_layer_and_dataflow(
    name: str, parts: tuple[str, str, str | None]
) -> None:
    """The parts can be read off, and put together again."""
    parsed = StackName.parse(name)
    assert (parsed.environment, parsed.layer, parsed.dataflow) == parts
    assert parsed.sibling(parsed.layer, parsed.dataflow) == name


@pytest.mark.parametrize(
    "name", ["dev", "dev.other", ".foundation", "dev.dataflow", "dev.foundation.orders", "dev."]
)
def test_a_name_that_says_no_layer_is_refused(name: str) -> None:
    """The message shows how stacks are named."""
    with pytest.raises(StackError, match=rf"'{name}'.*named"):
        StackName.parse(name)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"conductor:environment": None}, "conductor:environment"),
        ({"conductor:environment": "prod"}, "'prod'"),
        ({"conductor:architecture": None}, "conductor:architecture"),
        ({"conductor:architecture": "/absent.yaml"}, "/absent.yaml"),
        ({"gcp:project": None}, "gcp:project"),
        ({"gcp:project": "other"}, "'other'"),
        ({"gcp:region": None}, "gcp:region"),
        ({"conductor:directorEnvironment": '{"A": 1}'}, "conductor:directorEnvironment"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(
    layers: Layers, change: dict[str, str | None], says: str
) -> None:
    """The message names the key or the value that is wrong."""
    with pytest.raises(StackError, match=says):
        layers.declare("test.foundation", config=change)


def test_a_dataflow_that_there_is_none_of_is_refused(layers: Layers) -> None:
    """The message names those there are; the director's own is none of them."""
    with pytest.raises(StackError, match=r"'nowhere' \(it has: orders\)"):
        layers.declare("test.dataflow.nowhere")
    with pytest.raises(StackError, match="director-infra"):
        layers.declare("test.dataflow.director-infra")


def test_images_need_their_build_contexts(layers: Layers) -> None:
    """Without them nothing can be built; the message names the key to set."""
    with pytest.raises(StackError, match="conductor:contexts"):
        layers.declare("test.images", config={"conductor:contexts": None})
