"""The journal's table, and a database that is not what it should be."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from orchestration.conductor.journal import IllegalTransitionError, StepEvent, StepStatus
from orchestration.durable.database import DatabaseUnusable, database_url, open_database
from orchestration.durable.journal_store import JournalStore
from orchestration.errors import UsageError


def test_what_was_added_is_read_in_order(engine: sa.Engine) -> None:
    """Entries of one run; those of other runs and environments stay out."""
    journal = JournalStore(engine, "dev")
    journal.add("run-1", "iam", StepEvent.STARTED)
    JournalStore(engine, "test").add("run-1", "plan", StepEvent.STARTED)
    journal.add("run-2", "plan", StepEvent.STARTED)
    assert journal.add("run-1", "iam", StepEvent.FAILED, "no luck") is StepStatus.FAILED
    read = JournalStore(engine, "dev").read("run-1")
    assert [(entry.step, entry.event, entry.note) for entry in read] == [
        ("iam", StepEvent.STARTED, ""),
        ("iam", StepEvent.FAILED, "no luck"),
    ]


def test_an_event_that_cannot_happen_is_not_stored(engine: sa.Engine) -> None:
    """A defect is found where it is made."""
    journal = JournalStore(engine, "dev")
    with pytest.raises(IllegalTransitionError):
        journal.add("run-1", "iam", StepEvent.SUCCEEDED)
    assert journal.read("run-1") == ()


def test_many_threads_add_at_once(engine: sa.Engine) -> None:
    """Steps run side by side."""
    journal = JournalStore(engine, "dev")
    threads = [
        threading.Thread(target=journal.add, args=("run-1", f"step-{n}", StepEvent.STARTED))
        for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(journal.read("run-1")) == 20


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    """Fault case 27: never silently empty."""
    url = database_url(None, tmp_path / "runs.sqlite")
    open_database(url).dispose()
    (tmp_path / "runs.sqlite").write_bytes(b"not a database at all, but long enough to be one" * 99)
    for side_file in tmp_path.glob("runs.sqlite-*"):
        side_file.unlink()
    with pytest.raises(DatabaseUnusable, match=r"runs\.sqlite"):
        open_database(url)


@pytest.mark.parametrize(("given", "said"), [("mysql://x/y", "mysql"), (":::", "cannot be read")])
def test_a_url_that_is_no_database_is_a_wrong_call(tmp_path: Path, given: str, said: str) -> None:
    """Exit 2, and how to write it."""
    with pytest.raises(UsageError, match=said):
        database_url(given, tmp_path / "runs.sqlite")


def test_a_password_is_never_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Errors name the database without its password."""
    monkeypatch.setenv("CONDUCTOR_DATABASE_URL", "postgresql://ada:canary@127.0.0.1:1/runs")
    with pytest.raises(DatabaseUnusable) as caught:
        open_database(database_url(None, tmp_path / "runs.sqlite"))
    assert "canary" not in caught.value.message
    assert caught.value.exit_code == 3
