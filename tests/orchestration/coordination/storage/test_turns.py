"""Writers that queue for SQLite share one sync, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from orchestration.coordination.storage.turns import WriteTurns

Work = Callable[[sa.Connection], None]


class Desk:
    """Turns at a small database, taken by threads of which each can be made to wait."""

    def __init__(self, path: Path) -> None:
        self.engine = sa.create_engine(f"sqlite:///{path}")
        event.listen(
            self.engine, "connect", lambda driver, _: setattr(driver, "isolation_level", None)
        )
        event.listen(self.engine, "begin", lambda c: c.exec_driver_sql("BEGIN IMMEDIATE"))
        self.commits: list[sa.Connection] = []
        with self.engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE names (name TEXT UNIQUE)")
        event.listen(self.engine, "commit", self.commits.append)
        self.turns = WriteTurns(self.engine)
        self.threads = ThreadPoolExecutor(max_workers=8)

    def submit(self, work: Work) -> Future[None]:
        """Have a thread take a turn."""

        def turn() -> None:
            with self.turns.take() as connection:
                work(connection)

        return self.threads.submit(turn)

    def hold(self, *others: Work) -> list[Future[None]]:
        """Take a turn that lasts until all others queue for theirs; it is the first result."""

        def wait(connection: sa.Connection) -> None:
            started.set()
            while self.turns._waiting < len(others):
                threading.Event().wait(0.001)
            adding("first")(connection)

        started = threading.Event()
        held = self.submit(wait)
        assert started.wait(10)
        return [held, *(self.submit(work) for work in others)]

    def names(self) -> set[str]:
        """Read what is committed."""
        with self.engine.connect() as connection:
            return {row.name for row in connection.execute(sa.text("SELECT name FROM names"))}


def adding(name: str) -> Work:
    """Write a name."""
    return lambda c: c.execute(sa.text("INSERT INTO names VALUES (:name)"), {"name": name})  # type: ignore[return-value]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A desk whose shared transactions stay open for as long as somebody queues."""
    monkeypatch.setattr("orchestration.coordination.storage.turns.LONGEST_S", 30.0)
    made = Desk(tmp_path / "names.db")
    yield made
    made.threads.shutdown()
    made.engine.dispose()


def test_those_who_queue_are_committed_together(desk: Desk) -> None:
    """Four writers, three of which queued behind the first, cost one commit."""
    for done in desk.hold(adding("a"), adding("b"), adding("c")):
        done.result(10)
    assert desk.names() == {"first", "a", "b", "c"}
    assert len(desk.commits) == 1


def test_a_failure_undoes_only_its_own_turn(desk: Desk) -> None:
    """What one writer refuses midway is gone; what the others wrote beside it stays."""

    def failing(connection: sa.Connection) -> None:
        adding("lost")(connection)
        raise ValueError("refused")

    first, failed, after = desk.hold(failing, adding("after"))
    first.result(10)
    after.result(10)
    with pytest.raises(ValueError, match="refused"):
        failed.result(10)
    assert desk.names() == {"first", "after"}


def test_nobody_is_told_done_when_the_commit_fails(desk: Desk) -> None:
    """A commit that fails is every member's failure, and nothing of theirs is kept."""

    def fail(_: sa.Connection) -> None:
        raise OSError("disk full")

    event.listen(desk.engine, "commit", fail)
    for done in desk.hold(adding("a"), adding("b")):
        with pytest.raises(OSError, match="disk full"):
            done.result(10)
    event.remove(desk.engine, "commit", fail)
    assert desk.names() == set()
    desk.submit(adding("later")).result(10)
    assert desk.names() == {"later"}


def test_nobody_is_told_done_when_the_transaction_is_lost(desk: Desk) -> None:
    """SQLite may give up a whole transaction: those who wrote in it before learn that."""

    def losing(connection: sa.Connection) -> None:
        connection.exec_driver_sql("ROLLBACK")
        raise OSError("disk full")

    for done in desk.hold(losing):
        with pytest.raises(OSError, match="disk full"):
            done.result(10)
    assert desk.names() == set()


def test_a_long_queue_is_committed_in_parts(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one's answer does not wait for any number of others."""
    monkeypatch.setattr("orchestration.coordination.storage.turns.MOST_MEMBERS", 2)
    for done in desk.hold(adding("a"), adding("b"), adding("c")):
        done.result(10)
    assert len(desk.commits) == 2
