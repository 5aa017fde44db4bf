"""What the director does with a command, exactly once in effect."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestration.director.ledger import FolderLedger
from orchestration.director.messages import (
    AppliedGrant,
    Command,
    Completion,
    CompletionStatus,
    Instruction,
    decode,
    encode,
)
from orchestration.director.service import DirectorService, Identity, Provisioned
from orchestration.errors import StackFailed


class FakeProvisioner:
    """Counts what it is asked to set up."""

    def __init__(self) -> None:
        self.provisioned: list[str] = []
        self.torn_down: list[str] = []
        self.failure: StackFailed | None = None
        self.bug: Exception | None = None
        self.during: Callable[[], None] = lambda: None

    def provision(self, dataflow: str, *, keeps_data: bool) -> Provisioned:
        """Note the dataflow, or fail."""
        self.during()
        if self.failure or self.bug:
            raise self.failure or self.bug or AssertionError
        self.provisioned.append(dataflow)
        grant = AppliedGrant(member="m", role="r", resource=f"topic {dataflow}")
        return Provisioned((f"{dataflow}-topic",), (), (grant,), {"create": 3})

    def tear_down(self, dataflow: str) -> Provisioned:
        """Forget the dataflow, but for a bucket."""
        self.during()
        self.torn_down.append(dataflow)
        return Provisioned((), (), (), {"delete": 2}, (f"{dataflow}-bucket",))

    def status(self, dataflow: str) -> Provisioned | None:
        """Give what was set up."""
        if dataflow not in self.provisioned:
            return None
        return Provisioned((f"{dataflow}-topic",), (), (), {})

    def digests(self) -> tuple[str, str]:
        """Give the digests that `make` puts into commands."""
        return "arch", "program"


def make(command_id: str = "c-1", **other: object) -> Command:
    """Make a command that is right, but for what a test changes."""
    fields: dict[str, object] = {
        "instruction": Instruction.SETUP,
        "command_id": command_id,
        "run_id": "r-1",
        "environment": "dev",
        "dataflow": "orders",
        "generation": 5,
        "deadline": datetime.now(UTC) + timedelta(minutes=5),
        "architecture_sha256": "arch",
        "program_sha256": "program",
        "traceparent": "00-1-2-01",
        **other,
    }
    return Command.model_validate(fields)


class Director:
    """A director whose messages go nowhere but into a list."""

    def __init__(self, folder: Path) -> None:
        self.provisioner = FakeProvisioner()
        self.published: list[Completion] = []
        self.fail_publishing = False
        self.ledger = FolderLedger(folder)
        self.service = DirectorService(
            Identity("director-1", "dev"), self.provisioner, self.ledger, self._publish
        )

    def _publish(self, data: bytes, attributes: dict[str, str]) -> None:
        if self.fail_publishing:
            raise ConnectionError("no Pub/Sub")
        self.published.append(decode(Completion, data, attributes))

    def handle(self, command: Command) -> Completion | None:
        """Hand a command over as Pub/Sub would."""
        return self.service.handle(*encode(command))


@pytest.fixture
def director(ledger_dir: Path) -> Director:
    """A director with an empty ledger."""
    return Director(ledger_dir)


def test_a_command_is_done_and_answered(director: Director) -> None:
    """0.10, G5: the completion has the command's id, outputs and the grants applied."""
    director.handle(make())
    (completion,) = director.published
    assert completion.status is CompletionStatus.OK
    assert completion.command_id == "c-1"
    assert completion.topics == ("orders-topic",)
    assert completion.applied_grants[0].resource == "topic orders"
    assert completion.changes == {"create": 3}


def test_a_teardown_is_done_once_and_names_what_it_kept(director: Director) -> None:
    """1.5: upstream's `teardown`, for one dataflow; data is kept, and its name comes back."""
    for _ in range(2):
        director.handle(make(instruction=Instruction.TEARDOWN))
    assert director.provisioner.torn_down == ["orders"]
    assert director.provisioner.provisioned == []
    assert {completion.kept for completion in director.published} == {("orders-bucket",)}
    assert director.published[0].changes == {"delete": 2}


def test_a_command_delivered_five_times_has_one_effect(director: Director) -> None:
    """Fault case 18: every delivery is answered, the work is done once."""
    for _ in range(5):
        director.handle(make())
    assert director.provisioner.provisioned == ["orders"]
    assert len(director.published) == 5
    assert len({completion.model_dump_json() for completion in director.published}) == 1


