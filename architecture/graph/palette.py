"""Colours of the kinds of nodes, on light and on dark ground; shapes tell them apart as well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from architecture.graph.system import NodeKind


@dataclass(frozen=True, slots=True)
class Colours:
    """How a kind of node is filled and outlined; text on either fill contrasts by 7:1 or more."""

    fill: str
    line: str
    dark_fill: str
    dark_line: str


INK: Final = "#1f2328"
DARK_INK: Final = "#f0f6fc"

_SERVICES: Final = Colours("#dbeafe", "#1d4ed8", "#172f5c", "#7cacf8")
_MESSAGES: Final = Colours("#dcfce7", "#15803d", "#12381f", "#5fd38a")
_DATA: Final = Colours("#fef3c7", "#a16207", "#3d2e05", "#e3b341")

PALETTE: Final = {
    NodeKind.DIRECTOR: Colours("#f3e8ff", "#7e22ce", "#3a1d5c", "#c99bff"),
    NodeKind.SERVICE: _SERVICES,
    NodeKind.TOPIC: _MESSAGES,
    NodeKind.SUBSCRIPTION: _MESSAGES,
    NodeKind.DATASET: _DATA,
    NodeKind.TABLE: _DATA,
    NodeKind.BUCKET: _DATA,
    NodeKind.DATABASE: _DATA,
    NodeKind.COLLECTION: _DATA,
    NodeKind.SCHEDULE: Colours("#ffe4e6", "#be123c", "#4c1020", "#ff8fa3"),
}
