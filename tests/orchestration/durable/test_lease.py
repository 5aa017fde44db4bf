"""The lease of an environment, on both databases: one holder, and everybody else fenced off."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from orchestration.conductor.journal import StepEvent
from orchestration.durable.database import database_now, lease_table, open_database
from orchestration.durable.journal_store import JournalStore
from orchestration.durable.lease import Fenced, Lease, LeaseTerms, held_lease, take_lease
from orchestration.environments import Environment
from orchestration.errors import ConductorError, EnvironmentBusy
from orchestration.settings import Settings

LONG = LeaseTerms(length_s=600)
OVER = LeaseTerms(length_s=-1)
WaitUntil = Callable[[Callable[[], object]], None]


@pytest.fixture
def machine(tmp_path: Path) -> Callable[[str], Environment]:
    """Environment `dev` as another machine sees it: in a project folder of its own."""
    return lambda name: Environment("dev", Settings(project_dir=tmp_path / name))


def renewed_at(engine: sa.Engine) -> float:
    """Read when the lease was last renewed."""
    with engine.connect() as connection:
        return float(connection.execute(sa.select(lease_table.c.renewed_at)).scalar_one())


def test_a_second_holder_is_told_who_has_it(
    engine: sa.Engine, machine: Callable[[str], Environment]
) -> None:
    """Step 4, item 2: name, host and age of the holder; a released lease is free at once."""
    first = take_lease(engine, machine("a"), "conductor up --env dev", LONG)
    with pytest.raises(EnvironmentBusy) as caught:
        take_lease(engine, machine("b"), "conductor rollback --env dev", LONG)
    assert "`conductor up --env dev`" in caught.value.message
    assert socket.gethostname() in caught.value.message
    assert "for 0 s" in caught.value.message
    first.release()
    second = take_lease(engine, machine("b"), "conductor rollback --env dev", LONG)
    assert second.generation > first.generation


def test_one_of_many_gets_it(engine: sa.Engine, machine: Callable[[str], Environment]) -> None:
    """Those who come at the same moment do not both hold it."""
    got: list[Lease] = []
    busy: list[EnvironmentBusy] = []
    together = threading.Barrier(8)

    def try_it(name: str) -> None:
        together.wait(20)
        try:
            got.append(take_lease(engine, machine(name), "up", LONG))
        except EnvironmentBusy as error:
            busy.append(error)

    threads = [threading.Thread(target=try_it, args=(f"m{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (len(got), len(busy)) == (1, 7)


def test_many_open_an_empty_database_at_once(url: str) -> None:
    """Workers start together: none of them fails because another makes the tables."""
    with ThreadPoolExecutor(8) as pool:
        for opened in pool.map(open_database, [url] * 8):
            opened.dispose()


def test_a_zombie_writes_nothing_more(
    engine: sa.Engine, machine: Callable[[str], Environment]
) -> None:
    """Fault case 11: paused, taken over, continued: its journal and its final writes end there."""
    zombie = take_lease(engine, machine("a"), "up", OVER)
    journal = JournalStore(engine, "dev", zombie)
    journal.add("run-1", "iam", StepEvent.STARTED)
    heir = take_lease(engine, machine("b"), "up", LONG)
    with pytest.raises(Fenced) as caught:
        journal.add("run-1", "iam", StepEvent.SUCCEEDED)
    assert caught.value.code == "fenced"
    with pytest.raises(Fenced):
        zombie.require()
    zombie.release()
    heir.require()
    assert [entry.event for entry in journal.read("run-1")] == [StepEvent.STARTED]
    assert JournalStore(engine, "dev", heir).add("run-1", "iam", StepEvent.STARTED) == "started"


def test_a_process_that_died_in_the_same_folder_does_not_block(
    engine: sa.Engine, machine: Callable[[str], Environment]
) -> None:
    """No manual unlock: whoever has the folder's lock knows that the holder before has died."""
    dead = take_lease(engine, machine("a"), "up", LONG)
    heir = take_lease(engine, machine("a"), "up", LONG)
    assert heir.generation > dead.generation
    with pytest.raises(Fenced):
        dead.require()


def test_the_heartbeat_keeps_it(
    engine: sa.Engine, machine: Callable[[str], Environment], wait_until: WaitUntil
) -> None:
    """It is renewed while the block runs, and free after it."""
    with held_lease(engine, machine("a"), "up", LeaseTerms(length_s=30, heartbeat_s=0.01)):
        before = renewed_at(engine)
        wait_until(lambda: renewed_at(engine) > before)
        with pytest.raises(EnvironmentBusy):
            take_lease(engine, machine("b"), "up", LONG)
    take_lease(engine, machine("b"), "up", LONG)


def test_what_fails_because_of_a_takeover_is_called_so(
    engine: sa.Engine, machine: Callable[[str], Environment]
) -> None:
    """Whatever error the takeover led to: the code is `fenced`, and the heir keeps its lease."""
    heirs: list[Lease] = []

    def be_overtaken() -> None:
        with held_lease(engine, machine("a"), "up", LeaseTerms(length_s=-1, heartbeat_s=60)):
            heirs.append(take_lease(engine, machine("b"), "up", LONG))
            raise ConductorError("the stack is locked")

    with pytest.raises(Fenced):
        be_overtaken()
    heirs[0].require()


def test_the_clock_is_the_databases(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault case 28: a host whose clock is wrong neither loses nor steals a lease."""
    monkeypatch.setattr("time.time", lambda: 0.0)
    with engine.connect() as connection:
        assert connection.execute(sa.select(database_now(engine))).scalar_one() > 1.7e9
