"""How commands reach a director, over a real Pub/Sub with the unmodified client library."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient

from orchestration.director.ledger import FolderLedger
from orchestration.director.messages import Command, Completion, Instruction, decode, encode
from orchestration.director.pulling import MOST_COMMANDS, CommandPull
from orchestration.director.service import DirectorService, Identity, Provisioned
from orchestration.targets.local import LocalTarget

PATIENCE_S = 30.0


class SlowProvisioner:
    """Sets a dataflow up when it is told to go on."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.go_on = {"slow": threading.Event()}
        self.changed = threading.Condition()

    def provision(self, dataflow: str, *, keeps_data: bool) -> Provisioned:
        """Note the dataflow, and wait if it is the slow one."""
        with self.changed:
            self.started.append(dataflow)
            self.changed.notify_all()
        if dataflow in self.go_on:
            assert self.go_on[dataflow].wait(PATIENCE_S)
        return Provisioned((), (), (), {})

    def tear_down(self, dataflow: str) -> Provisioned:
        """Have nothing to delete; nobody asks here."""
        del dataflow
        return Provisioned((), (), (), {})

    def status(self, dataflow: str) -> Provisioned | None:
        """Know nothing."""
        del dataflow

    def digests(self) -> tuple[str, str]:
        """Give what commands here say."""
        return "arch", "program"


class Director:
    """A director that pulls from a real subscription and answers into a list."""

    def __init__(self, subscriber: SubscriberClient, subscription: str, ledger: Path) -> None:
        self.provisioner = SlowProvisioner()
        self.answered: list[str] = []
        self.failures = 0
        self._changed = threading.Condition()
        service = DirectorService(
            Identity("director-1", "dev"), self.provisioner, FolderLedger(ledger), self._publish
        )
        self.pull = CommandPull(subscriber, subscription, service)

    def _publish(self, data: bytes, attributes: dict[str, str]) -> None:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("no Pub/Sub")
        with self._changed:
            self.answered.append(decode(Completion, data, attributes).command_id)
            self._changed.notify_all()

    def has_answered(self, command_id: str, within_s: float = PATIENCE_S) -> bool:
        """Wait until a command is answered."""
        with self._changed:
            return self._changed.wait_for(lambda: command_id in self.answered, within_s)

    def has_started(self, dataflow: str) -> bool:
        """Wait until a dataflow is in work."""
        changed = self.provisioner.changed
        with changed:
            return changed.wait_for(lambda: dataflow in self.provisioner.started, PATIENCE_S)


Send = Callable[[str, str], None]


@pytest.fixture
def send(target: LocalTarget, links: dict[str, str]) -> Iterator[Send]:
    """Publish a command."""
    publisher: PublisherClient = target.publisher()

    def publish(command_id: str, dataflow: str) -> None:
        command = Command(
            instruction=Instruction.SETUP,
            command_id=command_id,
            run_id="r-1",
            environment="dev",
            dataflow=dataflow,
            generation=1,
            deadline=datetime.now(UTC) + timedelta(minutes=5),
            architecture_sha256="arch",
            program_sha256="program",
            traceparent="00-1-2-01",
        )
        data, attributes = encode(command)
        publisher.publish(links["commands"], data, **attributes).result(timeout=PATIENCE_S)

    yield publish
    publisher.transport.close()


@pytest.fixture
def director(target: LocalTarget, links: dict[str, str], ledger_dir: Path) -> Iterator[Director]:
    """A director that pulls; whatever a test left in work is let go at the end."""
    subscriber = target.subscriber()
    director = Director(subscriber, links["subscription"], ledger_dir)
    director.pull.start()
    yield director
    for event in director.provisioner.go_on.values():
        event.set()
    director.pull.stop()
    subscriber.close()


def test_repeats_of_a_command_in_work_keep_nobody_waiting(director: Director, send: Send) -> None:
    """3.5, 0.18: more repeats than there are threads, and another dataflow is set up meanwhile."""
    send("c-slow", "slow")
    assert director.has_started("slow")
    for _ in range(MOST_COMMANDS + 4):
        send("c-slow", "slow")
    send("c-quick", "quick")
    assert director.has_answered("c-quick")
    assert director.answered == ["c-quick"]
    director.provisioner.go_on["slow"].set()
    assert director.has_answered("c-slow")
    assert director.provisioner.started == ["slow", "quick"]


def test_an_answer_that_was_lost_is_given_again(director: Director, send: Send) -> None:
    """3.5, fault case 17: the work is done once, the answer comes with the next delivery."""
    director.failures = 1
    send("c-1", "orders")
    assert director.has_started("orders")
    while not director.has_answered("c-1", within_s=0.05):
        send("c-1", "orders")
    assert director.provisioner.started == ["orders"]


def test_a_director_that_stops_finishes_what_is_in_work(director: Director, send: Send) -> None:
    """Design 5: SIGTERM loses nothing; while it finishes it is not ready and takes up nothing."""
    send("c-slow", "slow")
    assert director.has_started("slow")
    with ThreadPoolExecutor(1) as pool:
        stopping = pool.submit(director.pull.stop, PATIENCE_S)
        with director.provisioner.changed:
            director.provisioner.changed.wait_for(
                lambda: director.pull.not_pulling_because == "it is stopping", 0.05
            )
        send("c-new", "new")
        director.provisioner.go_on["slow"].set()
        assert stopping.result(PATIENCE_S)
    assert director.pull.not_pulling_because == "it is stopping"
    assert director.answered == ["c-slow"]


def test_a_director_that_stops_does_not_wait_for_ever(director: Director, send: Send) -> None:
    """Design 5: what is not finished in time is left to the next director, and said so."""
    send("c-slow", "slow")
    assert director.has_started("slow")
    assert not director.pull.stop(0.01)


def test_a_pull_says_why_it_cannot_and_goes_on_when_it_can(
    target: LocalTarget, links: dict[str, str], ledger_dir: Path, send: Send
) -> None:
    """0.9: a director is ready only while commands can reach it."""
    late = f"{links['subscription']}-late"
    subscriber = target.subscriber()
    director = Director(subscriber, late, ledger_dir)
    director.pull.start()
    try:
        waiting = threading.Event()
        while director.pull.not_pulling_because == "it is starting":
            waiting.wait(0.01)
        assert "404" in director.pull.not_pulling_because
        subscriber.create_subscription(name=late, topic=links["commands"])
        send("c-1", "orders")
        assert director.has_answered("c-1")
        assert director.pull.not_pulling_because == ""
        subscriber.delete_subscription(subscription=late)
        while not director.pull.not_pulling_because:
            waiting.wait(0.01)
    finally:
        director.pull.stop()
        subscriber.close()
