"""Puts the real parts together: the one place that knows all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from architecture.model import Architecture
from orchestration.access.orchestrator import IAMOrchestrator
from orchestration.artifacts.planner import ContextPreparer, HydratedFile, LocalPlanner
from orchestration.artifacts.preflight import PreflightValidator
from orchestration.automation.engines import EngineName, choose_engine
from orchestration.automation.results import EventKind, OnStackEvent, StackEvent, StackPreview
from orchestration.automation.stacks import StackHome, StackOperations
from orchestration.conductor.conductor import Conductor
from orchestration.conductor.events import Observer, RunEventKind, RunLog
from orchestration.conductor.parts import Parts
from orchestration.conductor.records import RunInputs, RunRecord, RunRecorder, RunStatus
from orchestration.deployment.deployer import DeploymentManager
from orchestration.deployment.health import HealthChecker
from orchestration.deployment.stack_deployer import StackDeployer
from orchestration.director.remote import DirectorSetup
from orchestration.environments import Environment
from orchestration.errors import ConductorError
from orchestration.review.preview import SystemPreview
from orchestration.targets.prerequisites import PrerequisitesCheck, stacks_of
from orchestration.targets.target import Target


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run is to be done; `words` are the options as typed, for the record."""

    architecture_path: Path
    engine: EngineName = EngineName.AUTO
    refresh: bool = True
    # Setting a dataflow up takes seconds to minutes; the director itself may first have to start.
    director_timeout_s: float = 600.0
    words: Mapping[str, str] = field(default_factory=dict)


def run_up(
    environment: Environment,
    file: HydratedFile,
    target: Target,
    options: RunOptions,
    observers: Sequence[Observer],
) -> RunRecord:
    """Run all phases and give the run's record; the caller holds the environment.

    Raises:
        ConductorError: a phase failed; the record says the same.
    """
    source = options.architecture_path
    recorder = RunRecorder(
        environment.runs_dir,
        environment.name,
        RunInputs(
            architecture=str(source),
            architecture_sha256=hashlib.sha256(source.read_bytes()).hexdigest(),
            options=options.words,
        ),
    )
    log = RunLog(recorder.record.run_id, [recorder, *observers])
    log.emit(RunEventKind.RUN_STARTED, environment=environment.name, architecture=str(source))
    conductor = Conductor(_parts(environment, file, target, options, log), log, recorder.keep_state)
    log_end: dict[str, str] = {}
    try:
        conductor.run()
    except ConductorError as error:
        log_end = {"code": error.code, "message": error.message}
        log.phase = None
        log.emit(RunEventKind.RUN_FAILED, **log_end)
        recorder.finish(RunStatus.FAILED, error)
        raise
    except KeyboardInterrupt:
        recorder.finish(RunStatus.INTERRUPTED)
        raise
    log.phase = None
    log.emit(RunEventKind.RUN_FINISHED, urls=dict(recorder.record.state.urls))
    recorder.finish(RunStatus.SUCCEEDED)
    return recorder.record


def _parts(
    environment: Environment,
    file: HydratedFile,
    target: Target,
    options: RunOptions,
    log: RunLog,
) -> Parts:
    architecture = file.architecture
    operations = stack_operations(environment, target, options.engine)
    on_event = event_forwarder(log)
    deployer = StackDeployer(
        operations, environment.name, refresh=options.refresh, on_event=on_event
    )
    return Parts(
        planner=LocalPlanner(environment, file, PreflightValidator()),
        prerequisites=PrerequisitesCheck(environment, architecture, target, operations),
        access=IAMOrchestrator(
            architecture,
            environment.name,
            target,
            operations,
            log,
            refresh=options.refresh,
            on_event=on_event,
        ),
        artifacts=ContextPreparer(environment, architecture),
        deployment=DeploymentManager(
            deployer,
            built=tuple(s.name for _, s in architecture.services() if s.deployment is not None),
            dataflows=tuple(architecture.application_dataflows()),
            service_log=target.service_log,
            health=HealthChecker(
                _health_routes(architecture),
                target.identity_token,
                lambda service, url, took_s: log.emit(
                    RunEventKind.SERVICE_HEALTHY, service=service, url=url, took_s=round(took_s, 3)
                ),
            ),
        ),
        director=DirectorSetup(
            architecture, environment, target, log, timeout_s=options.director_timeout_s
        ),
    )


def _health_routes(architecture: Architecture) -> dict[str, str]:
    """Give the health route of each service; the director always has one of its own."""
    routes = {
        service.name: service.health_check.path
        for service in architecture.all_services()
        if service.health_check is not None
    }
    return {architecture.director.name: "/health/ready", **routes}


def stack_operations(
    environment: Environment, target: Target, engine: EngineName
) -> StackOperations:
    """Make the operations on an environment's stacks."""
    return StackOperations(
        stack_home(environment, engine), choose_engine(engine), target.credentials
    )


def stack_home(environment: Environment, engine: EngineName) -> StackHome:
    """Say where an environment's stacks live, as the chosen engine needs to know it."""
    return StackHome(
        project_dir=environment.settings.project_dir,
        backend_url=f"file://{environment.state_dir}",
        passphrase_file=environment.passphrase_file,
        # The real engine finds its plugins in the user's own Pulumi folder.
        pulumi_home=None if engine is EngineName.PULUMI else environment.pulumi_home,
    )


def preview_stacks(
    environment: Environment,
    file: HydratedFile,
    target: Target,
    *,
    engine: EngineName,
    refresh: bool,
) -> Iterator[StackPreview]:
    """Plan as a run would, then preview every stack in order.

    Raises:
        ConductorError: planning or a preview failed.
    """
    operations = stack_operations(environment, target, engine)
    plan = LocalPlanner(environment, file, PreflightValidator()).plan()
    PrerequisitesCheck(environment, file.architecture, target, operations).check(plan)
    ContextPreparer(environment, file.architecture).prepare()
    preview = SystemPreview(operations, refresh=refresh)
    yield from preview.run(stacks_of(environment.name, plan))


def event_forwarder(log: RunLog) -> OnStackEvent:
    """Make what hands a stack's events on to a run's log."""
    kinds = {
        EventKind.STARTED: RunEventKind.RESOURCE_STARTED,
        EventKind.FINISHED: RunEventKind.RESOURCE_FINISHED,
        EventKind.FAILED: RunEventKind.RESOURCE_FAILED,
    }

    def forward(event: StackEvent) -> None:
        if event.kind is EventKind.DIAGNOSTIC:
            if event.severity == "warning":
                log.emit(RunEventKind.WARNED, message=f"{event.stack}: {event.message}")
            return
        log.emit(
            kinds[event.kind],
            stack=event.stack,
            operation=event.operation,
            type=event.type,
            name=event.name,
        )

    return forward
