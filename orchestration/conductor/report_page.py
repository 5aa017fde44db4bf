"""A run's report as a page: one file without scripts, readable by light and by dark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from orchestration.conductor.reports import PhaseReport, RunReport

STYLE = """
:root { color-scheme: light dark; --line: #8884; --bar: #2f6fde; --bad: #c62828; --good: #2e7d32; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 64rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: anywhere; }
td.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.track { position: relative; height: 1rem; min-width: 12rem; }
.bar { position: absolute; top: .2rem; height: .6rem; min-width: 2px; border-radius: 2px;
  background: var(--bar); }
.failed .bar { background: var(--bad); }
.error { border-left: 4px solid var(--bad); padding: .25rem 1rem; }
.succeeded { color: var(--good); } .failed, .stuck, .error strong { color: var(--bad); }
.failed td { color: inherit; } pre { white-space: pre-wrap; } .quiet { opacity: .7; }
"""


def page(report: RunReport) -> str:
    """Write the page."""
    body = "\n".join(_sections(report))
    return (
        "<!doctype html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(report.run_id)}: {escape(report.status)}</title>\n"
        f"<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
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
    return _table(("Phase", "Took", "When", "What"), rows)


def _tables(report: RunReport) -> Iterable[str]:
    if report.urls:
        rows = [_row(name, url, report.images.get(name, "")) for name, url in report.urls.items()]
        yield "<h2>Services</h2>" + _table(("Service", "URL", "Image"), rows)
    if report.stacks:
        rows = [
            _row(
                stack.stack,
                ", ".join(f"{n} {operation}" for operation, n in sorted(stack.changes.items())),
                f"{stack.duration_s:.1f} s",
            )
            for stack in report.stacks
        ]
        yield "<h2>Stacks</h2>" + _table(("Stack", "Resources", "Took"), rows)
    if report.roles:
        rows = [
            _row(
                role.role,
                str(role.grants),
                f"{role.p50_s:.1f} s",
                f"{role.p99_s:.1f} s",
                "; ".join(role.tested),
            )
            for role in report.roles
        ]
        heads = ("Role", "Grants", "Half worked after", "99 % after", "Tested by")
        yield "<h2>When grants worked</h2>" + _table(heads, rows)
    if report.steps:
        rows = [
            _row(step.step, step.status.value, f"{step.began_at:%H:%M:%S}", step.note)
            for step in report.steps
        ]
        yield "<h2>Journal</h2>" + _table(("Step", "Status", "Began", "Note"), rows)
    rows = [_row(name, value) for name, value in sorted(report.options.items()) if value]
    if rows:
        yield "<h2>Options</h2>" + _table(("Option", "Value"), rows)


def _table(heads: Sequence[str], rows: Sequence[str]) -> str:
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _row(*cells: str) -> str:
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


def _word(status: str) -> str:
    return escape(status.replace(" ", "-"))
