"""Phase 5 as the conductor sees it: one command per dataflow, side by side."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
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
from orchestration.errors import SeveralFailed
from orchestration.targets.target import Target


def _now() -> datetime:
    return datetime.now(UTC)


class DirectorSetup:
    """Has the director set dataflows up.

    `generation` is that of the run's lease: the director refuses commands of whoever was overtaken.
    """

    def __init__(
        self,
        architecture: Architecture,
        environment: Environment,
        target: Target,
        log: RunLog,
        *,
        generation: int,
        timeout_s: float,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._architecture = architecture
        self._environment = environment
        self._target = target
        self._log = log
        self._generation = generation
        self._timeout_s = timeout_s
        self._now = now

    def set_up(self, dataflows: tuple[str, ...]) -> tuple[DataflowOutcome, ...]:
        """Send every command and wait for every completion.

        Raises:
            DirectorSilent: a completion did not come in time.
            DirectorRefused: the director answered with an error.
            SeveralFailed: more than one of these.
        """
        project = self._architecture.project_id
        director = self._architecture.director
        with RemoteDirectorClient(
            run_id=self._log.run_id,
            command_topic=topic_path(project, director.command_topic.name),
            completion_topic=topic_path(project, director.completion_topic.name),
            publisher=self._target.publisher(),
            subscriber=self._target.subscriber(),
            require_cloud=self._target.require_reachable,
        ) as client:
            answered = run_all({name: partial(self._set_up, client, name) for name in dataflows})
        errors = list(answered.errors.values())
        if len(errors) > 1:
            raise SeveralFailed("; ".join(error.message for error in errors), hint=errors[0].hint)
        if errors:
            raise errors[0]
        return tuple(answered.results[name] for name in dataflows)

    def _set_up(self, client: RemoteDirectorClient, dataflow: str) -> DataflowOutcome:
        command = self._command(dataflow)
        self._log.emit(
            RunEventKind.COMMAND_SENT,
            instruction=command.instruction.value,
            dataflow=dataflow,
            command_id=command.command_id,
        )
        completion = client.call(command, self._timeout_s)
        self._log.emit(
            RunEventKind.COMMAND_COMPLETED,
            dataflow=dataflow,
            command_id=command.command_id,
            director=completion.director,
            summary=_summary(completion),
        )
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

    def _command(self, dataflow: str) -> Command:
        return Command(
            instruction=Instruction.SETUP,
            command_id=uuid.uuid4().hex,
            run_id=self._log.run_id,
            environment=self._environment.name,
            dataflow=dataflow,
            generation=self._generation,
            deadline=self._now() + timedelta(seconds=self._timeout_s),
            architecture_sha256=file_digest(self._environment.architecture_file),
            program_sha256=program_digest(self._environment.settings.project_dir),
            # https://www.w3.org/TR/trace-context/#traceparent-header: version, trace, span, flags.
            traceparent=f"00-{uuid.uuid4().hex}-{secrets.token_hex(8)}-01",
        )


def _summary(completion: Completion) -> str:
    counts = ", ".join(
        f"{count} {operation}" for operation, count in sorted(completion.changes.items())
    )
    return f"{counts or 'nothing to do'} in {completion.duration_s:.1f} s"
