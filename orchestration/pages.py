"""Pages for people: one file each, without scripts, readable by light and by dark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

STYLE = """
:root { color-scheme: light dark; --line: #8884; --bar: #2f6fde; --bad: #c62828; --good: #2e7d32; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 64rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: anywhere; }
td.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.error { border-left: 4px solid var(--bad); padding: .25rem 1rem; }
.succeeded { color: var(--good); } .failed, .stuck, .error strong { color: var(--bad); }
.failed td { color: inherit; } pre { white-space: pre-wrap; } .quiet { opacity: .7; }
"""


def whole_page(title: str, body: str, *, style: str = "") -> str:
    """Frame a page; `title` is text, `body` is HTML, `style` what this page has of its own."""
    return (
        "<!doctype html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n"
        f"<style>{STYLE}{style}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def table(heads: Sequence[str], rows: Iterable[str]) -> str:
    """Lay out rows of HTML under heads of text."""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def row(*cells: str, kind: str = "") -> str:
    """Write a row of text; `kind` is its class."""
    opened = f'<tr class="{escape(kind)}">' if kind else "<tr>"
    return f"{opened}{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
