"""A word that nobody knows gets the one that was probably meant."""

from __future__ import annotations

from architecture.misspelling import nearest, suggestion


def test_nearest_word_is_suggested() -> None:
    """One transposed letter does not hide what was meant."""
    assert suggestion("regoin", ("name", "region")) == "did you mean `region`?"


def test_words_to_choose_from_are_shown_where_none_is_near() -> None:
    """A long list is cut."""
    assert suggestion("xyz", ("beta", "", "alpha")) == "known here: alpha, beta"
    many = tuple(f"topic-{n:03}" for n in range(50))
    assert suggestion("xyz", many).endswith("topic-011, …")
    assert suggestion("xyz", ()) == "there is none"


def test_nearest_of_very_many_words_is_found() -> None:
    """Only its neighbours in the alphabet are compared."""
    many = tuple(f"service-{n:05}" for n in range(20_000))
    assert nearest("service-12345x", many) == "service-12345"
