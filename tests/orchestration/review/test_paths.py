"""Places in a resource's properties, and what differs between two values."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.automation.results import UNKNOWN_OUTPUT
from orchestration.review.paths import differing, overlap, property_of, value_at

VALUES = st.recursive(
    st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b[1].c", 3),
        ("a.b[9].c", None),
        ('labels["with.dot"]', "x"),
        ("nothing.here", None),
        ("a", {"b": [{}, {"c": 3}]}),
    ],
)
def test_paths_are_looked_up_as_the_engine_writes_them(path: str, value: Any) -> None:
    """Indexes, quoted keys, and what is not there."""
    assert value_at({"a": {"b": [{}, {"c": 3}]}, "labels": {"with.dot": "x"}}, path) == value


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ({"b": {"c": 1}}, {"b": {"c": 2}}, [("b.c", 1, 2)]),
        ({"l": {}}, {"l": {"a.b": "x"}}, [('l["a.b"]', None, "x")]),
        ({"l": [1, 2]}, {"l": [1, 3]}, [("l[1]", 2, 3)]),
        ({"l": [1]}, {"l": [1, 3]}, [("l", [1], [1, 3])]),
        (
            {"l": [{"name": "a", "v": 1}, {"name": "b", "v": 2}]},
            {"l": [{"name": "b", "v": 2}, {"name": "a", "v": 1}]},
            [("l", ["a", "b"], ["b", "a"])],
        ),
        ({"l": [{"name": "a", "v": 1}]}, {"l": []}, [('l["a"].v', 1, None)]),
        ({"u": "x"}, {"u": dict(UNKNOWN_OUTPUT)}, [("u", "x", UNKNOWN_OUTPUT)]),
        (
            {"schema": json.dumps([{"name": "id", "type": "STRING"}])},
            {"schema": json.dumps([{"name": "at", "type": "DATE"}, {"name": "id", "type": "INT"}])},
            [('schema["at"].type', None, "DATE"), ('schema["id"].type', "STRING", "INT")],
        ),
        ({"s": "[not json"}, {"s": "{nor this"}, [("s", "[not json", "{nor this")]),
    ],
)
def test_what_differs_is_named_by_names(before: Any, after: Any, found: Any) -> None:
    """Mappings by key, lists by the names of their items, JSON as what it says."""
    assert list(differing(before, after, "")) == found


@given(before=st.dictionaries(st.text(max_size=4), VALUES), after=VALUES)
def test_values_differ_exactly_where_something_is_told(before: Any, after: Any) -> None:
    """Nothing that differs is passed over, nothing that does not is told."""
    later = {**before, "changed": after}
    told = list(differing(before, later, ""))
    assert bool(told) is (before != later)
    assert all(one != other for _, one, other in told)
    assert list(differing(later, later, "")) == []


@pytest.mark.parametrize(
    ("one", "other", "does"),
    [
        ("a.b[0].c", 'a.b["X"].c', True),
        ("a.b", "a.b[1].c", True),
        ("build.context", "build.contextDigest", False),
        ("a", "b", False),
    ],
)
def test_paths_overlap_whatever_the_item(one: str, other: str, *, does: bool) -> None:
    """One leads through the other; a name is never a part of another."""
    assert overlap(one, other) is does
    assert overlap(other, one) is does
    assert property_of(one) == one[: len(property_of(one))]
