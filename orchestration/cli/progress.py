"""Progress of a run: a live tree on a terminal, plain lines elsewhere, JSON lines on request."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.text import Text
from rich.tree import Tree

from orchestration.conductor.events import RunEvent, RunEventKind

SHOWN_RUNNING = 6
# A component's children say what was made; the component itself would say it twice.
OUR_COMPONENTS = "conductor:"
OPERATION_SIGNS = {
    "create": "+",
    "update": "~",
    "replace": "+-",
    "create-replacement": "+",
    "delete": "-",
    "delete-replaced": "-",
}


class Progress(Protocol):
    """Shows a run's events while it is a context."""

    def __enter__(self) -> Self:
        """Start showing."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop showing."""
        ...

    def __call__(self, event: RunEvent) -> None:
        """Show one event."""
        ...


def choose_progress(console: Console, *, as_json: bool) -> Progress:
    """Choose how to show progress on this console."""
    if as_json:
        return JsonProgress()
    return TreeProgress(console) if console.is_terminal else PlainProgress(console)


class LineProgress:
    """What is written is written: nothing to set up, nothing to take down."""

    def __enter__(self) -> Self:
        """Start showing."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop showing."""


class JsonProgress(LineProgress):
    """One JSON object per event on standard output."""

    def __call__(self, event: RunEvent) -> None:
        """Print the event."""
        sys.stdout.write(json.dumps(event.to_json()) + "\n")
        sys.stdout.flush()


class PlainProgress(LineProgress):
    """One line per fact that matters, for logs."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __call__(self, event: RunEvent) -> None:
        """Print a line, if the event is worth one."""
        line = describe(event)
        if line:
            phase = "" if event.phase is None else f"\\[{int(event.phase)}] "
            self._console.print(f"{phase}{line}", soft_wrap=True)
            self._console.file.flush()


@dataclass(slots=True)
class _PhaseNode:
    title: str
    started: float
    done: Text | None = None
    running: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class TreeProgress:
    """A tree that is redrawn in place: phases, and under the current one what is under way."""

    def __init__(self, console: Console) -> None:
        self._live = Live(self, console=console, refresh_per_second=12, transient=False)
        self._phases: dict[int, _PhaseNode] = {}
        self._undone: list[str] = []
        self._spinner = Spinner("dots")

    def __enter__(self) -> Self:
        """Start showing."""
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop showing."""
        self._live.stop()

    def __call__(self, event: RunEvent) -> None:
        """Take the event into the tree."""
        fields = event.fields
        if event.phase is None:
            if event.kind in UNDO_KINDS:
                self._undone.append(describe(event))
            return
        if event.kind is RunEventKind.PHASE_STARTED:
            self._phases[int(event.phase)] = _PhaseNode(str(fields["title"]), time.monotonic())
            return
        node = self._phases[int(event.phase)]
        key = f"{fields.get('stack', '')}/{fields.get('name', '')}"
        match event.kind:
            case RunEventKind.PHASE_FINISHED:
                node.done = Text.from_markup(
                    f"[green]✓[/] {node.title} [dim]{escape(str(fields['summary']))}"
                    f" ({fields['duration_s']:.1f} s)[/]"
                )
                # What matters of its details is in the table at the end; warnings are not.
                node.lines = node.warnings
                node.running.clear()
            case RunEventKind.PHASE_FAILED:
                node.done = Text.from_markup(f"[red]✗ {node.title}[/] [dim]{fields['code']}[/]")
                node.running.clear()
            case RunEventKind.RESOURCE_STARTED:
                node.running[key] = f"{fields['operation']} {fields['name']}"
            case RunEventKind.RESOURCE_FINISHED | RunEventKind.RESOURCE_FAILED:
                node.running.pop(key, None)
            case _:
                line = describe(event).strip()
                if line:
                    node.lines.append(line)
                    if event.kind is RunEventKind.WARNED:
                        node.warnings.append(line)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the tree as it stands."""
        tree = Tree("[bold]conductor up[/]", guide_style="dim")
        for number, node in self._phases.items():
            if node.done is not None:
                branch = tree.add(node.done)
            else:
                spin = self._spinner.render(time.monotonic())
                label = Text.assemble(
                    str(spin), f" {number} {node.title} ", (f"{_age(node)}", "dim")
                )
                branch = tree.add(label)
            for line in node.lines:
                branch.add(Text.from_markup(line))
            running = list(node.running.values())
            for text in running[:SHOWN_RUNNING]:
                branch.add(Text(text, style="dim"))
            if len(running) > SHOWN_RUNNING:
                branch.add(Text(f"and {len(running) - SHOWN_RUNNING} more", style="dim"))
        if self._undone:
            branch = tree.add("[bold]Rollback[/]")
            for line in self._undone:
                branch.add(Text.from_markup(line))
        yield tree


def _age(node: _PhaseNode) -> str:
    return f"{time.monotonic() - node.started:.1f} s"


UNDO_KINDS = frozenset(
    {
        RunEventKind.UNDO_STARTED,
        RunEventKind.UNDO_FINISHED,
        RunEventKind.UNDO_FAILED,
        RunEventKind.WARNED,
    }
)
# One line of markup per kind of event; kinds that are not here are not worth a line.
LINES = {
    RunEventKind.PHASE_STARTED: "[bold]{title}[/]",
    RunEventKind.PHASE_FINISHED: "done in {duration_s:.1f} s: {summary}",
    RunEventKind.PHASE_FAILED: "[red]failed[/] after {duration_s:.1f} s",
    RunEventKind.RESOURCE_FINISHED: "  {sign} {type} {name}",
    RunEventKind.RESOURCE_FAILED: "  [red]! {type} {name}[/]",
    RunEventKind.STACK_FINISHED: "stack {stack}: {summary}",
    RunEventKind.GRANT_EFFECTIVE: (
        "  effective after {delay_s:.1f} s: {role} on {resource} for {member}"
    ),
    RunEventKind.COMMAND_SENT: "command {instruction} for {dataflow} sent to the director",
    RunEventKind.COMMAND_COMPLETED: "the director completed {dataflow}: {summary}",
    RunEventKind.SERVICE_HEALTHY: "  healthy: {service} at {url}",
    RunEventKind.UNDO_STARTED: "[bold]undo[/]: {action} {stack}",
    RunEventKind.UNDO_FINISHED: "undone: {action} {stack} by {by}",
    RunEventKind.UNDO_FAILED: "[red]not undone[/]: {action} {stack}: {message}",
    RunEventKind.WARNED: "[yellow]warning[/]: {message}",
    RunEventKind.NOTED: "{message}",
}


def describe(event: RunEvent) -> str:
    """Put an event into one line of markup; empty when it is not worth one."""
    template = LINES.get(event.kind)
    operation = str(event.fields.get("operation", ""))
    if template is None:
        return ""
    if event.kind is RunEventKind.RESOURCE_FINISHED and (
        operation not in OPERATION_SIGNS or str(event.fields["type"]).startswith(OUR_COMPONENTS)
    ):
        return ""
    fields = {
        name: escape(value) if isinstance(value, str) else value
        for name, value in event.fields.items()
    }
    return template.format(**fields, sign=OPERATION_SIGNS.get(operation, ""))
