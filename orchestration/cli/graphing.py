"""`conductor graph`: a picture of an architecture as Mermaid, DOT or SVG; touches no cloud."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Final

from rich.markup import escape

from architecture.graph import SystemGraph, graph_of, to_dot, to_mermaid, to_svg
from orchestration.artifacts.planner import read_architecture
from orchestration.cli.console import errors, output
from orchestration.cli.deploying import one_of
from orchestration.environments import Environment, write_atomically
from orchestration.errors import UsageError
from orchestration.settings import Settings
from orchestration.targets.local import DEFAULT_PROJECT


class GraphFormat(StrEnum):
    """In what a graph is written."""

    MERMAID = "mermaid"
    DOT = "dot"
    SVG = "svg"


_WRITERS: Final = {
    GraphFormat.MERMAID: to_mermaid,
    GraphFormat.DOT: to_dot,
    GraphFormat.SVG: to_svg,
}
_BY_SUFFIX: Final = {
    ".mmd": GraphFormat.MERMAID,
    ".mermaid": GraphFormat.MERMAID,
    ".dot": GraphFormat.DOT,
    ".gv": GraphFormat.DOT,
    ".svg": GraphFormat.SVG,
}


def show_graph(
    architecture: Path,
    env: str,
    *,
    project: str | None,
    written_as: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Write the graph of an architecture to standard output, or to a file.

    Raises:
        ArchitectureInvalid: the file has errors.
        UsageError: there is no such format, or the file cannot be written.
    """
    chosen = _format(written_as, out)
    environment = Environment(env, Settings.from_environment()).name
    file = read_architecture(
        architecture, environment=environment, project_id=project or DEFAULT_PROJECT
    )
    for warning in file.warnings:
        errors().print(f"[yellow]warning[/]: {escape(warning)}", soft_wrap=True)
    graph = graph_of(file.architecture)
    text = _WRITERS[chosen](graph)
    if out is not None:
        _write(out, text)
    if as_json:
        sys.stdout.write(json.dumps(_described(graph, chosen, out, text)) + "\n")
    elif out is not None:
        output().print(f"{out}: {graph.summary()}", soft_wrap=True, markup=False)
    else:
        sys.stdout.write(text)


def _format(written_as: str | None, out: Path | None) -> GraphFormat:
    """Take the format that was asked for, else the one that the file's name says."""
    if written_as is not None:
        return one_of(GraphFormat, written_as, "--format")
    return _BY_SUFFIX.get(out.suffix.lower() if out else "", GraphFormat.MERMAID)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text)
    except OSError as error:
        raise UsageError(
            f"--out {path} cannot be written: {error.strerror}",
            hint="name a file in a folder that you may write to",
        ) from error


def _described(
    graph: SystemGraph, written_as: GraphFormat, out: Path | None, text: str
) -> dict[str, str | list[str]]:
    described: dict[str, str | list[str]] = {
        "architecture": graph.name,
        "summary": graph.summary(),
        "edges": list(graph.sentences()),
        "format": written_as.value,
    }
    return described | ({"file": str(out)} if out is not None else {"text": text})
