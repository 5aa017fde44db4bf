"""A deployed director and a real Pub/Sub that loses, doubles and reorders: every effect once."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from end_to_end.end_state import effects
from end_to_end.killing import QUICK, wait_for
from end_to_end.project import Rehearsal

from orchestration.director.client import RemoteDirectorClient
from orchestration.director.digests import file_digest, program_digest
from orchestration.director.messages import Command, Completion, CompletionStatus, Instruction
from orchestration.environments import Environment
from orchestration.errors import DirectorRefused
from orchestration.settings import Settings
from orchestration.targets.local import LocalTarget

pytestmark = pytest.mark.timeout(300)

PROJECT = "projects/local-proj"
DIRECTOR = "serviceAccount:servicedirector-sa@*"
COMMANDS = "*/subscriptions/command-topic-sub"
COMPLETIONS = "*/subscriptions/completion-topic-*"
# What a dataflow of the sample has, made and deleted once.
MADE = {"pubsub.projects.topics.create": 2, "pubsub.projects.subscriptions.create": 1}
DELETED = {"pubsub.projects.topics.delete": 2, "pubsub.projects.subscriptions.delete": 1}

FAULTS: dict[str, list[dict[str, Any]]] = {
    "a command is lost": [
        {"match": {"resource": COMMANDS}, "nth": [1], "messages": "lose"},
    ],
    "a completion is lost": [
        {"match": {"resource": COMPLETIONS}, "nth": [1], "messages": "lose"},
    ],
    "all messages come twice": [
        {"messages": "duplicate"},
    ],
    "messages overtake each other": [
        {"match": {"resource": COMMANDS}, "nth": [1], "messages": "reorder", "delay": "2s"},
        {"match": {"resource": COMPLETIONS}, "nth": [1], "messages": "reorder", "delay": "2s"},
    ],
    "replies are lost": [
        {
            "match": {"method": method, "principal": DIRECTOR},
            "nth": [1],
            "when": "after",
            "drop_connection": True,
        }
        for method in (
            "pubsub.projects.topics.create",
            "pubsub.projects.topics.delete",
            "pubsub.projects.topics.publish",
        )
    ],
    "connections are dropped": [
        {
            "match": {"method": method, "principal": DIRECTOR},
            "nth": [1],
            "drop_connection": True,
        }
        for method in (
            "pubsub.projects.subscriptions.create",
            "pubsub.projects.topics.publish",
        )
    ],
}


class Deployed:
    """A deployed system, and commands to its director."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        self.rehearsal = rehearsal
        self.environment = Environment("local", Settings(rehearsal.folder.resolve()))
        self.target = LocalTarget(
            self.environment, project_id="local-proj", region="europe-west1", propagation="none"
        )

    @property
    def configuration(self) -> Path:
        """Where the dataflow's stack finds its configuration."""
        return self.rehearsal.folder / "environments" / "Pulumi.local.dataflow.tracer-flow.yaml"

    @contextmanager
    def client(self) -> Iterator[Callable[[Instruction], Completion]]:
        """Give what sends one command of a new run and waits for its answer."""
        run_id = f"run-{uuid.uuid4().hex[:8]}"
        with RemoteDirectorClient(
            run_id=run_id,
            command_topic=f"{PROJECT}/topics/command-topic",
            completion_topic=f"{PROJECT}/topics/completion-topic",
            publisher=self.target.publisher(),
            subscriber=self.target.subscriber(),
            first_resend_s=1.0,
        ) as client:
            yield lambda instruction: client.call(self.command(instruction, run_id), 120.0)

    def command(self, instruction: Instruction, run_id: str, **changed: Any) -> Command:
        """Make a command as the conductor does."""
        made = Command(
            instruction=instruction,
            command_id=uuid.uuid4().hex,
            run_id=run_id,
            environment="local",
            dataflow="tracer-flow",
            generation=int(datetime.now(UTC).timestamp()),
            deadline=datetime.now(UTC) + timedelta(minutes=2),
            architecture_sha256=file_digest(self.environment.architecture_file),
            program_sha256=program_digest(self.rehearsal.folder),
            traceparent="00-1-2-01",
        )
        return made.model_copy(update=changed)

    def publish(self, topic: str, *messages: tuple[bytes, dict[str, str]]) -> None:
        """Publish whatever it is, as the environment's owner."""
        publisher = self.target.publisher()
        for data, attributes in messages:
            publisher.publish(f"{PROJECT}/topics/{topic}", data, **attributes).result(timeout=10)
        publisher.transport.close()

    def effects(self) -> Counter[str]:
        """Count what was made and deleted of dataflows so far, runs' own subscriptions aside."""
        own = Counter(
            call["method"]
            for call in self.rehearsal.calls()
            if "completion-topic-run-" in call["resource"] and 0 < call["code"] < 400
        )
        counted = effects(self.rehearsal) - own
        return Counter({name: counted[name] for name in [*MADE, *DELETED] if counted[name]})

    def commands_on_record(self) -> int:
        """Count what the director has finished."""
        return len(list(self.environment.ledger_dir.glob("*.json")))


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """The sample system, deployed once for all of these tests."""
    rehearsal = Rehearsal(tmp_path_factory.mktemp("deployed")).without_preflight()
    try:
        done = rehearsal.up(*QUICK)
        assert done.returncode == 0, done.stdout + done.stderr
        yield Deployed(rehearsal)
    finally:
        assert rehearsal.run("cloud", "stop").returncode == 0


