"""User labels beside the effective ones: only the former are managed, the latter are all there are.

Labels that somebody else put on a resource stay, and never count as drift.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from rehearsal.engine.provider import DiffKind, Properties, Unknown, Value
from rehearsal.providers.comparing import Comparison, child
from rehearsal.providers.properties import (
    Json,
    JsonObject,
    has_unknown,
    json_object,
    known,
    mapping,
)
from rehearsal.providers.schema import text_map

_KEY: Final = re.compile(r"^[a-z][a-z0-9_-]{0,62}$")
_VALUE: Final = re.compile(r"^[a-z0-9_-]{0,63}$")
_MOST: Final = 64
_MIRRORS: Final = ("effectiveLabels", "pulumiLabels")


def _problem(value: Value) -> str | None:
    """Say what Google would refuse about labels."""
    entries = mapping(value)
    if len(entries) > _MOST:
        return f"holds {len(entries)} labels, but at most {_MOST} are allowed"
    for key, entry in entries.items():
        if not _KEY.match(key):
            return (
                f"has the key {key!r}; keys start with a lowercase letter, have at most 63 "
                "characters, and hold only lowercase letters, digits, '_' and '-'"
            )
        if isinstance(entry, str) and not _VALUE.match(entry):
            return (
                f"has the value {entry!r} under {key!r}; values have at most 63 characters and "
                "hold only lowercase letters, digits, '_' and '-'"
            )
    return None


LABELS: Final = text_map("labels").checked(_problem)


def compare_labels(
    state: Mapping[str, Value], values: Mapping[str, Value], found: Comparison
) -> None:
    """Show a changed label under the outputs that mirror the labels, as official diffs do."""
    old, new = mapping(state.get("labels")), values.get("labels")
    if isinstance(new, Unknown):
        for mirror in _MIRRORS:
            found.note(mirror, DiffKind.UPDATE)
        return
    news = mapping(new)
    for key in sorted(old.keys() | news.keys()):
        if key in old and key in news and old[key] == news[key]:
            continue
        kind = DiffKind.UPDATE
        if key not in old:
            kind = DiffKind.ADD
        elif key not in news:
            kind = DiffKind.DELETE
        for mirror in _MIRRORS:
            found.note(child(mirror, key), kind)


def labels_to_send(values: Mapping[str, Value], state: Mapping[str, Value] | None) -> Json:
    """Return the labels of a create or update; None when there are none to speak of."""
    given = dict(json_object(known(values.get("labels"))))
    if state is None:
        return given or None
    mine = mapping(state.get("labels"))
    foreign = {
        key: known(value)
        for key, value in mapping(state.get("effectiveLabels")).items()
        if key not in mine
    }
    return {**foreign, **given}


def label_outputs(prior: Mapping[str, Value], body: JsonObject) -> Properties:
    """Return the three label outputs; on an import (an empty `prior`) all labels are ours."""
    live = dict(json_object(body.get("labels")))
    managed = mapping(prior.get("labels")) if prior else live
    mine = {key: live[key] for key in managed if key in live}
    return {"labels": mine or None, "effectiveLabels": live, "pulumiLabels": dict(mine)}


def planned_labels(values: Mapping[str, Value], old: Mapping[str, Value] | None) -> Properties:
    """Return the label outputs of a preview."""
    given = values.get("labels")
    if has_unknown(given):
        return {"effectiveLabels": given, "pulumiLabels": given}
    effective = labels_to_send(values, old)
    return {
        "labels": given,
        "effectiveLabels": dict(mapping(effective)),
        "pulumiLabels": dict(mapping(given)),
    }
