"""In which order an architecture's stacks depend on each other, and which it has at all."""

from __future__ import annotations

from architecture.model import Architecture
from architecture.ordering import Levels, resource_levels, service_levels

# Layers in the order in which they depend on each other.
LAYERS = ("foundation", "images", "director", "dataflow", "services")


class StackOrder:
    """The place of stacks by their layer, then by what their dataflow needs of others.

    Without an architecture every stack belongs to it, and only layers order them.
    """

    def __init__(self, architecture: Architecture | None) -> None:
        self._is_known = architecture is not None
        self._places = (
            {
                "dataflow": _places(resource_levels(architecture)),
                "services": _places(service_levels(architecture)),
            }
            if architecture is not None
            else {}
        )

    def __call__(self, stack: str) -> tuple[int, int, str]:
        """Place a stack; what the architecture has no more is needed by nobody, and comes last."""
        layer, dataflow = _parts(stack)
        places = self._places.get(layer, {})
        return LAYERS.index(layer), places.get(dataflow, len(places)), stack

    def declares(self, stack: str) -> bool:
        """Say whether the architecture has such a stack."""
        layer, dataflow = _parts(stack)
        return not self._is_known or layer not in self._places or dataflow in self._places[layer]


def _parts(stack: str) -> tuple[str, str]:
    layer, _, dataflow = stack.partition(".")[2].partition(".")
    return layer, dataflow


def _places(levels: Levels) -> dict[str, int]:
    return {name: place for place, level in enumerate(levels) for name in level}
