"""Filters of lists: terms over fields, of which an entry fits all.

The part of Google's filter language (AIP-160) that people and `gcloud` use: `field:text`,
`field=value`, `field!=value`, joined by spaces or `AND`. Anything else is refused: an answer that
ignores half a filter would be a made-up one.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from typing import Final

from rehearsal.cloud.calls import JsonObject, camel_case
from rehearsal.cloud.errors import failed_precondition

_TERM: Final = re.compile(r'\s*([A-Za-z][\w.-]*)\s*(!=|=|:)\s*("[^"]*"|[^\s()"]+)(?:\s+AND\b)?')


def filtered(entries: Sequence[JsonObject], filter_text: str) -> list[JsonObject]:
    """Return the entries that fit a filter; an empty one fits all.

    Raises:
        ApiError: 400; the filter says more than is modelled.
    """
    terms = _terms(filter_text)
    return [entry for entry in entries if all(_fits(entry, *term) for term in terms)]


def _terms(text: str) -> list[tuple[str, str, str]]:
    terms = []
    position = 0
    while text[position:].strip():
        term = _TERM.match(text, position)
        if term is None or term[1] in ("NOT", "OR"):
            raise failed_precondition(f"not implemented in the local cloud: the filter {text!r}")
        terms.append((term[1], term[2], term[3].strip('"')))
        position = term.end()
    return terms


def _fits(entry: JsonObject, field: str, operator: str, wanted: str) -> bool:
    value: object = entry
    for part in field.split("."):
        if not isinstance(value, dict):
            return False
        # Labels have the names that people gave them.
        value = value.get(camel_case(part), value.get(part))
    if value is None:
        return operator == "!="
    texts = [str(name).lower() for name in (value if isinstance(value, dict | list) else [value])]
    if operator == ":":
        pattern = f"*{wanted.lower()}*"
        return any(fnmatch.fnmatchcase(text, pattern) for text in texts)
    return (wanted.lower() in texts) is (operator == "=")
