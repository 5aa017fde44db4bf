"""The question before something is taken away."""

from __future__ import annotations

import io

import pytest

from orchestration.cli.asking import ask
from orchestration.errors import UsageError


class Terminal(io.StringIO):
    """Somebody who types."""

    def isatty(self) -> bool:
        """Be a terminal."""
        return True


def asked(monkeypatch: pytest.MonkeyPatch, stdin: io.StringIO) -> None:
    """Ask before two stacks go."""
    monkeypatch.setattr("sys.stdin", stdin)
    ask("This deletes", ["dev.images", "dev.foundation"], "Do it?", unasked="deleting dev")


def test_where_nobody_can_answer_yes_must_be_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 2 with what would have happened."""
    with pytest.raises(UsageError, match="deleting dev, and nobody is here to ask") as caught:
        asked(monkeypatch, io.StringIO("y\n"))
    assert caught.value.hint == "add --yes"


def test_everything_is_listed_before_the_question(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever agrees has seen what goes."""
    asked(monkeypatch, Terminal("y\n"))
    said = capsys.readouterr().out
    assert said.startswith("This deletes:\n  dev.images\n  dev.foundation\nDo it?")


def test_whoever_declines_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 2, and that is said."""
    with pytest.raises(UsageError, match="nothing was changed"):
        asked(monkeypatch, Terminal("n\n"))
