"""Pictures of an architecture: who writes what, who reads it, who calls whom and when."""

from __future__ import annotations

from architecture.graph.dot import to_dot
from architecture.graph.mermaid import to_mermaid
from architecture.graph.svg import to_svg
from architecture.graph.system import SystemGraph, graph_of

__all__ = ["SystemGraph", "graph_of", "to_dot", "to_mermaid", "to_svg"]
