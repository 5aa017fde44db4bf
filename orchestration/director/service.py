"""The director's service: what it does with a command, exactly once in effect.

A command that arrives again is answered from the ledger. How commands arrive is
`orchestration.director.pulling`'s business.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import structlog

from orchestration.director.ledger import Ledger
from orchestration.director.messages import (
    LONGEST_REASON,
    AppliedGrant,
    Command,
    Completion,
    CompletionError,
    CompletionStatus,
    Instruction,
    MalformedMessageError,
    decode,
    encode,
)
from orchestration.errors import ConductorError

log = structlog.get_logger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What became of a dataflow."""

    topics: tuple[str, ...]
    subscriptions: tuple[str, ...]
    grants: tuple[AppliedGrant, ...]
    changes: Mapping[str, int]
    # What was left because it holds data.
    kept: tuple[str, ...] = ()


class Provisioner(Protocol):
    """Sets dataflows up and takes them down; the real one works on stacks."""

    def provision(self, dataflow: str, *, keeps_data: bool) -> Provisioned:
        """Bring one dataflow's resources up; what holds data need not go, if it says so.

        Raises:
            ConductorError: it failed.
        """
        ...

    def tear_down(self, dataflow: str) -> Provisioned:
        """Delete what a dataflow has, except what holds data; nothing to delete is no failure.

        Raises:
            ConductorError: it failed.
        """
        ...

    def status(self, dataflow: str) -> Provisioned | None:
        """Say what of a dataflow is up, changing nothing; None when it was never set up.

        Raises:
            ConductorError: it failed.
        """
        ...

    def digests(self) -> tuple[str, str]:
        """Give the digests of the architecture and of the program that it would use."""
        ...


@dataclass(frozen=True, slots=True)
class Identity:
    """Which director this is."""

    name: str
    environment: str


class DirectorService:
    """Pulls commands, runs them, publishes completions."""

    def __init__(
        self,
        identity: Identity,
        provisioner: Provisioner,
        ledger: Ledger,
        publish: Callable[[bytes, dict[str, str]], None],
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._identity = identity
        self._provisioner = provisioner
        self._ledger = ledger
        self._publish = publish
        self._now = now
        self._lock = threading.Lock()
        # One command at a time per dataflow: its stack has one lock.
        self._locks: dict[str, threading.Lock] = {}

    def handle(self, data: bytes, attributes: Mapping[str, str]) -> Completion | None:
        """Do what a message asks, store the result and publish it; then it may be acknowledged.

        A message that nobody could match to a question is dropped with a line in the log.
        """
        try:
            command = decode(Command, data, attributes)
        except MalformedMessageError as error:
            log.warning("command_malformed", why=error.reason, command_id=error.command_id)
            if not (error.command_id and error.run_id):
                return None
            completion = Completion(
                command_id=error.command_id,
                run_id=error.run_id,
                dataflow="",
                status=CompletionStatus.FAILED,
                error=CompletionError(code="malformed-command", message=error.reason),
                director=self._identity.name,
            )
        else:
            completion = self._complete(command)
        self._publish(*encode(completion))
        return completion

    def _complete(self, command: Command) -> Completion:
        with self._lock_of(command.dataflow):
            finished = self._ledger.find(command.command_id)
            if finished is not None:
                log.info("command_repeated", command_id=command.command_id)
                return finished
            refusal = self._refusal(command)
            if refusal is not None:
                log.warning("command_refused", command_id=command.command_id, why=refusal.message)
                return self._failed(command, refusal)
            return self._ledger.store(self._run(command))

    def _lock_of(self, dataflow: str) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(dataflow, threading.Lock())

    def _refusal(self, command: Command) -> CompletionError | None:
        """Say why a command must not be run; what is refused may become right, so is not kept."""
        if command.environment != self._identity.environment:
            return CompletionError(
                code="wrong-environment",
                message=f"this director serves {self._identity.environment!r},"
                f" the command is for {command.environment!r}",
            )
        if command.deadline <= self._now():
            return CompletionError(
                code="deadline-passed", message=f"its deadline was {command.deadline.isoformat()}"
            )
        if command.instruction is Instruction.DEPENDENT_SETUP:
            return CompletionError(
                code="not-needed",
                message=f"{command.instruction.value} is not the director's here: resources that"
                " need services' URLs are set up with the services",
            )
        architecture, program = self._provisioner.digests()
        if command.architecture_sha256 != architecture:
            return CompletionError(
                code="other-architecture",
                message="the architecture that the command means is not the one found here",
            )
        if command.program_sha256 != program:
            return CompletionError(
                code="other-program",
                message="the conductor runs another version of the program than this director",
            )
        return self._overtaken(command)

    def _overtaken(self, command: Command) -> CompletionError | None:
        """Refuse an older generation; only a command that is run makes older ones of others."""
        with self._lock:
            newest = self._ledger.generation()
            if command.generation < newest:
                return CompletionError(
                    code="older-generation",
                    message=f"generation {command.generation} is older than {newest}",
                )
            if command.generation > newest:
                self._ledger.keep_generation(command.generation)
        return None

    def _run(self, command: Command) -> Completion:
        started = self._now()
        log.info(
            "command_started",
            command_id=command.command_id,
            instruction=command.instruction.value,
            dataflow=command.dataflow,
        )
        try:
            provisioned = self._obey(command)
        except ConductorError as error:
            log.exception("command_failed", command_id=command.command_id)
            return self._failed(command, CompletionError(code=error.code, message=error.message))
        except Exception as error:
            # A bug is answered too: unanswered, the command would come again and again.
            log.exception("command_broke", command_id=command.command_id)
            return self._failed(
                command,
                CompletionError(
                    code="unexpected",
                    message=f"{type(error).__name__}: {error}"[:LONGEST_REASON],
                ),
            )
        if provisioned is None:
            return self._failed(
                command,
                CompletionError(
                    code="not-set-up", message=f"dataflow {command.dataflow} was never set up"
                ),
            )
        return self._done(command, started, provisioned)

    def _obey(self, command: Command) -> Provisioned | None:
        match command.instruction:
            case Instruction.STATUS:
                return self._provisioner.status(command.dataflow)
            case Instruction.TEARDOWN:
                return self._provisioner.tear_down(command.dataflow)
            case _:
                return self._provisioner.provision(command.dataflow, keeps_data=command.keeps_data)

    def _done(self, command: Command, started: datetime, provisioned: Provisioned) -> Completion:
        took_s = (self._now() - started).total_seconds()
        log.info("command_finished", command_id=command.command_id, took_s=took_s)
        return Completion(
            command_id=command.command_id,
            run_id=command.run_id,
            dataflow=command.dataflow,
            status=CompletionStatus.OK,
            topics=provisioned.topics,
            subscriptions=provisioned.subscriptions,
            applied_grants=provisioned.grants,
            changes=provisioned.changes,
            kept=provisioned.kept,
            duration_s=took_s,
            director=self._identity.name,
        )

    def _failed(self, command: Command, error: CompletionError) -> Completion:
        return Completion(
            command_id=command.command_id,
            run_id=command.run_id,
            dataflow=command.dataflow,
            status=CompletionStatus.FAILED,
            error=error,
            director=self._identity.name,
        )