@pytest.mark.parametrize("fault", FAULTS)
def test_a_command_has_its_effect_once(deployed: Deployed, fault: str) -> None:
    """Fault cases 12, 17, 18: a dataflow goes and comes back, each by one command's one effect."""
    before, finished = deployed.effects(), deployed.commands_on_record()
    configuration = deployed.configuration.read_text()
    deployed.rehearsal.disturb(*FAULTS[fault])
    with deployed.client() as call:
        gone = call(Instruction.TEARDOWN)
        # Gone with its stack; the conductor writes it before it asks for a set-up.
        deployed.configuration.write_text(configuration)
        back = call(Instruction.SETUP)
    rules = deployed.rehearsal.faults()
    deployed.rehearsal.disturb()
    assert all(rule["injected"] for rule in rules), rules
    assert (gone.status, back.status) == (CompletionStatus.OK, CompletionStatus.OK)
    assert set(back.topics) == {"tracer-topic", "verify-topic"}
    assert deployed.effects() - before == Counter({**MADE, **DELETED})
    assert deployed.commands_on_record() == finished + 2


def test_what_is_no_command_has_no_effect(deployed: Deployed) -> None:
    """Fault cases 14 to 16: whatever is malformed, foreign or late; the next command is served."""
    before, finished = deployed.effects(), deployed.commands_on_record()
    director = deployed.rehearsal.service_process("servicedirector")
    with deployed.client() as call:
        assert call(Instruction.STATUS).status is CompletionStatus.OK
        outdated = deployed.command(Instruction.TEARDOWN, "run-other", generation=1)
        foreign = deployed.command(Instruction.TEARDOWN, "run-other", environment="prod")
        late = deployed.command(
            Instruction.TEARDOWN, "run-other", deadline=datetime.now(UTC) - timedelta(seconds=1)
        )
        deployed.publish(
            "command-topic",
            (b"\xff\x00 no JSON", {}),
            (b'{"instruction": "teardown", "value": "all"}', {}),
            (b"[" * 100_000, {"command_id": "deep", "run_id": "run-other"}),
            *((made.model_dump_json().encode(), {}) for made in (outdated, foreign, late)),
        )
        deployed.publish(
            "completion-topic",
            (b"no JSON", {"run_id": "run-other"}),
            (b"{}", {}),
        )
        assert call(Instruction.STATUS).status is CompletionStatus.OK
        with pytest.raises(DirectorRefused, match="not-needed"):
            call(Instruction.DEPENDENT_SETUP)
    assert deployed.effects() == before
    assert deployed.commands_on_record() == finished + 2
    assert wait_for(lambda: deployed.rehearsal.service_process("servicedirector")) == director
