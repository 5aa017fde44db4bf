"""Texts become trees in which every node knows its place; bombs are refused unexpanded."""

from __future__ import annotations

import time

import pytest

from architecture.yaml_tree import MAX_DEPTH, Mapping, Scalar, UnreadableYaml, locate, parse

TEXT = """\
name: tracer
list:
  - one
  - key: "two"
"""


def test_every_node_knows_its_place() -> None:
    """A scalar is located at itself, a collection at the key that opens it."""
    root = parse(TEXT)
    assert locate(root, ("name",)) == (1, 7)
    assert locate(root, ("list",)) == (2, 1)
    assert locate(root, ("list", 0)) == (3, 5)
    assert locate(root, ("list", 1, "key")) == (4, 10)


def test_path_that_ends_early_is_located_at_its_last_step() -> None:
    """What is missing is reported where it should have been."""
    root = parse(TEXT)
    assert locate(root, ("list", 1, "other", "deeper")) == (4, 5)
    assert locate(root, ("list", 7)) == (2, 1)
    assert locate(None, ("list",)) == (0, 0)


def test_text_without_content_has_no_tree() -> None:
    """Comments alone are no document."""
    assert parse("# nothing\n") is None


def test_merge_keys_add_what_the_mapping_does_not_say() -> None:
    """`<<` takes over entries of an anchor; the mapping's own win."""
    root = parse("a: &a {x: 1, y: 2}\nb: &b {z: 3}\nc: {<<: [*a, *b], y: 4}\n")
    assert isinstance(root, Mapping)
    merged = root.entries[2][1]
    assert isinstance(merged, Mapping)
    values = {k.text: v.text for k, v in merged.entries if isinstance(v, Scalar)}
    assert values == {"y": "4", "x": "1", "z": "3"}


def test_alias_bomb_is_refused_before_it_is_expanded() -> None:
    """Nine levels of nine aliases stand for 387 million nodes; refusing them takes no time."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 10)
    ]
    started_at = time.perf_counter()
    with pytest.raises(UnreadableYaml) as refusal:
        parse("\n".join(lines))
    assert refusal.value.rule == "alias-expansion"
    assert time.perf_counter() - started_at < 1


@pytest.mark.parametrize(
    ("text", "rule", "place"),
    [
        ("a: [", "yaml-syntax", (1, 5)),
        ("a: 1\nb: 'x\n\n", "yaml-syntax", (2, 4)),
        ("a: b: c", "yaml-syntax", (1, 5)),
        ("a:\n\tb: c", "yaml-syntax", (2, 1)),
        ("a: *gone", "yaml-syntax", (1, 4)),
        ("a: &a [*a]", "alias-expansion", (1, 8)),
        ("a: !!python/object:os.system x", "yaml-tag", (1, 4)),
        ("[" * (MAX_DEPTH + 1), "too-deep", (1, MAX_DEPTH + 1)),
        ("a: 1\n---\nb: 2", "several-documents", (2, 1)),
        ("{[a]: b}", "wrong-type", (1, 4)),
        ("a: \x00", "yaml-syntax", (0, 0)),
        ("a: \x08", "yaml-syntax", (0, 0)),
    ],
)
def test_what_is_no_architecture_is_refused_with_its_place(
    text: str, rule: str, place: tuple[int, int]
) -> None:
    """Each kind of unreadable text has a rule of its own."""
    with pytest.raises(UnreadableYaml) as refusal:
        parse(text)
    assert (refusal.value.rule, refusal.value.line, refusal.value.column) == (rule, *place)
    assert refusal.value.message
    assert refusal.value.fix
