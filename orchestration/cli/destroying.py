"""`conductor destroy`: everything that `up` has made, taken down again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from orchestration.automation.engines import EngineName
from orchestration.automation.results import HeldResource, StackResult
from orchestration.automation.stacks import StackOperations
from orchestration.cli.asking import ask
from orchestration.cli.console import output
from orchestration.cli.progress import JsonProgress, PlainProgress
from orchestration.conductor.assembly import event_forwarder, stack_operations
from orchestration.conductor.events import Observer, RunEventKind, RunLog
from orchestration.conductor.records import new_run_id
from orchestration.durable.holding import held_environment
from orchestration.environments import Environment, EnvironmentRecord, TargetName
from orchestration.releases.destruction import Destruction
from orchestration.settings import Settings
from orchestration.targets.opening import target_of
from orchestration.wording import counted


def destroy(
    env: str,
    *,
    dataflow: str | None,
    yes: bool,
    suffix: str | None,
    database_url: str | None,
    as_json: bool,
) -> None:
    """Take an environment down, or one dataflow of it.

    Raises:
        UsageError: there is no such environment or dataflow, or nobody there to ask.
        Blocked: another dataflow needs the one.
        EnvironmentBusy: somebody else changes the environment.
        EnvironmentMismatch: the environment's names end in another suffix.
        ConductorError: a stack was not destroyed.
    """
    environment = Environment(env, Settings.from_environment())
    record = environment.require_record()
    environment.suffix(suffix)
    progress = JsonProgress() if as_json else PlainProgress(output())
    doing = f"conductor destroy --env {env}"
    with held_destruction(environment, doing, database_url, progress) as held:
        waves = held.destruction.waves(dataflow)
        for stack, resources in held.destruction.will_keep(waves).items():
            message = f"{names_of(resources)} in stack {stack} will stay: protected"
            held.log.emit(RunEventKind.WARNED, message=message)
        if not yes:
            _ask(record, dataflow, [stack for wave in waves for stack in wave])
        results = held.destruction.run(waves)
        held.tell(record, results, is_whole=dataflow is None)


@dataclass(frozen=True, slots=True)
class HeldDestruction:
    """What takes an environment down that is held for it, and where it is told."""

    destruction: Destruction
    operations: StackOperations
    log: RunLog

    def tell(
        self, record: EnvironmentRecord, results: Sequence[StackResult], *, is_whole: bool
    ) -> None:
        """Say what was deleted, and of what is left, why."""
        left = self.operations.existing(f"{record.name}.") if is_whole else ()
        for said in _told(record, results, self.destruction.protected, left):
            self.log.emit(RunEventKind.NOTED, message=said)


@contextmanager
def held_destruction(
    environment: Environment, doing: str, database_url: str | None, progress: Observer
) -> Iterator[HeldDestruction]:
    """Hold an environment that is to be taken down; `doing` is what others are told.

    Raises:
        EnvironmentBusy: somebody else changes the environment.
    """
    target = target_of(environment)
    with held_environment(environment, doing, database_url) as lease:
        target.prepare()
        operations = stack_operations(environment, target, EngineName.AUTO)
        operations = operations.guarded(lease.require)
        log = RunLog(new_run_id(datetime.now(UTC)), [progress])
        destruction = Destruction(environment, operations, log, event_forwarder(log))
        yield HeldDestruction(destruction, operations, log)


def _ask(record: EnvironmentRecord, dataflow: str | None, stacks: Sequence[str]) -> None:
    """Have somebody agree, where there is anything to delete."""
    if not stacks:
        return
    what = f"architecture {record.architecture_name}"
    going = f"dataflow {dataflow} of {what}" if dataflow else what
    ask(
        f"This deletes {going} in environment {record.name}",
        stacks,
        "Destroy it?",
        unasked=f"destroying {record.name} deletes {counted(len(stacks), 'stack')}",
    )


def _told(
    record: EnvironmentRecord,
    results: Sequence[StackResult],
    protected: Mapping[str, Sequence[HeldResource]],
    left: Sequence[str],
) -> Iterator[str]:
    """Say what was deleted, and of what is left, why."""
    deleted = sum(result.changed for result in results)
    yield (
        f"destroyed {counted(len(results) - len(protected), 'stack')} of {record.name},"
        f" {counted(deleted, 'resource')} deleted; enabled APIs stay enabled{_left(record)}"
    )
    for stack, held in protected.items():
        yield (
            f"kept {names_of(held)} in stack {stack}: protected by `teardown_protection`;"
            f" without it, `conductor up` and another `conductor destroy` delete"
            f" {'it' if len(held) == 1 else 'them'}"
        )
    kept = [stack for stack in left if stack not in protected]
    if kept:
        yield (
            f"kept {', '.join(kept)}, as `keep_resources_on_test` asks for;"
            f" `conductor pulumi destroy -s {kept[0]} --yes` deletes what it holds"
        )


def _left(record: EnvironmentRecord) -> str:
    """Say what else is left of an environment."""
    if record.target is TargetName.LOCAL:
        return f", and its local cloud runs on (`conductor cloud stop --env {record.name}`)"
    return f", and gs://{record.state_bucket} and the key stay: no stack made them"


def names_of(held: Sequence[HeldResource]) -> str:
    """Name resources, each after its kind."""
    return ", ".join(f"{item.type.rpartition(':')[2]} {item.name}" for item in held)
