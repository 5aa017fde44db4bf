"""A graph as a Mermaid flowchart, which GitHub and many wikis draw where it stands in a text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from architecture.graph.palette import INK, PALETTE
from architecture.graph.system import EdgeKind, Group, Node, NodeKind, SystemGraph

# What opens and closes a node's label gives the node its shape.
_SHAPES: Final = {
    NodeKind.DIRECTOR: ("[[", "]]"),
    NodeKind.SERVICE: ("[", "]"),
    NodeKind.TOPIC: ("{{", "}}"),
    NodeKind.SUBSCRIPTION: ("([", "])"),
    NodeKind.DATASET: ("[(", ")]"),
    NodeKind.TABLE: ("[(", ")]"),
    NodeKind.BUCKET: ("[/", "\\]"),
    NodeKind.DATABASE: ("[(", ")]"),
    NodeKind.COLLECTION: ("[(", ")]"),
    NodeKind.SCHEDULE: ("((", "))"),
}

_ARROWS: Final = {
    EdgeKind.WRITES: "-->",
    EdgeKind.READS: "-->",
    EdgeKind.DELIVERS: "-->",
    EdgeKind.DEAD_LETTERS: "-. dead letters .->",
    EdgeKind.CONTAINS: "-.-",
    EdgeKind.SCHEDULES: "== calls ==>",
    EdgeKind.DEPENDS: "-. may call .->",
}

# Everything that could end a label, start an entity, or be taken for markup.
_SPECIAL: Final = re.compile(r"[^\w .,:/()@*+=~%-]")


def to_mermaid(graph: SystemGraph) -> str:
    """Return the graph as the text of a Mermaid flowchart."""
    return "\n".join(_lines(graph)) + "\n"


def _lines(graph: SystemGraph) -> Iterator[str]:
    ids = {node.id: f"n{number}" for number, node in enumerate(graph.nodes)}
    yield "flowchart LR"
    yield f"  accTitle: {_words(f'Architecture {graph.name}')}"
    yield f"  accDescr: {_words(graph.summary())}"
    for number, group in enumerate(graph.groups):
        yield from _group(number, group, ids)
    for edge in graph.edges:
        yield f"  {ids[edge.source]} {_ARROWS[edge.kind]} {ids[edge.target]}"
    for kind in NodeKind:
        members = [ids[node.id] for node in graph.nodes if node.kind is kind]
        if members:
            colours = PALETTE[kind]
            style = f"fill:{colours.fill},stroke:{colours.line},color:{INK}"
            yield f"  classDef {kind} {style}"
            yield f"  class {','.join(members)} {kind}"


def _group(number: int, group: Group, ids: dict[str, str]) -> Iterator[str]:
    yield f'  subgraph g{number}["{_escaped(group.name)}"]'
    for node in group.nodes:
        opening, closing = _SHAPES[node.kind]
        yield f'    {ids[node.id]}{opening}"{_label(node)}"{closing}'
    yield "  end"


def _label(node: Node) -> str:
    lines = [node.name, f"{node.kind} {node.note}".rstrip()]
    return "<br/>".join(map(_escaped, lines))


def _escaped(text: str) -> str:
    """Return a text as it may stand between quotes: special characters as Mermaid's entities."""
    return _SPECIAL.sub(lambda found: f"#{ord(found[0])};", text)


def _words(text: str) -> str:
    """Return a text that ends no line and starts no comment or entity."""
    return " ".join(re.sub(r"[#;%{}]", " ", text).split())
