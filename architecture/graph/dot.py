"""A graph in Graphviz's language; `dot -Tsvg` and others draw it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from architecture.graph.palette import INK, PALETTE
from architecture.graph.system import EdgeKind, Group, NodeKind, SystemGraph, described

_SHAPES: Final = {
    NodeKind.DIRECTOR: "component",
    NodeKind.SERVICE: "box",
    NodeKind.TOPIC: "hexagon",
    NodeKind.SUBSCRIPTION: "cds",
    NodeKind.DATASET: "folder",
    NodeKind.TABLE: "cylinder",
    NodeKind.BUCKET: "invtrapezium",
    NodeKind.DATABASE: "folder",
    NodeKind.COLLECTION: "cylinder",
    NodeKind.SCHEDULE: "oval",
}

_STYLES: Final = {
    EdgeKind.WRITES: "",
    EdgeKind.READS: "",
    EdgeKind.DELIVERS: "",
    EdgeKind.DEAD_LETTERS: 'style=dashed, label="dead letters"',
    EdgeKind.CONTAINS: "style=dotted, arrowhead=none",
    EdgeKind.SCHEDULES: 'style=bold, label="calls"',
    EdgeKind.DEPENDS: 'style=dashed, label="may call", constraint=false',
}


def to_dot(graph: SystemGraph) -> str:
    """Return the graph as the text of a DOT file."""
    return "\n".join(_lines(graph)) + "\n"


def _lines(graph: SystemGraph) -> Iterator[str]:
    ids = {node.id: f"n{number}" for number, node in enumerate(graph.nodes)}
    nodes = {node.id: node for node in graph.nodes}
    yield f"digraph {_quoted(graph.name)} {{"
    yield f"  graph [rankdir=LR, fontname=Helvetica, tooltip={_quoted(graph.summary())}]"
    yield f'  node [fontname=Helvetica, style=filled, fontcolor="{INK}"]'
    yield "  edge [fontname=Helvetica, fontsize=10]"
    for number, group in enumerate(graph.groups):
        yield from _group(number, group, ids)
    for edge in graph.edges:
        said = described(nodes[edge.source], edge, nodes[edge.target])
        style = f"{_STYLES[edge.kind]}, " if _STYLES[edge.kind] else ""
        arrow = f"{ids[edge.source]} -> {ids[edge.target]}"
        yield f"  {arrow} [{style}tooltip={_quoted(said)}]"
    yield "}"


def _group(number: int, group: Group, ids: dict[str, str]) -> Iterator[str]:
    yield f"  subgraph cluster_{number} {{"
    yield f"    label={_quoted(group.name)}"
    for node in group.nodes:
        colours = PALETTE[node.kind]
        label = _quoted(f"{node.name}\n{node.kind} {node.note}".rstrip())
        look = f'shape={_SHAPES[node.kind]}, fillcolor="{colours.fill}", color="{colours.line}"'
        yield f"    {ids[node.id]} [label={label}, {look}]"
    yield "  }"


def _quoted(text: str) -> str:
    r"""Return a text as DOT quotes it: `\` and `"` escaped, line ends as `\n`."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{"".join(c if c.isprintable() or c == " " else " " for c in escaped)}"'
