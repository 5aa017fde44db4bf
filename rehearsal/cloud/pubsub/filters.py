"""Subscription filters: Pub/Sub's filter language over message attributes.

Owns parsing and matching only; that a filter may not change and that unmatched messages count as
acknowledged is `subscriptions`' and `broker`'s rule. The grammar is that of "Filter messages from
a subscription" in Google's documentation.
"""

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

Attributes: TypeAlias = Mapping[str, str]
Predicate: TypeAlias = Callable[[Attributes], bool]

MAX_FILTER_BYTES = 256
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>"(?:[^"\\]|\\.)*")
      | (?P<word>[A-Za-z_][A-Za-z0-9_-]*)
      | (?P<symbol>!=|[=:.,()-])
    )""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_RESERVED = frozenset({"AND", "OR", "NOT"})


class FilterError(ValueError):
    """A filter does not follow the grammar; the text says where."""


def compile_filter(text: str) -> Predicate:
    """Return the predicate of a filter; the empty filter matches every message.

    Raises:
        FilterError: the text is no filter.
    """
    if not text.strip():
        return lambda _attributes: True
    if len(text.encode()) > MAX_FILTER_BYTES:
        raise FilterError(f"the filter is longer than {MAX_FILTER_BYTES} bytes")
    return _Parser(_tokens(text)).parse()


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise FilterError(f"unexpected character at position {position}")
        found.append((str(match.lastgroup), match[str(match.lastgroup)]))
        position = match.end()
    return found


class _Parser:
    """Recursive descent over the tokens, one method per rule of the grammar."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._position = 0

    def parse(self) -> Predicate:
        predicate = self._expression()
        if self._position != len(self._tokens):
            raise FilterError(f"unexpected {self._tokens[self._position][1]!r}")
        return predicate

    def _expression(self) -> Predicate:
        terms = [self._term()]
        operator = self._peek()
        if operator not in {"AND", "OR"}:
            return terms[0]
        while self._accept(operator):
            terms.append(self._term())
        if self._peek() in {"AND", "OR"}:
            raise FilterError("AND and OR need parentheses when combined")
        if operator == "AND":
            return lambda attributes: all(term(attributes) for term in terms)
        return lambda attributes: any(term(attributes) for term in terms)

    def _term(self) -> Predicate:
        if self._accept("NOT") or self._accept("-"):
            negated = self._term()
            return lambda attributes: not negated(attributes)
        if self._accept("("):
            inner = self._expression()
            self._expect(")")
            return inner
        if self._accept("hasPrefix"):
            return self._has_prefix()
        return self._comparison()

    def _has_prefix(self) -> Predicate:
        self._expect("(")
        self._expect("attributes")
        self._expect(".")
        key = self._key()
        self._expect(",")
        prefix = self._string()
        self._expect(")")
        return lambda attributes: key in attributes and attributes[key].startswith(prefix)

    def _comparison(self) -> Predicate:
        self._expect("attributes")
        if self._accept(":"):
            present = self._key()
            return lambda attributes: present in attributes
        self._expect(".")
        key = self._key()
        if self._accept("="):
            equal = self._string()
            return lambda attributes: attributes.get(key) == equal
        self._expect("!=")
        unequal = self._string()
        return lambda attributes: attributes.get(key) != unequal

    def _key(self) -> str:
        kind, text = self._next()
        if kind == "string":
            return _unquote(text)
        if kind == "word" and text not in _RESERVED:
            return text
        raise FilterError(f"expected an attribute key, found {text!r}")

    def _string(self) -> str:
        kind, text = self._next()
        if kind != "string":
            raise FilterError(f"expected a quoted string, found {text!r}")
        return _unquote(text)

    def _peek(self) -> str:
        if self._position >= len(self._tokens):
            return ""
        kind, text = self._tokens[self._position]
        return "" if kind == "string" else text

    def _accept(self, text: str) -> bool:
        if self._peek() != text:
            return False
        self._position += 1
        return True

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            raise FilterError(f"expected {text!r} but found {self._peek() or 'something else'!r}")

    def _next(self) -> tuple[str, str]:
        if self._position >= len(self._tokens):
            raise FilterError("the filter ends too early")
        self._position += 1
        return self._tokens[self._position - 1]


def _unquote(text: str) -> str:
    return _ESCAPE.sub(r"\1", text[1:-1])