def test_deliveries_at_the_same_time_have_one_effect(director: Director) -> None:
    """0.20: the second delivery waits for the first and is answered from the ledger."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: director.handle(make()), range(8)))
    assert director.provisioner.provisioned == ["orders"]
    assert len(director.published) == 8


def test_another_director_answers_from_the_same_ledger(
    director: Director, ledger_dir: Path
) -> None:
    """Fault case 17: one that dies after its work leaves the answer to the next one."""
    director.fail_publishing = True
    with pytest.raises(ConnectionError):
        director.handle(make())
    successor = Director(ledger_dir)
    successor.handle(make())
    assert successor.provisioner.provisioned == []
    assert successor.published[0].status is CompletionStatus.OK


def test_dataflows_are_set_up_side_by_side(director: Director) -> None:
    """0.10: commands for different dataflows do not wait for each other."""
    meeting = threading.Barrier(3, timeout=10)
    director.provisioner.during = lambda: meeting.wait() and None
    commands = [make(f"c-{name}", dataflow=name) for name in ("a", "b", "c")]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(director.handle, commands))
    assert sorted(director.provisioner.provisioned) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"environment": "prod"}, "wrong-environment"),
        ({"deadline": datetime(2020, 1, 1, tzinfo=UTC)}, "deadline-passed"),
        ({"architecture_sha256": "other"}, "other-architecture"),
        ({"program_sha256": "other"}, "other-program"),
    ],
)
def test_what_must_not_run_is_refused_with_a_reason(
    director: Director, wrong: dict[str, object], code: str
) -> None:
    """Design 5: mismatches are answered, and nothing is changed."""
    director.handle(make(**wrong))
    assert director.provisioner.provisioned == []
    error = director.published[0].error
    assert error is not None
    assert error.code == code


def test_an_older_generation_is_refused(director: Director) -> None:
    """Design 5: a run that was overtaken cannot change anything any more."""
    director.handle(make("c-new", generation=9))
    director.handle(make("c-old", generation=8))
    error = director.published[1].error
    assert error is not None
    assert error.code == "older-generation"
    assert director.provisioner.provisioned == ["orders"]


def test_a_director_that_was_restarted_still_refuses_it(ledger_dir: Path) -> None:
    """Design 5: whom to refuse outlives the director's process."""
    Director(ledger_dir).handle(make("c-new", generation=9))
    again = Director(ledger_dir)
    again.handle(make("c-old", generation=8))
    assert again.published[0].error is not None
    assert again.published[0].error.code == "older-generation"
    assert again.provisioner.provisioned == []


def test_a_failure_is_answered_and_tried_again_by_the_next_command(director: Director) -> None:
    """A failure is no result: nothing of it is kept that would stand against a second try."""
    director.provisioner.failure = StackFailed("quota", stack="dev.dataflow.orders")
    director.handle(make("c-1"))
    error = director.published[0].error
    assert error is not None
    assert (error.code, error.message) == ("stack-failed", "quota")
    director.provisioner.failure = None
    director.handle(make("c-2"))
    assert director.published[1].status is CompletionStatus.OK


def test_a_refused_command_makes_no_other_one_old(director: Director) -> None:
    """Fault case 15: what is not for this director does not lock out what is."""
    director.handle(make("c-alien", generation=9, environment="prod"))
    director.handle(make("c-other", generation=9, architecture_sha256="other"))
    director.handle(make("c-ours", generation=8))
    assert director.published[-1].status is CompletionStatus.OK


def test_a_bug_is_answered_and_not_tried_again(director: Director) -> None:
    """G3: whoever waits is told at once, and a redelivery does not run into it again."""
    director.provisioner.bug = ZeroDivisionError("division by zero")
    director.handle(make())
    director.provisioner.bug = None
    director.handle(make())
    first, second = director.published
    assert first == second
    assert first.error is not None
    assert first.error.code == "unexpected"
    assert first.error.message == "ZeroDivisionError: division by zero"


def test_status_tells_what_is_up_and_changes_nothing(director: Director) -> None:
    """Design 5: asking is not setting up."""
    director.handle(make("c-1", instruction=Instruction.STATUS))
    error = director.published[0].error
    assert error is not None
    assert error.code == "not-set-up"
    director.handle(make("c-2"))
    director.handle(make("c-3", instruction=Instruction.STATUS))
    assert director.published[2].topics == ("orders-topic",)
    assert director.published[2].changes == {}
    assert director.provisioner.provisioned == ["orders"]


def test_upstreams_dependent_setup_is_answered_as_not_needed(director: Director) -> None:
    """1.5, G3: an instruction that there is nothing to do for is no success and no silence."""
    director.handle(make(instruction=Instruction.DEPENDENT_SETUP))
    error = director.published[0].error
    assert error is not None
    assert error.code == "not-needed"
    assert director.provisioner.provisioned == []


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'"x"', b"{}", b"\xff" * 1_000_000])
def test_what_cannot_be_read_is_answered_if_anybody_can_be(director: Director, data: bytes) -> None:
    """G3, fault case 14: a malformed command harms nobody; with ids its sender is told."""
    assert director.service.handle(data, {}) is None
    answered = director.service.handle(data, {"run_id": "r-1", "command_id": "c-1"})
    assert answered is not None
    assert answered.error is not None
    assert answered.error.code == "malformed-command"
    assert director.provisioner.provisioned == []


def test_a_record_that_a_crash_cut_short_is_replaced(ledger_dir: Path) -> None:
    """A ledger's file is whole or does not count."""
    ledger = FolderLedger(ledger_dir)
    done = Completion(command_id="c", run_id="r", dataflow="d", status=CompletionStatus.OK)
    ledger.store(done)
    (path,) = ledger_dir.iterdir()
    path.write_text("{")
    assert ledger.find("c") is None
    assert ledger.store(done) == done
    assert ledger.find("c") == done


def test_the_first_record_of_a_command_stands(ledger_dir: Path) -> None:
    """Fault case 12: ok then failed leaves ok."""
    ledger = FolderLedger(ledger_dir)
    first = Completion(command_id="c", run_id="r", dataflow="d", status=CompletionStatus.OK)
    second = first.model_copy(update={"status": CompletionStatus.FAILED})
    assert ledger.store(first) == first
    assert ledger.store(second) == first


def test_a_command_id_cannot_choose_a_path(ledger_dir: Path) -> None:
    """An id comes from a message; it must not reach other folders."""
    ledger = FolderLedger(ledger_dir)
    evil = Completion(
        command_id="../../etc/passwd", run_id="r", dataflow="d", status=CompletionStatus.OK
    )
    ledger.store(evil)
    assert [path.parent for path in ledger_dir.rglob("*")] == [ledger_dir]
