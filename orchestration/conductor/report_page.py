"""A run's report as a page: one file without scripts, readable by light and by dark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from orchestration.conductor.reports import PhaseReport, RunReport
from orchestration.pages import row, table, whole_page

TIMELINE_STYLE = """
.track { position: relative; height: 1rem; min-width: 12rem; }
.bar { position: absolute; top: .2rem; height: .6rem; min-width: 2px; border-radius: 2px;
  background: var(--bar); }
.failed .bar { background: var(--bad); }
"""


def page(report: RunReport) -> str:
    """Write the page."""
    return whole_page(
        f"{report.run_id}: {report.status}", "\n".join(_sections(report)), style=TIMELINE_STYLE
    )


def _sections(report: RunReport) -> Iterable[str]:
    took = f", {report.duration_s:.1f} s" if report.duration_s is not None else ""
    yield f"<h1>Run {escape(report.run_id)}</h1>"
    yield (
        f'<p><strong class="{_word(report.status)}">{escape(report.status)}</strong>'
        f" · environment {escape(report.environment)}"
        f" · started {report.started_at:%Y-%m-%d %H:%M:%S} UTC{took}"
        f'<br><span class="quiet">{escape(report.architecture)}</span></p>'
    )
    if report.error is not None:
        yield _error(report)
    if report.rolled_back_to is not None:
        back = f"release {report.rolled_back_to}" if report.rolled_back_to else "nothing"
        yield f"<p>Rolled back to {escape(back)}.</p>"
    if report.phases:
        yield "<h2>Timeline</h2>" + _timeline(report.phases)
    yield from _tables(report)


def _error(report: RunReport) -> str:
    assert report.error is not None, "only called for a run with an error"
    error = report.error
    parts = [f"<p><strong>{escape(error.code)}</strong>: {escape(error.message)}</p>"]
    if error.details:
        parts.append(f"<pre>{escape(error.details)}</pre>")
    if error.hint:
        parts.append(f"<p>What to do: {escape(error.hint)}</p>")
    return f'<div class="error">{"".join(parts)}</div>'


def _timeline(phases: Sequence[PhaseReport]) -> str:
    whole = max(phase.starts_after_s + phase.duration_s for phase in phases) or 1.0
    rows = []
    for phase in phases:
        left, width = 100 * phase.starts_after_s / whole, 100 * phase.duration_s / whole
        rows.append(
            f'<tr class="{_word(phase.status)}"><td>{phase.phase} {escape(phase.title)}</td>'
            f'<td class="number">{phase.duration_s:.1f} s</td>'
            f'<td><div class="track"><div class="bar" style="left:{left:.2f}%;'
            f'width:{width:.2f}%"></div></div></td><td>{escape(phase.summary)}</td></tr>'
        )
    return table(("Phase", "Took", "When", "What"), rows)


def _tables(report: RunReport) -> Iterable[str]:
    if report.urls:
        rows = [row(name, url, report.images.get(name, "")) for name, url in report.urls.items()]
        yield "<h2>Services</h2>" + table(("Service", "URL", "Image"), rows)
    if report.stacks:
        rows = [
            row(
                stack.stack,
                ", ".join(f"{n} {operation}" for operation, n in sorted(stack.changes.items())),
                f"{stack.duration_s:.1f} s",
            )
            for stack in report.stacks
        ]
        yield "<h2>Stacks</h2>" + table(("Stack", "Resources", "Took"), rows)
    if report.roles:
        rows = [
            row(
                role.role,
                str(role.grants),
                f"{role.p50_s:.1f} s",
                f"{role.p99_s:.1f} s",
                f"{role.expected.p50_s:.1f} and {role.expected.p99_s:.1f} s"
                if role.expected
                else "",
                "; ".join(role.tested),
            )
            for role in report.roles
        ]
        heads = ("Role", "Grants", "Half worked after", "99 % after", "Expected", "Tested by")
        yield "<h2>When grants worked</h2>" + table(heads, rows)
    if report.steps:
        rows = [
            row(step.step, step.status.value, f"{step.began_at:%H:%M:%S}", step.note)
            for step in report.steps
        ]
        yield "<h2>Journal</h2>" + table(("Step", "Status", "Began", "Note"), rows)
    rows = [row(name, value) for name, value in sorted(report.options.items()) if value]
    if rows:
        yield "<h2>Options</h2>" + table(("Option", "Value"), rows)


def _word(status: str) -> str:
    return escape(status.replace(" ", "-"))
