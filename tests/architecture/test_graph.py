"""The pictures of an architecture: complete, well-formed, the same every time, no overlaps."""

from __future__ import annotations

import hashlib
import re
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from architecture.graph import SystemGraph, graph_of, to_dot, to_mermaid, to_svg
from architecture.graph.layout import NODE_HEIGHT, Box, Drawing, lay_out, text_width
from architecture.graph.palette import DARK_INK, INK, PALETTE
from architecture.graph.system import Edge, EdgeKind, Group, Node, NodeKind
from architecture.hydration import hydrate
from architecture.loading import load, loads
from architecture.model import Architecture

GOLDEN = Path(__file__).parent / "golden"
WRITERS = {"mmd": to_mermaid, "dot": to_dot, "svg": to_svg}
FILES = ["tracer-hydrated", "bigquery-hydrated", "bigquery"]
SVG = "{http://www.w3.org/2000/svg}"

SHOP = """\
name: shop
region: europe-west1
service_manager_spec:
  name: director
  service_account: director-sa
  deployment: {}
  command_topic: {name: commands}
  completion_topic: {name: completions}
dataflows:
  orders:
    services:
      intake: {service_account: intake-sa, dependencies: [director, refund]}
    resources:
      topics:
        - {name: orders-topic, producer_service: {name: intake}}
        - {name: orders-dead}
      subscriptions:
        - name: orders-sub
          topic: orders-topic
          consumer_service: {name: refund}
          dead_letter_policy: {topic: orders-dead}
      bigquery_tables:
        - {name: invoices, dataset: sales, producers: [{name: intake}]}
      gcs_buckets:
        - {name: shop-receipts, producers: [{name: intake}], consumers: [{name: intake}]}
      firestore_databases: [{name: shop-carts}]
      firestore_collections:
        - {name: carts, database: shop-carts, consumers: [{name: refund}]}
  returns:
    services:
      refund: {service_account: refund-sa, dependencies: []}
    resources:
      cloud_scheduler_jobs:
        - {name: nightly, schedule: 0 3 * * *, target_service: refund}
"""


def shop() -> SystemGraph:
    """Return a graph with every kind of node and edge."""
    arch = loads(SHOP, Path("services.yaml")).architecture
    return graph_of(hydrate(arch, base_dir=Path("/shop"), project_id="shop-project"))


def test_graph_has_every_service_resource_and_relation() -> None:
    """Who produces, who consumes, who calls whom, and what is part of what."""
    graph = shop()
    assert {node.kind for node in graph.nodes} == set(NodeKind)
    assert set(graph.sentences()) == {
        "service intake writes to topic orders-topic",
        "topic orders-topic delivers to subscription orders-sub",
        "subscription orders-sub is read by service refund",
        "subscription orders-sub gives up to topic orders-dead",
        "service intake writes to table sales.invoices",
        "dataset sales contains table sales.invoices",
        "service intake writes to bucket shop-receipts",
        "bucket shop-receipts is read by service intake",
        "database shop-carts contains collection carts",
        "collection carts is read by service refund",
        "schedule nightly calls on schedule service refund",
        "service intake may call director director",
        "service intake may call service refund",
        "topic commands delivers to subscription commands-sub",
        "subscription commands-sub is read by director director",
        "director director writes to topic completions",
    }
    assert [group.name for group in graph.groups] == ["orders", "returns", "director-infra"]


@pytest.mark.parametrize("suffix", WRITERS)
def test_sample_is_drawn_as_before(hydrated: Architecture, suffix: str) -> None:
    """Every byte is the one that was looked at and found good."""
    assert WRITERS[suffix](graph_of(hydrated)) == (GOLDEN / f"tracer.{suffix}").read_text()


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_kind_is_drawn_as_before(suffix: str) -> None:
    """The same for an architecture with everything in it."""
    assert WRITERS[suffix](shop()) == (GOLDEN / f"shop.{suffix}").read_text()


@pytest.mark.parametrize("file", FILES)
def test_real_file_is_drawn_whole(real: Path, file: str) -> None:
    """Every service and every resource of it is in all three forms."""
    arch = hydrate(
        load(real / f"{file}.services.yaml").architecture, base_dir=real, project_id="some-project"
    )
    graph = graph_of(arch)
    shown = [service.name for service in arch.all_services()]
    shown += [item.name for flow in arch.dataflows.values() for _, item in flow.resources.each()]
    assert sorted(node.name.rsplit(".", 1)[-1] for node in graph.nodes) == sorted(shown)
    for writer in WRITERS.values():
        text = writer(graph)
        assert all(name in text for name in shown)
    assert_nothing_overlaps(lay_out(graph))


