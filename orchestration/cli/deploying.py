"""`conductor up`: from the command's words to a run, and its report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from architecture.model import Architecture
from orchestration.artifacts.planner import HydratedFile, read_architecture
from orchestration.automation.engines import EngineName, engine_for
from orchestration.cli.console import output
from orchestration.cli.expiring import expiry
from orchestration.cli.progress import choose_progress
from orchestration.cli.rehearsing import require_propagation
from orchestration.cli.reporting import show_run
from orchestration.conductor.assembly import OnFailure, RunOptions, stack_operations
from orchestration.conductor.records import last_run
from orchestration.conductor.running import run_up
from orchestration.conductor.selection import select_phases
from orchestration.environments import (
    STATE_PLACES,
    Environment,
    EnvironmentRecord,
    TargetName,
)
from orchestration.errors import Interrupted, UsageError
from orchestration.review.model import Review
from orchestration.review.store import PreviewStore
from orchestration.settings import Settings
from orchestration.targets.builders import BuilderName, choose_builder
from orchestration.targets.google import GoogleTarget, bucket_name, key_path
from orchestration.targets.local import DEFAULT_PROJECT, LocalTarget
from orchestration.targets.opening import target_of
from orchestration.wording import counted

Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Request:
    """What `up` and `preview` were asked to do, as it was typed."""

    architecture: Path
    environment: str
    target: str | None
    project: str | None
    source_root: Path | None
    engine: str
    refresh: bool
    propagation: str
    builder: str = "auto"
    suffix: str | None = None
    state_bucket: str | None = None
    secrets_provider: str | None = None
    placeholders: bool = False
    skip: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    on_failure: str = OnFailure.ROLLBACK.value
    database_url: str | None = None
    approved: str | None = None
    ttl: str | None = None

    def words(self) -> dict[str, str]:
        """Give the options for the run's record."""
        return {
            "engine": self.engine,
            "builder": self.builder,
            "refresh": str(self.refresh).lower(),
            "propagation": self.propagation,
            "project": self.project or "",
            "source_root": str(self.source_root or ""),
            "placeholders": "true" if self.placeholders else "",
            "skip": ",".join(self.skip),
            "only": ",".join(self.only),
            "on_failure": self.on_failure,
            "state_bucket": self.state_bucket or "",
            "secrets_provider": self.secrets_provider or "",
        }


@dataclass(frozen=True, slots=True)
class Opened:
    """A request understood: the environment, its architecture and its target."""

    environment: Environment
    file: HydratedFile
    target: LocalTarget | GoogleTarget
    engine: EngineName


def open_request(request: Request) -> Opened:
    """Understand a request; makes the environment if it is new.

    Raises:
        UsageError: an option has no such value.
        ArchitectureInvalid: the file has errors.
        EnvironmentMismatch: the environment holds something else.
    """
    opened, asked = understand(request)
    opened.environment.make(
        target=asked.target,
        architecture_name=asked.architecture_name,
        project_id=asked.project_id,
        name_suffix=asked.name_suffix,
        state_bucket=asked.state_bucket,
        secrets_provider=asked.secrets_provider,
    )
    return opened


def understand(request: Request, *, unnamed_project: str = "") -> tuple[Opened, EnvironmentRecord]:
    """Understand a request and make nothing; gives the record of what it would make, too.

    Args:
        request: The words.
        unnamed_project: What a project is called that neither the file nor the request names; by
            default that is an error of the file, except on a local cloud, which has one.

    Raises:
        UsageError: an option has no such value.
        ArchitectureInvalid: the file has errors.
        EnvironmentMismatch: the environment holds something else.
    """
    environment = Environment(request.environment, Settings.from_environment())
    target = _target_name(request, environment)
    engine = engine_for(one_of(EngineName, request.engine, "--engine"), target)
    builder = choose_builder(one_of(BuilderName, request.builder, "--builder"), engine, environment)
    require_propagation(request.propagation)
    is_local = target is TargetName.LOCAL
    file = read_architecture(
        request.architecture,
        environment=environment.name,
        project_id=request.project or (DEFAULT_PROJECT if is_local else unnamed_project),
        source_root=request.source_root,
        suffix=environment.suffix(request.suffix),
        placeholders=environment.placeholders_dir if request.placeholders else None,
    )
    architecture = file.architecture
    if request.project is not None and architecture.project_id != request.project:
        raise UsageError(
            f"{request.architecture} names project {architecture.project_id!r},"
            f" --project {request.project!r}",
            hint="leave --project out, or change the file",
        )
    asked = _asked(request, target, environment.name, architecture)
    held = environment.record()
    if held is not None:
        environment.require_same(held, asked)
        asked = asked.model_copy(
            update={place: getattr(asked, place) or getattr(held, place) for place in STATE_PLACES}
        )
    made = target_of(
        environment,
        asked,
        region=architecture.region,
        propagation=request.propagation,
        builder=builder,
    )
    return Opened(environment, file, made, engine), asked


