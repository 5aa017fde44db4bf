"""The conductor's side, over a real Pub/Sub with the unmodified client library."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestration.director.client import RemoteDirectorClient
from orchestration.director.ledger import FolderLedger
from orchestration.director.messages import (
    Command,
    Completion,
    CompletionError,
    CompletionStatus,
    Instruction,
    encode,
)
from orchestration.director.pulling import CommandPull
from orchestration.director.service import DirectorService, Identity, Provisioned
from orchestration.errors import CloudUnreachable, DirectorRefused, DirectorSilent
from orchestration.targets.local import LocalTarget

Links = dict[str, str]
Answer = Callable[[bytes, dict[str, str]], None]


def make(command_id: str, dataflow: str, run_id: str = "run-1") -> Command:
    """Make a command of a run."""
    return Command(
        instruction=Instruction.SETUP,
        command_id=command_id,
        run_id=run_id,
        environment="dev",
        dataflow=dataflow,
        generation=1,
        deadline=datetime.now(UTC) + timedelta(minutes=5),
        architecture_sha256="arch",
        program_sha256="program",
        traceparent="00-1-2-01",
    )


def completion(command_id: str, dataflow: str, run_id: str = "run-1") -> Completion:
    """Make the answer to a command."""
    return Completion(
        command_id=command_id, run_id=run_id, dataflow=dataflow, status=CompletionStatus.OK
    )


class Provisioner:
    """Sets nothing up, and counts it."""

    def __init__(self) -> None:
        self.provisioned: list[str] = []

    def provision(self, dataflow: str, *, keeps_data: bool) -> Provisioned:
        """Note the dataflow."""
        self.provisioned.append(dataflow)
        return Provisioned((f"{dataflow}-topic",), (), (), {"create": 1})

    def tear_down(self, dataflow: str) -> Provisioned:
        """Have nothing to delete; nobody asks here."""
        del dataflow
        return Provisioned((), (), (), {})

    def status(self, dataflow: str) -> Provisioned | None:
        """Know nothing."""
        del dataflow

    def digests(self) -> tuple[str, str]:
        """Give what `make` puts into commands."""
        return "arch", "program"


@contextmanager
def client_of(
    target: LocalTarget, links: Links, run_id: str = "run-1", first_resend_s: float = 5.0
) -> Iterator[RemoteDirectorClient]:
    """Open a client for a run."""
    with RemoteDirectorClient(
        run_id=run_id,
        command_topic=links["commands"],
        completion_topic=links["completions"],
        publisher=target.publisher(),
        subscriber=target.subscriber(),
        first_resend_s=first_resend_s,
    ) as client:
        yield client


@contextmanager
def director_of(
    target: LocalTarget, links: Links, folder: Path
) -> Iterator[tuple[Provisioner, CommandPull]]:
    """Run a director's service in this process."""
    publisher = target.publisher()
    provisioner = Provisioner()

    def publish(data: bytes, attributes: dict[str, str]) -> None:
        publisher.publish(links["completions"], data, **attributes).result(timeout=10)

    service = DirectorService(
        Identity("director-1", "dev"), provisioner, FolderLedger(folder), publish
    )
    subscriber = target.subscriber()
    pull = CommandPull(subscriber, links["subscription"], service)
    pull.start()
    try:
        yield provisioner, pull
    finally:
        pull.stop()
        subscriber.close()
        publisher.transport.close()


@pytest.fixture
def answer(target: LocalTarget, links: Links) -> Iterator[Answer]:
    """Publish any bytes as a completion."""
    publisher = target.publisher()

    def publish(data: bytes, attributes: dict[str, str]) -> None:
        publisher.publish(links["completions"], data, **attributes).result(timeout=10)

    yield publish
    publisher.transport.close()


def test_commands_side_by_side_get_their_own_completions(
    target: LocalTarget, links: Links, ledger_dir: Path
) -> None:
    """0.18: six dataflows at once, each waiter gets its own answer."""
    names = [f"flow-{number}" for number in range(6)]
    with (
        director_of(target, links, ledger_dir) as (provisioner, _),
        client_of(target, links) as client,
        ThreadPoolExecutor(len(names)) as pool,
    ):
        answers = list(pool.map(lambda name: client.call(make(f"c-{name}", name), 30), names))
    assert [found.dataflow for found in answers] == names
    assert sorted(provisioner.provisioned) == names


