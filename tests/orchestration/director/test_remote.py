"""Phase 5 of a run, over a real Pub/Sub."""

from __future__ import annotations

import itertools
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from architecture.hydration import hydrate
from architecture.loading import load
from architecture.names import topic_path
from orchestration.conductor.events import RunEvent, RunLog
from orchestration.director.messages import Command, Completion, CompletionStatus, decode, encode
from orchestration.director.remote import DirectorCalls, DirectorSetup
from orchestration.environments import Environment
from orchestration.errors import DirectorSilent, SeveralFailed
from orchestration.settings import Settings
from orchestration.targets.local import LocalTarget

TRACER = Path(__file__).parents[3] / "testdata" / "architectures" / "tracer.yaml"
START = datetime.now(UTC)


class Setup:
    """The phase, with a clock that moves a second at every look."""

    def __init__(self, target: LocalTarget, folder: Path, timeout_s: float) -> None:
        self.target = target
        self.architecture = hydrate(
            load(TRACER).architecture, base_dir=TRACER.parent, project_id="local-proj"
        )
        director = self.architecture.director
        project = self.architecture.project_id
        self.commands = topic_path(project, director.command_topic.name)
        self.completions = topic_path(project, director.completion_topic.name)
        self.subscription = f"projects/{project}/subscriptions/{director.command_topic.name}-test"
        self.events: list[RunEvent] = []
        ticks = itertools.count()
        environment = Environment("local", Settings(folder))
        self.calls = DirectorCalls(
            environment,
            target,
            RunLog("run-7", [self.events.append]),
            generation=41,
            timeout_s=timeout_s,
            now=lambda: START + timedelta(seconds=next(ticks)),
        )
        self.phase = DirectorSetup(self.architecture, environment, self.calls)


@pytest.fixture
def topics(target: LocalTarget) -> None:
    """The topics that the architecture names."""
    setup = Setup(target, Path(), 1)
    publisher, subscriber = target.publisher(), target.subscriber()
    have = {item.name for item in publisher.list_topics(project="projects/local-proj")}
    for path in {setup.commands, setup.completions} - have:
        publisher.create_topic(name=path)
    subs = {i.name for i in subscriber.list_subscriptions(project="projects/local-proj")}
    if setup.subscription not in subs:
        subscriber.create_subscription(name=setup.subscription, topic=setup.commands)
    publisher.transport.close()
    subscriber.close()


@pytest.mark.usefixtures("topics")
def test_commands_of_one_run_share_their_generation(target: LocalTarget, tmp_path: Path) -> None:
    """0.10, 0.18: one command per dataflow, none of which makes another one old."""
    setup = Setup(target, tmp_path, 30)
    publisher, subscriber = target.publisher(), target.subscriber()
    seen: dict[str, Command] = {}
    lock = threading.Lock()

    def answer(message: object) -> None:
        command = decode(Command, message.data, dict(message.attributes))  # type: ignore[attr-defined] # the library's message
        with lock:
            seen[command.dataflow] = command
        completion = Completion(
            command_id=command.command_id,
            run_id=command.run_id,
            dataflow=command.dataflow,
            status=CompletionStatus.OK,
            changes={"create": 2},
        )
        data, attributes = encode(completion)
        publisher.publish(setup.completions, data, **attributes).result(timeout=10)
        message.ack()  # type: ignore[attr-defined] # as above

    pull = subscriber.subscribe(setup.subscription, callback=answer)
    names = ("a", "b", "c")
    try:
        outcomes = setup.phase.set_up(names)
    finally:
        pull.cancel()
        pull.result(timeout=10)
        subscriber.close()
        publisher.transport.close()
    assert [outcome.dataflow for outcome in outcomes] == list(names)
    assert outcomes[0].stack.changes == {"create": 2}
    assert {command.generation for command in seen.values()} == {41}
    assert {command.run_id for command in seen.values()} == {"run-7"}
    assert all(command.deadline >= START + timedelta(seconds=30) for command in seen.values())


@pytest.mark.usefixtures("topics")
def test_every_dataflow_that_got_no_answer_is_named(target: LocalTarget, tmp_path: Path) -> None:
    """0.10, 2.5: one failure is told as it is, several with the words of each."""
    with pytest.raises(DirectorSilent, match="dataflow orders"):
        Setup(target, tmp_path, 0.1).phase.set_up(("orders",))
    with pytest.raises(SeveralFailed) as caught:
        Setup(target, tmp_path, 0.1).phase.set_up(("orders", "bills"))
    assert "dataflow orders" in caught.value.message
    assert "dataflow bills" in caught.value.message
