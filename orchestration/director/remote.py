"""The director as the conductor's run sees it: one command per dataflow, to set up or to undo."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial

from architecture.model import Architecture
from architecture.names import topic_path
from orchestration.concurrency import run_all
from orchestration.conductor.events import RunEventKind, RunLog
from orchestration.conductor.state import DataflowOutcome, StackOutcome
from orchestration.director.client import RemoteDirectorClient
from orchestration.director.digests import file_digest, program_digest
from orchestration.director.messages import Command, Completion, Instruction
from orchestration.environments import Environment
from orchestration.errors import DirectorRefused
from orchestration.targets.target import Target

# How soon a director that is well answers a question that changes nothing.
SIGN_OF_LIFE_S = 20.0


def _now() -> datetime:
    return datetime.now(UTC)


class DirectorCalls:
    """Sends one run's commands to the director, and tells of them.

    `generation` is that of the run's lease: the director refuses commands of whoever was overtaken.
    """

    def __init__(
        self,
        environment: Environment,
        target: Target,
        log: RunLog,
        *,
        generation: int,
        timeout_s: float,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._environment = environment
        self._target = target
        self._log = log
        self._generation = generation
        self._timeout_s = timeout_s
        self._now = now

    def client(self, architecture: Architecture) -> RemoteDirectorClient:
        """Make the client of the director that an architecture names; to be entered."""
        project, director = architecture.project_id, architecture.director
        return RemoteDirectorClient(
            run_id=self._log.run_id,
            command_topic=topic_path(project, director.command_topic.name),
            completion_topic=topic_path(project, director.completion_topic.name),
            publisher=self._target.publisher(),
            subscriber=self._target.subscriber(),
            require_cloud=self._target.require_reachable,
        )

    def call(
        self,
        client: RemoteDirectorClient,
        instruction: Instruction,
        dataflow: str,
        *,
        keeps_data: bool = False,
        timeout_s: float | None = None,
    ) -> Completion:
        """Send a command and wait for its completion.

        Raises:
            DirectorSilent: no completion came in time.
            DirectorRefused: the director answered with an error.
            Interrupted: the user pressed Ctrl-C.
        """
        waits_s = self._timeout_s if timeout_s is None else min(timeout_s, self._timeout_s)
        command = self._command(instruction, dataflow, waits_s, keeps_data=keeps_data)
        self._log.emit(
            RunEventKind.COMMAND_SENT,
            instruction=command.instruction.value,
            dataflow=dataflow,
            command_id=command.command_id,
        )
        completion = client.call(command, waits_s)
        self._log.emit(
            RunEventKind.COMMAND_COMPLETED,
            dataflow=dataflow,
            command_id=command.command_id,
            director=completion.director,
            summary=_summary(completion),
        )
        return completion

    def _command(
        self,
        instruction: Instruction,
        dataflow: str,
        waits_s: float,
        *,
        keeps_data: bool,
    ) -> Command:
        return Command(
            instruction=instruction,
            command_id=uuid.uuid4().hex,
            run_id=self._log.run_id,
            environment=self._environment.name,
            dataflow=dataflow,
            generation=self._generation,
            deadline=self._now() + timedelta(seconds=waits_s),
            architecture_sha256=file_digest(self._environment.architecture_file),
            program_sha256=program_digest(self._environment.settings.project_dir),
            keeps_data=keeps_data,
            # https://www.w3.org/TR/trace-context/#traceparent-header: version, trace, span, flags.
            traceparent=f"00-{uuid.uuid4().hex}-{secrets.token_hex(8)}-01",
        )


class DirectorSetup:
    """Phase 5: has the director set dataflows up."""

    def __init__(
        self, architecture: Architecture, environment: Environment, calls: DirectorCalls
    ) -> None:
        self._architecture = architecture
        self._environment = environment
        self._calls = calls

    def set_up(self, dataflows: tuple[str, ...]) -> tuple[DataflowOutcome, ...]:
        """Send every command and wait for every completion.

        Raises:
            DirectorSilent: a completion did not come in time.
            DirectorRefused: the director answered with an error.
            SeveralFailed: more than one of these.
        """
        with self._calls.client(self._architecture) as client:
            answered = run_all({name: partial(self._set_up, client, name) for name in dataflows})
        answered.raise_errors()
        return tuple(answered.results[name] for name in dataflows)

    def _set_up(self, client: RemoteDirectorClient, dataflow: str) -> DataflowOutcome:
        completion = self._calls.call(client, Instruction.SETUP, dataflow)
        return DataflowOutcome(
            dataflow=dataflow,
            topics=completion.topics,
            subscriptions=completion.subscriptions,
            stack=StackOutcome(
                stack=f"{self._environment.name}.dataflow.{dataflow}",
                changes=completion.changes,
                duration_s=round(completion.duration_s, 3),
            ),
        )


class DirectorUndo:
    """Has the director take dataflows down, or back to a release; what holds data is kept."""

    def __init__(self, calls: DirectorCalls) -> None:
        self._calls = calls

    def tear_down(self, architecture: Architecture, dataflow: str) -> tuple[str, ...]:
        """Have a dataflow deleted except what holds data, which is named.

        Raises:
            PhaseFailed: the director does not answer, or could not do it.
            CloudUnreachable: it cannot be asked.
            Interrupted: the user pressed Ctrl-C.
        """
        return self._call(architecture, Instruction.TEARDOWN, dataflow)

    def set_up_again(self, architecture: Architecture, dataflow: str) -> tuple[str, ...]:
        """Have a dataflow brought up as its inputs say now, except that no data is deleted.

        Raises:
            PhaseFailed: the director does not answer, or could not do it.
            CloudUnreachable: it cannot be asked.
            Interrupted: the user pressed Ctrl-C.
        """
        return self._call(architecture, Instruction.SETUP, dataflow)

    def _call(
        self, architecture: Architecture, instruction: Instruction, dataflow: str
    ) -> tuple[str, ...]:
        with self._calls.client(architecture) as client:
            # A director that is away must not hold up a rollback for as long as its work may take.
            # Any answer will do, and "never set up" is one.
            with suppress(DirectorRefused):
                self._calls.call(client, Instruction.STATUS, dataflow, timeout_s=SIGN_OF_LIFE_S)
            completion = self._calls.call(client, instruction, dataflow, keeps_data=True)
        return completion.kept


def _summary(completion: Completion) -> str:
    counts = ", ".join(
        f"{count} {operation}" for operation, count in sorted(completion.changes.items())
    )
    return f"{counts or 'nothing to do'} in {completion.duration_s:.1f} s"