def test_a_silent_director_is_given_up_after_the_time_allowed(
    target: LocalTarget, links: Links
) -> None:
    """0.10: bounded, and the error names dataflow, command and the time waited."""
    with client_of(target, links) as client, pytest.raises(DirectorSilent) as caught:
        client.call(make("c-silent", "orders"), 0.3)
    assert "dataflow orders within 0 s (command c-silent)" in caught.value.message
    assert caught.value.hint


def test_a_command_is_sent_again_until_somebody_answers(
    target: LocalTarget, links: Links, ledger_dir: Path
) -> None:
    """3.5: a director that comes late answers once; repeats change nothing."""
    with client_of(target, links, first_resend_s=0.05) as client, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.call, make("c-late", "orders"), 30)
        with director_of(target, links, ledger_dir) as (provisioner, _):
            assert waiting.result(timeout=30).command_id == "c-late"
    assert provisioner.provisioned == ["orders"]


def test_a_failed_completion_is_told_in_the_directors_words(
    target: LocalTarget, links: Links, answer: Answer
) -> None:
    """0.10: what went wrong there is what the user reads here."""
    failed = completion("c-1", "orders").model_copy(
        update={
            "status": CompletionStatus.FAILED,
            "error": CompletionError(code="stack-failed", message="quota of topics"),
        }
    )
    with client_of(target, links) as client:
        answer(*encode(failed))
        with pytest.raises(DirectorRefused, match=r"quota of topics \[stack-failed\]"):
            client.call(make("c-1", "orders"), 30)


def test_noise_does_not_stand_between_a_command_and_its_answer(
    target: LocalTarget, links: Links, answer: Answer
) -> None:
    """G2, fault cases 12 to 15: malformed, foreign, repeated and other answers are passed over."""
    ours = {"run_id": "run-1", "command_id": "c-1"}
    with client_of(target, links) as client:
        answer(b"not json", ours)
        answer(b"x" * 1_000_000, ours)
        answer(*encode(completion("c-1", "orders", run_id="run-2")))
        foreign, _ = encode(completion("c-1", "stolen", run_id="run-2"))
        answer(foreign, ours)
        answer(*encode(completion("c-0", "orders")))
        answer(*encode(completion("c-1", "orders")))
        second = completion("c-1", "orders").model_copy(update={"status": CompletionStatus.FAILED})
        answer(*encode(second))
        assert client.call(make("c-1", "orders"), 30).dataflow == "orders"


def test_two_runs_see_only_their_own_answers(
    target: LocalTarget, links: Links, ledger_dir: Path
) -> None:
    """G2: two conductors share one completion topic; each has its own filtered subscription."""
    with (
        director_of(target, links, ledger_dir),
        client_of(target, links, "run-a") as first,
        client_of(target, links, "run-b") as second,
    ):
        found = {}

        def ask(client: RemoteDirectorClient, run_id: str) -> None:
            found[run_id] = client.call(make(f"c-{run_id}", "orders", run_id), 30)

        threads = [
            threading.Thread(target=ask, args=(client, run_id))
            for client, run_id in ((first, "run-a"), (second, "run-b"))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {run_id: answered.run_id for run_id, answered in found.items()} == {
        "run-a": "run-a",
        "run-b": "run-b",
    }


def test_a_closed_client_leaves_no_subscription(target: LocalTarget, links: Links) -> None:
    """What a run makes for itself goes with it."""
    with client_of(target, links):
        pass
    subscriber = target.subscriber()
    left = [item.name for item in subscriber.list_subscriptions(project="projects/local-proj")]
    subscriber.close()
    assert not [name for name in left if name.endswith("-run-1")]


def test_a_completion_topic_that_is_not_there_is_one_clear_error(
    target: LocalTarget, links: Links
) -> None:
    """0.10: said before any command is sent."""
    missing = {**links, "completions": f"{links['completions']}-missing"}
    with (
        pytest.raises(CloudUnreachable, match="no subscription to the director's completions"),
        client_of(target, missing),
    ):
        pass
