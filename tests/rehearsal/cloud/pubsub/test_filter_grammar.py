"""Random filters mean the same to us and to an evaluator that never saw our parser."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from rehearsal.cloud.pubsub.filters import MAX_FILTER_BYTES, compile_filter

Attributes = Mapping[str, str]


@dataclass(frozen=True)
class Filter:
    """A filter as text, and what it means."""

    text: str
    means: Callable[[Attributes], bool]


_KEYS = st.sampled_from(["kind", "_k", "re-gion", "odd key", 'quo"te', "a.b", "AND"])
_VALUES = st.sampled_from(["", "order", "ord", 'say "x"', "back\\slash", "é", "NOT"])
_BARE = {"kind", "_k", "re-gion"}


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _key(key: str, *, is_quoted: bool) -> str:
    return _quoted(key) if is_quoted or key not in _BARE else key


@st.composite
def _comparisons(draw: st.DrawFn) -> Filter:
    key, value = draw(_KEYS), draw(_VALUES)
    name, space = _key(key, is_quoted=draw(st.booleans())), draw(st.sampled_from(["", " "]))
    match draw(st.sampled_from([":", "=", "!=", "hasPrefix"])):
        case ":":
            return Filter(f"attributes:{name}", lambda given: key in given)
        case "=":
            text = f"attributes.{name}{space}={space}{_quoted(value)}"
            return Filter(text, lambda given: key in given and given[key] == value)
        case "!=":
            text = f"attributes.{name}{space}!={space}{_quoted(value)}"
            return Filter(text, lambda given: not (key in given and given[key] == value))
    text = f"hasPrefix(attributes.{name},{space}{_quoted(value)})"
    return Filter(text, lambda given: key in given and given[key][: len(value)] == value)


def _compounds(inner: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
    def negated(one: Filter, sign: str) -> Filter:
        return Filter(f"{sign}({one.text})", lambda given: not one.means(given))

    def joined(ones: list[Filter], word: str) -> Filter:
        decide = all if word == "AND" else any
        text = f" {word} ".join(f"({one.text})" for one in ones)
        return Filter(text, lambda given: decide(one.means(given) for one in ones))

    return st.builds(negated, inner, st.sampled_from(["NOT ", "-"])) | st.builds(
        joined, st.lists(inner, min_size=2, max_size=3), st.sampled_from(["AND", "OR"])
    )


_FILTERS = st.recursive(_comparisons(), _compounds, max_leaves=6).filter(
    lambda one: len(one.text.encode()) <= MAX_FILTER_BYTES
)


@given(_FILTERS, st.dictionaries(_KEYS, _VALUES))
def test_a_filter_means_what_its_parts_mean(filter_: Filter, given_: dict[str, str]) -> None:
    """Whatever the nesting, quoting and spacing."""
    assert compile_filter(filter_.text)(given_) == filter_.means(given_)


@given(_comparisons(), _comparisons(), st.dictionaries(_KEYS, _VALUES))
def test_negation_binds_closer_than_conjunction(
    one: Filter, other: Filter, given_: dict[str, str]
) -> None:
    """`NOT a AND b` is `(NOT a) AND b`."""
    both = compile_filter(f"NOT {one.text} AND {other.text}")
    assert both(given_) == (not one.means(given_) and other.means(given_))
