"""Puts the real parts together: the one place that knows all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from architecture.model import Architecture
from orchestration.access.orchestrator import IAMOrchestrator
from orchestration.access.priors import PriorStore
from orchestration.artifacts.planner import ContextPreparer, HydratedFile, LocalPlanner
from orchestration.artifacts.preflight import PreflightValidator
from orchestration.automation.engines import (
    DeferredPulumi,
    EngineName,
    choose_engine,
    engine_for,
)
from orchestration.automation.results import EventKind, OnStackEvent, StackEvent, StackPreview
from orchestration.automation.spreading import Hands, SpreadOperations
from orchestration.automation.stack_records import StackHome
from orchestration.automation.stacks import StackOperations
from orchestration.conductor.events import RunEventKind, RunLog
from orchestration.conductor.parts import Parts, Prerequisites
from orchestration.conductor.phases import Phase
from orchestration.conductor.state import PlanOutcome
from orchestration.deployment.deployer import DeploymentManager
from orchestration.deployment.health import HealthChecker
from orchestration.deployment.stack_deployer import StackDeployer
from orchestration.director.remote import DirectorCalls, DirectorSetup
from orchestration.environments import Environment, TargetName
from orchestration.overriding import OverrideStore
from orchestration.releases.store import ReleaseStore
from orchestration.review.approval import ApprovedPlans, ApprovedPrerequisites
from orchestration.review.building import build_review
from orchestration.review.model import Review
from orchestration.review.places import Places
from orchestration.review.policing import PolicyCheck
from orchestration.review.preview import SystemPreview
from orchestration.targets.prerequisites import PrerequisitesCheck, stacks_of
from orchestration.targets.target import Target

# Setting a dataflow up takes seconds to minutes; the director itself may first have to start.
DIRECTOR_TIMEOUT_S = 600.0


class OnFailure(StrEnum):
    """What becomes of what a failed run has done."""

    ROLLBACK = "rollback"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run is to be done; `words` are the options as typed, for the record."""

    architecture_path: Path
    engine: EngineName = EngineName.AUTO
    refresh: bool = True
    director_timeout_s: float = DIRECTOR_TIMEOUT_S
    on_failure: OnFailure = OnFailure.ROLLBACK
    # What of the run is done; what is left out must be on record.
    phases: frozenset[Phase] = frozenset(Phase)
    # Where the runs' journals are; None: the environment's own file, or the variable's database.
    database_url: str | None = None
    words: Mapping[str, str] = field(default_factory=dict)
    # What the run must do, and nothing else; None: whatever the architecture asks for.
    approved: Review | None = None


def run_parts(
    environment: Environment,
    file: HydratedFile,
    target: Target,
    options: RunOptions,
    log: RunLog,
    *,
    operations: StackOperations,
    generation: int,
) -> Parts:
    """Make every part of a run on an environment and its target; `generation` is its lease's."""
    architecture = file.architecture
    on_event = event_forwarder(log)
    # Without an approval there are no plans, and nothing is bound.
    operations = operations.bound_to(ApprovedPlans(environment).folder)
    return Parts(
        planner=LocalPlanner(
            environment,
            file,
            PreflightValidator(),
            PolicyCheck(environment, architecture).enforce,
        ),
        prerequisites=_prerequisites(environment, file, target, options, operations),
        access=IAMOrchestrator(
            # Where a service runs may have been recorded otherwise.
            OverrideStore(environment).above(architecture),
            environment.name,
            target,
            operations,
            log,
            priors=PriorStore(environment.propagation_file),
            refresh=options.refresh,
            on_event=on_event,
        ),
        artifacts=ContextPreparer(environment, architecture, target.name),
        deployment=_deployment(
            StackDeployer(operations, environment.name, refresh=options.refresh, on_event=on_event),
            architecture,
            target,
            log,
        ),
        director=DirectorSetup(
            architecture,
            environment,
            DirectorCalls(
                environment,
                target,
                log,
                generation=generation,
                timeout_s=options.director_timeout_s,
            ),
        ),
    )


def _deployment(
    deployer: StackDeployer, architecture: Architecture, target: Target, log: RunLog
) -> DeploymentManager:
    return DeploymentManager(
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
    )


def _prerequisites(
    environment: Environment,
    file: HydratedFile,
    target: Target,
    options: RunOptions,
    operations: StackOperations,
) -> Prerequisites:
    check = PrerequisitesCheck(environment, file.architecture, target, operations, options.engine)
    if options.approved is None:
        return check
    plans = ApprovedPlans(environment)

    def review(plan: PlanOutcome) -> Review:
        ContextPreparer(environment, file.architecture, target.name).prepare()
        preview = SystemPreview(operations, refresh=options.refresh, plans=plans.folder)
        return _review(environment, file, target, preview.run(stacks_of(environment.name, plan)))

    return ApprovedPrerequisites(check, review, options.approved, plans)


def _health_routes(architecture: Architecture) -> dict[str, str]:
    """Give the health route of each service; the director always has one of its own."""
    routes = {
        service.name: service.health_check.path
        for service in architecture.all_services()
        if service.health_check is not None
    }
    return {architecture.director.name: "/health/ready", **routes}


def stack_operations(
    environment: Environment, target: Target, engine: EngineName, hands: Hands | None = None
) -> StackOperations:
    """Make the operations on an environment's stacks, done here unless there are other hands."""
    chosen = engine_for(engine, target.name)
    is_deferred = target.name is TargetName.GOOGLE
    home = stack_home(environment, chosen)
    command = DeferredPulumi() if is_deferred else choose_engine(chosen)
    if hands is not None:
        return SpreadOperations(home, command, target.credentials, hands)
    return StackOperations(home, command, target.credentials)


def stack_home(environment: Environment, engine: EngineName) -> StackHome:
    """Say where an environment's stacks live, as the chosen engine needs to know it."""
    record = environment.record()
    project_dir = environment.settings.project_dir
    if record is not None and record.target is TargetName.GOOGLE:
        return StackHome(
            project_dir=project_dir,
            backend_url=f"gs://{record.state_bucket}",
            secrets_provider=record.secrets_provider,
        )
    return StackHome(
        project_dir=project_dir,
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
    PrerequisitesCheck(environment, file.architecture, target, operations, engine).check(plan)
    ContextPreparer(environment, file.architecture, target.name).prepare()
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


def review_environment(
    environment: Environment,
    file: HydratedFile,
    target: Target,
    *,
    engine: EngineName,
    refresh: bool,
    on_preview: Callable[[StackPreview], None] = lambda _preview: None,
) -> Review:
    """Preview every stack, and make what a reviewer is shown; each is told as it is done.

    Raises:
        ConductorError: planning or a preview failed.
    """
    previews = preview_stacks(environment, file, target, engine=engine, refresh=refresh)
    return _review(environment, file, target, previews, on_preview)


def _review(
    environment: Environment,
    file: HydratedFile,
    target: Target,
    previews: Iterable[StackPreview],
    on_preview: Callable[[StackPreview], None] = lambda _preview: None,
) -> Review:
    standing = ReleaseStore(environment).current_architecture()
    done = []
    for preview in previews:
        on_preview(preview)
        done.append(preview)
    return build_review(
        environment.name,
        file.architecture,
        done,
        contexts=ContextPreparer(environment, file.architecture, target.name).digests(),
        violations=PolicyCheck(environment, file.architecture).violations(),
        before=standing,
        deployer=target.deployer,
        places=Places.of(
            project=environment.settings.project_dir,
            environment=environment.folder,
            registry=str(target.stack_config().get("conductor:registry", "")),
        ),
    )
