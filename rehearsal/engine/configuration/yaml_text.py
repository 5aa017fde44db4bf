"""YAML changed in place: what somebody wrote by hand keeps its comments and its spelling.

The real engine edits a stack's configuration file as a tree of nodes, comments and all.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import yaml

from rehearsal.engine.values.gojson import Json, JsonObject

if TYPE_CHECKING:
    from ruamel.yaml import YAML

_WIDTH: Final = 1_000_000


def written(document: JsonObject) -> str:
    """Write a document anew."""
    if not document:
        return "{}\n"
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=_WIDTH)
    if _spelled(yaml.safe_load(text)) == _spelled(document):
        return text
    # A key with a separator of lines in it (U+0085, say) is read back only when it is escaped.
    return yaml.safe_dump(document, sort_keys=False, width=_WIDTH)


def rewritten(text: str, document: JsonObject) -> str:
    """Write a document over the text of an older one, changing only what differs.

    Args:
        text: what the file holds, perhaps nothing.
        document: what it shall hold.

    Returns:
        Text that reads as exactly `document`. A comment goes with the value that it stands before
        only as far as that value stays.
    """
    if "#" not in text or not document:
        return written(document)
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415 - few files have comments.

    try:
        before = yaml.safe_load(text)
        if _spelled(before) == _spelled(document):
            return text
        changed = _changed(text, before, document)
        # YAML's two versions read some scalars differently: better no comment than another value.
        is_same = _spelled(yaml.safe_load(changed)) == _spelled(document)
    except (YAMLError, yaml.YAMLError):
        return written(document)
    return changed if is_same else written(document)


def _changed(text: str, before: Json, document: JsonObject) -> str:
    editor = _editor()
    tree = editor.load(text)
    if not isinstance(before, Mapping) or not isinstance(tree, dict):
        return written(document)
    _merge(editor, tree, before, document)
    stream = io.StringIO()
    editor.dump(tree, stream)
    return stream.getvalue()


def _editor() -> YAML:
    from ruamel.yaml import YAML  # noqa: PLC0415 - as above

    editor = YAML(typ="rt")
    editor.preserve_quotes = True
    editor.width = _WIDTH
    return editor


def _merge(
    editor: YAML, tree: dict[str, object], before: Mapping[str, Json], after: Mapping[str, Json]
) -> None:
    for key in [key for key in tree if key not in after]:
        del tree[key]
    for key, value in after.items():
        old, branch = before.get(key), tree.get(key)
        if key in tree and _spelled(old) == _spelled(value):
            continue
        if isinstance(branch, dict) and isinstance(old, Mapping) and isinstance(value, Mapping):
            _merge(editor, branch, old, value)
        else:
            # Through text: what has to be in quotes for other readers comes with them.
            tree[key] = editor.load(yaml.safe_dump({"": value}, width=_WIDTH))[""]


def _spelled(value: Json) -> str:
    """Spell a value, so that 1, 1.0 and True differ and the order of keys does not count."""
    return yaml.safe_dump(value)