# What was looked at and found good, by its digest: these files are not in this repository.
REAL = {
    "tracer-hydrated": {
        "mmd": "67b3937b521edd89",
        "dot": "cb9216f4f975c81c",
        "svg": "556f343a03a9829f",
    },
    "bigquery-hydrated": {
        "mmd": "97d9eeec3d292655",
        "dot": "624d4a8a446bcdac",
        "svg": "601c07f33193c08c",
    },
    "bigquery": {
        "mmd": "bd1108e7f4915c40",
        "dot": "1a6fb56c37378853",
        "svg": "987690f115e70398",
    },
}


@pytest.mark.parametrize("file", REAL)
def test_real_file_is_drawn_as_before(real: Path, file: str) -> None:
    """Every byte of its pictures is the same on every machine."""
    arch = hydrate(
        load(real / f"{file}.services.yaml").architecture, base_dir=real, project_id="some-project"
    )
    drawn = {suffix: writer(graph_of(arch)) for suffix, writer in WRITERS.items()}
    digests = {s: hashlib.sha256(text.encode()).hexdigest()[:16] for s, text in drawn.items()}
    assert digests == REAL[file]


def boxes(drawing: Drawing) -> list[Box]:
    """Return all boxes that must be apart from each other: nodes, and the names of bands."""
    named = [
        Box(placed.box.x, placed.box.y, text_width(placed.group.name), 30)
        for placed in drawing.groups
    ]
    return [placed.box for placed in drawing.nodes] + named


def overlap(one: Box, other: Box) -> bool:
    """Say whether two boxes have a point in common."""
    apart = one.right <= other.x or other.right <= one.x
    return not (apart or one.bottom <= other.y or other.bottom <= one.y)


def assert_nothing_overlaps(drawing: Drawing) -> None:
    """Fail where boxes overlap, leave their band or the picture, or a line runs under a box."""
    for one, other in combinations(boxes(drawing), 2):
        assert not overlap(one, other)
    for one_band, other_band in combinations(drawing.groups, 2):
        assert not overlap(one_band.box, other_band.box)
    for placed in drawing.nodes:
        (band,) = (group.box for group in drawing.groups if placed.node in group.group.nodes)
        assert band.x <= placed.box.x
        assert placed.box.right <= band.right <= drawing.width
        assert band.y <= placed.box.y
        assert placed.box.bottom <= band.bottom <= drawing.height
        assert text_width(placed.label) <= placed.box.width
    for edge in drawing.edges:
        for (x, y), (to_x, to_y) in zip(edge.points[1::2], edge.points[2::2], strict=False):
            assert y == to_y
            line = Box(min(x, to_x), y - 1, abs(to_x - x), 2)
            assert not any(overlap(line, placed.box) for placed in drawing.nodes)


def assert_lines_cross_gaps_only(drawing: Drawing) -> None:
    """Fail where a curve reaches beyond the gap between two columns."""
    spans = {(placed.box.x, placed.box.right) for placed in drawing.nodes}
    for edge in drawing.edges:
        for (x, _), (to_x, _) in zip(edge.points[::2], edge.points[1::2], strict=True):
            left, right = sorted((x, to_x))
            assert not any(
                left < span_right and span_left < right for span_left, span_right in spans
            )


def test_nothing_overlaps_and_every_line_has_its_way() -> None:
    """Labels can be read, and no line hides behind a box."""
    drawing = lay_out(shop())
    assert_nothing_overlaps(drawing)
    assert_lines_cross_gaps_only(drawing)


def test_data_travels_from_left_to_right() -> None:
    """Producer, resource, consumer stand in this order."""
    drawing = lay_out(shop())
    at = {placed.node.name: placed.box.x for placed in drawing.nodes}
    assert at["intake"] < at["orders-topic"] < at["orders-sub"] < at["refund"]
    assert at["commands"] < at["commands-sub"] < at["director"] < at["completions"]
    assert at["nightly"] < at["refund"]


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=60)