def _asked(
    request: Request, target: TargetName, name: str, architecture: Architecture
) -> EnvironmentRecord:
    """Say what environment a request is about.

    Raises:
        UsageError: a place of state is no such place, or is named for a local cloud.
    """
    bucket, provider = request.state_bucket, request.secrets_provider
    if target is TargetName.LOCAL and (bucket or provider):
        raise UsageError(
            "--state-bucket and --secrets-provider are for target google;"
            " a local environment keeps its state in its own folder",
            hint="leave them out",
        )
    if provider:
        key_path(provider)
    return EnvironmentRecord(
        name=name,
        target=target,
        architecture_name=architecture.name,
        project_id=architecture.project_id,
        name_suffix=architecture.name_suffix,
        state_bucket=bucket_name(bucket) if bucket else "",
        secrets_provider=provider or "",
        made_at=datetime.now(UTC),
    )


def deploy(request: Request, *, director_timeout_s: float, as_json: bool) -> None:
    """Run `up` and show its report.

    Raises:
        ConductorError: the run was refused or failed.
    """
    expires_at = expiry_of(request)
    opened = open_request(request)
    console = output()
    progress = choose_progress(console, as_json=as_json)
    with opened.environment.locked(f"conductor up --env {request.environment}"):
        if expires_at is not None:
            # Before anything is made: what fails half-way is to be swept, too.
            opened.environment.expire_at(expires_at)
        try:
            with progress:
                record = run_up(
                    opened.environment,
                    opened.file,
                    opened.target,
                    run_options(request, opened, director_timeout_s),
                    [progress],
                )
        except KeyboardInterrupt:
            raise _interrupted(opened) from None
    if not as_json:
        show_run(console, record, opened.environment)


def expiry_of(request: Request) -> datetime | None:
    """Say when the environment is to expire; None where that is not said.

    Raises:
        UsageError: it is no time to live.
    """
    return expiry(request.ttl, datetime.now(UTC)) if request.ttl is not None else None


def run_options(request: Request, opened: Opened, director_timeout_s: float) -> RunOptions:
    """Say how a request's run is to be done.

    Raises:
        UsageError: an option has no such value.
    """
    approved = _approved(request, opened.environment)
    return RunOptions(
        architecture_path=request.architecture,
        engine=opened.engine,
        refresh=request.refresh,
        director_timeout_s=director_timeout_s,
        phases=select_phases(request.skip, request.only),
        on_failure=one_of(OnFailure, request.on_failure, "--on-failure"),
        database_url=request.database_url,
        approved=approved,
        words={
            **request.words(),
            "approved": approved.fingerprint if approved is not None else "",
            # Asked for or not: it stays with the environment.
            "suffix": opened.file.architecture.name_suffix,
            "director_timeout": f"{director_timeout_s:g}",
        },
    )


def _approved(request: Request, environment: Environment) -> Review | None:
    """Find the preview that a run is bound to; it is kept, for a run that is taken up again.

    Raises:
        UsageError: there is no such preview, or the run is to leave phases out.
        PreviewUnknown: no preview of that fingerprint is stored.
    """
    if request.approved is None:
        return None
    if request.skip or request.only:
        raise UsageError(
            "--approved cannot be had with --skip or --only: what was approved is a whole run"
        )
    store = PreviewStore(environment)
    approved = store.find(request.approved)
    store.keep(approved)
    return approved


def _interrupted(opened: Opened) -> Interrupted:
    """Say what is up after Ctrl-C: the stacks that hold anything."""
    environment = opened.environment
    run = last_run(environment.runs_dir)
    operations = stack_operations(environment, opened.target, opened.engine)
    held = {
        stack: count
        for stack, count in operations.resource_counts(f"{environment.name}.").items()
        if count
    }
    what = ", ".join(f"{stack} ({counted(count, 'resource')})" for stack, count in held.items())
    return Interrupted(
        f"run {run.run_id if run else ''} was interrupted; up: {what or 'nothing'}",
        hint=f"`conductor up` goes on from there; `conductor destroy --env {environment.name}`"
        " takes it down",
    )


def _target_name(request: Request, environment: Environment) -> TargetName:
    record = environment.record()
    if request.target is not None:
        return one_of(TargetName, request.target, "--target")
    if record is not None:
        return record.target
    if request.environment == TargetName.LOCAL.value:
        return TargetName.LOCAL
    raise UsageError(
        f"environment {request.environment!r} is new: where shall it live?",
        hint="add --target local or --target google",
    )


def one_of(kind: type[Choice], word: str, option: str) -> Choice:
    """Read an option's value.

    Raises:
        UsageError: it is none of those that there are.
    """
    try:
        return kind(word)
    except ValueError as error:
        known = ", ".join(choice.value for choice in kind)
        raise UsageError(f"{option} {word!r} is none of: {known}") from error
