"""Partial responses: what the `fields` parameter chooses of an answer.

`items/id,next` and `items(id,owner/name)` choose fields within fields, `*` any. The header
`X-Goog-FieldMask` and `$fields` of Google's generated clients may have dots for the slashes.
Wherever a list stands, what is below is chosen of each of its entries.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from rehearsal.cloud.calls import JsonObject, camel_case
from rehearsal.cloud.discovery.documents import Method
from rehearsal.cloud.errors import ApiError, bad_request

# What is chosen below each field; nothing below means all of it.
Selection: TypeAlias = dict[str, "Selection"]

_ANY: Final = "*"
_TOKEN: Final = re.compile(r"\s*([^\s,()/.]+|[,()/.])\s*")
_PUNCTUATION: Final = frozenset(",()/.")
_STEPS: Final = frozenset("(/.")
# No answer of Google's is nearly as deep.
_DEEPEST: Final = 100
_NAMES: Final = ("fields", "$fields")


def selection_of(method: Method, query: Mapping[str, str], header: str | None) -> Selection | None:
    """Return what a call chooses of its answer; None for all of it.

    Args:
        method: The method called.
        query: Its parameters.
        header: What `X-Goog-FieldMask` says.

    Raises:
        ApiError: 400; the text is no selection, or a field is none of the answer's.
    """
    text = next((query[name] for name in _NAMES if query.get(name)), header)
    if not text or not text.strip():
        return None
    selection = _Parser(method, text).parsed()
    if method.response is not None:
        schema: JsonObject = {"$ref": method.response}
        return _proper(method, selection, schema, "")
    return selection


def chosen(answer: Any, selection: Selection) -> Any:
    """Return the chosen part of a JSON value."""
    if not selection:
        return answer
    if isinstance(answer, list):
        return [chosen(entry, selection) for entry in answer]
    if not isinstance(answer, dict):
        return answer
    return {
        name: chosen(value, selection[name if name in selection else _ANY])
        for name, value in answer.items()
        if name in selection or _ANY in selection
    }


class _Parser:
    """One pass over the text of a selection."""

    def __init__(self, method: Method, text: str) -> None:
        self._method = method
        self._text = text
        self._tokens: list[str] = []
        end = 0
        while end < len(text):
            found = _TOKEN.match(text, end)
            if found is None:
                raise _invalid(method, text)
            self._tokens.append(found[1])
            end = found.end()
        if _depth(self._tokens) > _DEEPEST:
            raise _invalid(method, text)

    def parsed(self) -> Selection:
        selection = self._list()
        if self._tokens:
            raise _invalid(self._method, self._text)
        return selection

    def _list(self) -> Selection:
        selection: Selection = {}
        while True:
            self._path(selection)
            if self._next() != ",":
                return selection
            self._tokens.pop(0)

    def _path(self, selection: Selection) -> None:
        """Read `a/b(c,d)` into a selection; what was chosen before stays."""
        name = self._next()
        if not name or name in _PUNCTUATION:
            raise _invalid(self._method, self._text)
        self._tokens.pop(0)
        is_known = name in selection
        below = selection.setdefault(name, {})
        if is_known and not below:
            # All of it is chosen already.
            below = {}
        if self._next() in ("/", "."):
            self._tokens.pop(0)
            self._path(below)
        elif self._next() == "(":
            self._tokens.pop(0)
            below.update(self._list())
            if self._next() != ")":
                raise _invalid(self._method, self._text)
            self._tokens.pop(0)
        else:
            selection[name] = {}

    def _next(self) -> str:
        return self._tokens[0] if self._tokens else ""


def _depth(tokens: Sequence[str]) -> int:
    """How many fields within fields a selection goes."""
    depth = deepest = 0
    outside: list[int] = []
    for mark in tokens:
        if mark == "(":
            outside.append(depth)
        elif mark == ")":
            depth = outside.pop() if outside else 0
        elif mark == ",":
            depth = outside[-1] + 1 if outside else 0
        if mark in _STEPS:
            depth += 1
            deepest = max(deepest, depth)
    return deepest


def _invalid(method: Method, text: str) -> ApiError:
    """The error of a selection that an API's answer does not have."""
    if method.api.is_lenient:
        message = f"Invalid field selection {text}"
        return ApiError(400, "INVALID_ARGUMENT", message, reason="invalidParameter")
    reason = f"Error expanding 'fields' parameter. Cannot find matching fields for path '{text}'."
    return bad_request([(text, reason)], message="Request contains an invalid argument.")


def _proper(method: Method, selection: Selection, schema: JsonObject, path: str) -> Selection:
    """The selection by JSON names.

    Raises:
        ApiError: 400; there is no such field.
    """
    while "$ref" in schema or schema.get("type") == "array":
        schema = method.api.schemas[schema["$ref"]] if "$ref" in schema else schema["items"]
    properties: Mapping[str, JsonObject] = schema.get("properties") or {}
    proper: Selection = {}
    for name, below in selection.items():
        at = f"{path}.{name}" if path else name
        known = name if name in properties else camel_case(name)
        if known in properties:
            proper[known] = _proper(method, below, properties[known], at)
        elif name == _ANY and properties:
            proper[_ANY] = below
        elif schema.get("type", "any") == "any" or "additionalProperties" in schema:
            proper[name] = below
        else:
            raise _invalid(method, at)
    return proper
