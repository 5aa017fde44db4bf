"""A graph as an SVG picture, drawn without any program: producers stand left of consumers.

The picture follows the reader's light or dark setting, says in words what it shows, and is the same
to the byte for the same architecture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from xml.sax.saxutils import escape

from architecture.graph.layout import (
    HEADER_HEIGHT,
    MARGIN,
    TITLE_HEIGHT,
    Box,
    Drawing,
    PlacedEdge,
    PlacedGroup,
    PlacedNode,
    label,
    lay_out,
    text_width,
)
from architecture.graph.palette import DARK_INK, INK, PALETTE
from architecture.graph.system import EdgeKind, Node, NodeKind, SystemGraph, described

_ROUND: Final = {
    NodeKind.TOPIC: 22,
    NodeKind.SUBSCRIPTION: 22,
    NodeKind.SCHEDULE: 22,
    NodeKind.SERVICE: 4,
    NodeKind.DIRECTOR: 4,
}
_OTHER_ROUND: Final = 12
_LEGEND_HEIGHT: Final = 40
_SAMPLE_WIDTH: Final = 36

_LOOKS: Final = {
    EdgeKind.WRITES: "data",
    EdgeKind.READS: "data",
    EdgeKind.DELIVERS: "data",
    EdgeKind.SCHEDULES: "call",
    EdgeKind.DEPENDS: "call",
    EdgeKind.DEAD_LETTERS: "dead",
    EdgeKind.CONTAINS: "part",
}
_LEGEND: Final = {
    "data": "data travels",
    "call": "calls",
    "dead": "dead letters",
    "part": "contains",
}


def to_svg(graph: SystemGraph) -> str:
    """Return the graph as the text of an SVG file."""
    return "\n".join(_lines(graph, lay_out(graph))) + "\n"


def _lines(graph: SystemGraph, drawing: Drawing) -> Iterator[str]:
    looks = [look for look in _LEGEND if look in {_LOOKS[edge.kind] for edge in graph.edges}]
    legend = _legend_width(looks)
    title = f"Architecture {graph.name}"
    width = max(drawing.width, legend + 2 * MARGIN, text_width(label(title)) * 1.5 + 2 * MARGIN)
    height = drawing.height + (_LEGEND_HEIGHT if looks else 0)
    size = f'width="{_number(width)}" height="{_number(height)}"'
    yield (
        '<svg xmlns="http://www.w3.org/2000/svg" class="architecture" role="img" '
        'aria-labelledby="system-title system-summary" '
        f'viewBox="0 0 {_number(width)} {_number(height)}" {size}>'
    )
    words = " ".join([graph.summary(), *(f"{sentence}." for sentence in graph.sentences())])
    yield f'<title id="system-title">{_text(title)}</title>'
    yield f'<desc id="system-summary">{_text(words)}</desc>'
    yield from _style()
    yield from _markers(looks)
    yield f'<rect class="ground" {size}/>'
    heading = MARGIN + TITLE_HEIGHT / 2
    yield f'<text class="heading" x="{MARGIN}" y="{_number(heading)}">{_text(label(title))}</text>'
    for group in drawing.groups:
        yield _band(group)
    nodes = {node.id: node for node in graph.nodes}
    for edge in drawing.edges:
        yield _edge(edge, nodes)
    for group in drawing.groups:
        yield _band_name(group)
    for placed in drawing.nodes:
        yield from _node(placed)
    yield from _legend(looks, drawing.height)
    yield "</svg>"


def _style() -> Iterator[str]:
    yield "<style>"
    yield ".architecture text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}"
    yield ".architecture .heading{font-size:19px;font-weight:600}"
    yield ".architecture .name{font-size:13px;font-weight:600}"
    yield ".architecture .kind{font-size:11px}"
    yield ".architecture .flow{font-size:13px;font-weight:600}"
    yield ".architecture .edge{fill:none;stroke-width:1.5}"
    yield ".architecture .call{stroke-dasharray:6 4}"
    yield ".architecture .dead{stroke-dasharray:2 3}"
    yield ".architecture .part{stroke-dasharray:10 3 2 3}"
    yield from _theme(INK, "#ffffff", "#f6f8fa", "#d0d7de", "#57606a")
    for kind, colours in PALETTE.items():
        yield f".architecture .{kind}{{fill:{colours.fill};stroke:{colours.line}}}"
    yield "@media (prefers-color-scheme:dark){"
    yield from _theme(DARK_INK, "#0d1117", "#161b22", "#30363d", "#9aa4af")
    for kind, colours in PALETTE.items():
        yield f".architecture .{kind}{{fill:{colours.dark_fill};stroke:{colours.dark_line}}}"
    yield "}"
    yield "</style>"


def _theme(ink: str, ground: str, band: str, frame: str, line: str) -> Iterator[str]:
    yield f".architecture text{{fill:{ink}}}"
    yield f".architecture .ground{{fill:{ground}}}"
    yield f".architecture .band{{fill:{band};stroke:{frame}}}"
    # A name that a line passes under stays readable.
    yield f".architecture .flow{{paint-order:stroke;stroke:{band};stroke-width:5px}}"
    yield f".architecture .edge{{stroke:{line}}}"
    yield f".architecture .tip{{fill:{line}}}"


def _markers(looks: list[str]) -> Iterator[str]:
    if looks:
        yield (
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
            'markerHeight="7" orient="auto"><path class="tip" d="M0 0 8 4 0 8z"/></marker></defs>'
        )


def _band(placed: PlacedGroup) -> str:
    return f'<rect class="band" {_rectangle(placed.box)} rx="8"/>'


def _band_name(placed: PlacedGroup) -> str:
    group, box = placed.group, placed.box
    hover = f"<title>{_text(group.description)}</title>" if group.description else ""
    x, y = _number(box.x + 14), _number(box.y + HEADER_HEIGHT * 0.6)
    return f'<g>{hover}<text class="flow" x="{x}" y="{y}">{_text(label(group.name))}</text></g>'


def _node(placed: PlacedNode) -> Iterator[str]:
    node, box = placed.node, placed.box
    x = _number(box.x + box.width / 2)
    said = f"{node.kind} {node.note}".rstrip()
    round_ = _ROUND.get(node.kind, _OTHER_ROUND)
    yield (
        f"<g><title>{_text(f'{node.kind} {node.name}')}</title>"
        f'<rect class="{node.kind}" {_rectangle(box)} rx="{round_}"/>'
        f'<text class="name" text-anchor="middle" x="{x}" y="{_number(box.y + 19)}">'
        f"{_text(placed.label)}</text>"
        f'<text class="kind" text-anchor="middle" x="{x}" y="{_number(box.y + 34)}">'
        f"{_text(label(said))}</text></g>"
    )


def _edge(placed: PlacedEdge, nodes: dict[str, Node]) -> str:
    edge = placed.edge
    said = described(nodes[edge.source], edge, nodes[edge.target])
    tip = "" if edge.kind is EdgeKind.CONTAINS else ' marker-end="url(#tip)"'
    return (
        f'<path class="edge {_LOOKS[edge.kind]}"{tip} d="{_path(placed.points)}">'
        f"<title>{_text(said)}</title></path>"
    )


def _path(points: tuple[tuple[float, float], ...]) -> str:
    """Return curves across the gaps, and straight lines through the slots between them."""
    (x, y), *rest = points
    path = [f"M{_number(x)} {_number(y)}"]
    for number, (to_x, to_y) in enumerate(rest):
        if number % 2:
            path.append(f"L{_number(to_x)} {_number(to_y)}")
        else:
            bend = _number((x + to_x) / 2)
            end = f"{_number(to_x)} {_number(to_y)}"
            path.append(f"C{bend} {_number(y)} {bend} {_number(to_y)} {end}")
        x, y = to_x, to_y
    return "".join(path)


def _legend(looks: list[str], top: float) -> Iterator[str]:
    x, y = float(MARGIN), top + 6
    for look in looks:
        end = x + _SAMPLE_WIDTH
        tip = "" if look == "part" else ' marker-end="url(#tip)"'
        yield f'<path class="edge {look}"{tip} d="M{_number(x)} {_number(y)}H{_number(end)}"/>'
        yield (
            f'<text class="kind" x="{_number(end + 8)}" y="{_number(y + 4)}">{_LEGEND[look]}</text>'
        )
        x = end + 8 + text_width(_LEGEND[look]) + MARGIN


def _legend_width(looks: list[str]) -> float:
    return sum(_SAMPLE_WIDTH + 8 + text_width(_LEGEND[look]) + MARGIN for look in looks)


def _rectangle(box: Box) -> str:
    x, y, width, height = map(_number, (box.x, box.y, box.width, box.height))
    return f'x="{x}" y="{y}" width="{width}" height="{height}"'


def _number(value: float) -> str:
    """Return a number as short as its tenth of a pixel allows."""
    return f"{value:.1f}".removesuffix(".0")


def _text(text: str) -> str:
    """Return a text as XML holds it; what XML cannot hold is left out."""
    return escape("".join(c if c.isprintable() else " " for c in text))
