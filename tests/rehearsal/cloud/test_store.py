"""The state in its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.cloud.store import Store


def test_written_bodies_are_there_for_the_next_process(tmp_path: Path) -> None:
    """Nothing waits for a clean end: a second connection sees every write."""
    store = Store(tmp_path / "state.sqlite")
    store.put("kind", "b", {"n": 1})
    store.put_many("kind", [("a", {"n": 2}), ("c", {"n": 3})])
    assert store.delete("kind", "c") is True
    assert store.delete("kind", "c") is False
    other = Store(tmp_path / "state.sqlite")
    assert list(other.items("kind")) == [("a", {"n": 2}), ("b", {"n": 1})]
    assert list(other.items("kind", "b")) == [("b", {"n": 1})]
    assert list(other.items("other")) == []
    store.close()
    other.close()


def test_callers_own_what_they_get_and_give(tmp_path: Path) -> None:
    """Changing a body outside changes nothing inside."""
    store = Store(tmp_path / "state.sqlite")
    body = {"list": [1]}
    store.put("kind", "a", body)
    body["list"].append(2)
    got = store.get("kind", "a")
    assert got == {"list": [1]}
    got["list"].append(3)
    assert store.get("kind", "a") == {"list": [1]}
    assert store.get("kind", "none") is None
    store.close()


def test_several_bodies_are_written_together_or_not_at_all(tmp_path: Path) -> None:
    """A body that is no JSON leaves no trace of those before it."""
    store = Store(tmp_path / "state.sqlite")
    with pytest.raises(TypeError):
        store.put_many("kind", [("a", {}), ("b", {"no": object()})])
    assert store.get("kind", "a") is None
    store.close()