@st.composite
def graphs(draw: st.DrawFn) -> SystemGraph:
    """Draw any graph: cycles, self-references, names of any characters, empty dataflows."""
    names = draw(st.lists(NAMES, min_size=1, max_size=12, unique=True))
    kinds = st.sampled_from(NodeKind)
    nodes = [
        Node(f"node:{name}", draw(kinds), name, draw(st.sampled_from(["", "* *"])))
        for name in names
    ]
    bands = draw(st.integers(1, 4))
    placed: list[list[Node]] = [[] for _ in range(bands)]
    for node in nodes:
        placed[draw(st.integers(0, bands - 1))].append(node)
    ends = st.sampled_from([node.id for node in nodes])
    edges = draw(st.sets(st.builds(Edge, ends, ends, st.sampled_from(EdgeKind)), max_size=20))
    return SystemGraph(
        draw(NAMES),
        tuple(Group(draw(NAMES), draw(NAMES), tuple(own)) for own in placed),
        tuple(sorted(edges, key=lambda edge: (edge.source, edge.target, edge.kind))),
    )


@settings(deadline=None)
@given(graphs())
def test_any_graph_is_drawn_without_overlaps(graph: SystemGraph) -> None:
    """Cycles are drawn, too; each edge once, from its source to its target."""
    drawing = lay_out(graph)
    for one, other in combinations([placed.box for placed in drawing.nodes], 2):
        assert not overlap(one, other)
    assert_lines_cross_gaps_only(drawing)
    at = {placed.node.id: placed.box for placed in drawing.nodes}
    assert len(drawing.edges) == len([e for e in graph.edges if e.source != e.target])
    for placed in drawing.edges:
        source, target = at[placed.edge.source], at[placed.edge.target]
        assert placed.points[0] in {(source.x, source.middle), (source.right, source.middle)}
        assert placed.points[-1] in {(target.x, target.middle), (target.right, target.middle)}


@settings(deadline=None)
@given(graphs())
def test_any_name_is_escaped(graph: SystemGraph) -> None:
    """No name ends a string, an element or a line, whatever characters it has."""
    root = ET.fromstring(to_svg(graph))  # noqa: S314 - our own output
    assert len(root.findall(f"{SVG}g")) == len(graph.groups) + len(list(graph.nodes))
    nodes, arrows = len(list(graph.nodes)), len(graph.edges)
    mermaid = to_mermaid(graph).splitlines()
    assert (
        sum(re.fullmatch(r' {4}n\d+\W+"[^"]*"\W+', line) is not None for line in mermaid) == nodes
    )
    assert sum(re.fullmatch(r"  n\d+ \S.*\S n\d+", line) is not None for line in mermaid) == arrows
    quoted = r'"(?:[^"\\\n]|\\.)*"'
    dot = to_dot(graph).splitlines()
    declared = rf"    n\d+ \[label={quoted}, shape=\w+, fillcolor={quoted}, color={quoted}\]"
    assert sum(re.fullmatch(declared, line) is not None for line in dot) == nodes
    drawn = rf"  n\d+ -> n\d+ \[.*tooltip={quoted}\]"
    assert sum(re.fullmatch(drawn, line) is not None for line in dot) == arrows


def test_svg_says_in_words_what_it_shows() -> None:
    """A title, and a description with every relation, for those who do not see it."""
    root = ET.fromstring(to_svg(shop()))  # noqa: S314 - our own output
    assert root.get("role") == "img"
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert description is not None
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    assert title.text == "Architecture shop"
    assert "service intake writes to topic orders-topic." in str(description.text)


def test_long_name_is_shortened_and_told_in_full() -> None:
    """A box does not grow without end; the whole name is what the pointer shows."""
    long = "a-rather-long-name-" * 12
    group = Group("flow", "", (Node(f"topic:{long}", NodeKind.TOPIC, long),))
    graph = SystemGraph("system", (group,), ())
    (placed,) = lay_out(graph).nodes
    assert placed.box.width < 400
    assert placed.box.height == NODE_HEIGHT
    assert "…" in placed.label
    assert f"<title>topic {long}</title>" in to_svg(graph)


def test_system_without_anything_is_drawn() -> None:
    """An empty picture is a picture."""
    for writer in WRITERS.values():
        assert "nothing" in writer(SystemGraph("nothing", (), ()))


def luminance(colour: str) -> float:
    """Return a colour's relative luminance, as WCAG defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Return how much two colours differ in brightness, 1 to 21."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("kind", NodeKind)
def test_text_can_be_read_on_light_and_dark_ground(kind: NodeKind) -> None:
    """WCAG's enhanced contrast for text, and its contrast for outlines."""
    colours = PALETTE[kind]
    assert contrast(INK, colours.fill) >= 7
    assert contrast(DARK_INK, colours.dark_fill) >= 7
    assert contrast("#ffffff", colours.line) >= 3
    assert contrast("#0d1117", colours.dark_line) >= 3
