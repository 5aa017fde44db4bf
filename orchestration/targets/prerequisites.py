"""Phase 1: the target usable, the deployer allowed, secrets there, stacks configured.

All findings come in one report: somebody who mends one thing at a time learns of the next only
after another run.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from architecture.model import Architecture
from architecture.names import stack_name
from orchestration.automation.config import StackConfigFiles
from orchestration.automation.engines import EngineName
from orchestration.automation.results import Json
from orchestration.automation.stacks import StackOperations
from orchestration.concurrency import run_all
from orchestration.conductor.state import PlanOutcome
from orchestration.director.digests import PROGRAM_VARIABLE, program_digest
from orchestration.environments import Environment, TargetName
from orchestration.errors import CloudUnreachable, PrerequisitesMissing
from orchestration.targets.builders import DAEMON_KEY
from orchestration.targets.google import GoogleTarget
from orchestration.targets.google_needs import google_prerequisites
from orchestration.targets.local import LocalTarget
from orchestration.targets.local_needs import local_prerequisites
from orchestration.targets.prerequisite import Prerequisite, Surveyed
from orchestration.targets.target import Target


class PrerequisitesCheck:
    """Makes the target usable and checks what the run needs."""

    def __init__(
        self,
        environment: Environment,
        architecture: Architecture,
        target: Target,
        operations: StackOperations,
        engine: EngineName = EngineName.AUTO,
    ) -> None:
        self._environment = environment
        self._architecture = architecture
        self._target = target
        self._operations = operations
        self._engine = engine

    def check(self, plan: PlanOutcome) -> None:
        """Prepare the target, check, then configure every stack.

        Raises:
            PrerequisitesMissing: with every finding.
            CloudUnreachable: the target does not answer.
        """
        if self._target.name is TargetName.LOCAL:
            # What it needs can be looked at only while it runs; Google's cloud always does.
            self._target.prepare()
        findings = self._findings()
        if findings:
            raise PrerequisitesMissing(
                f"{len(findings)} prerequisite{'s' if len(findings) > 1 else ''} missing",
                findings=findings,
            )
        self.configure_stacks(plan)

    def configure_stacks(self, plan: PlanOutcome) -> None:
        """Write the configuration of every stack; the first one made gives the others its salt."""
        files = StackConfigFiles(
            self._environment.settings.stack_config_dir, self._environment.name
        )
        first, *others = stacks_of(self._environment.name, plan)
        values = stack_config(self._environment, self._target)
        files.write(first, values)
        self._operations.create(first)
        images = stack_name(self._environment.name, "images")
        for stack in others:
            if stack == images:
                own = {**values, **self._target.images_config()}
                # A daemon of an earlier choice must not be found any more.
                files.write(stack, own, without=(DAEMON_KEY,))
            else:
                files.write(stack, values)
        if self._target.state_place is not None:
            # The director's image takes the stacks' configuration along as it is when they are
            # made, with the key that it is encrypted with: there it can be written no more.
            flows = (
                stack_name(self._environment.name, "dataflow", name) for name in plan.dataflows
            )
            made = run_all({stack: partial(self._operations.create, stack) for stack in flows})
            for error in made.errors.values():
                raise error

    def _findings(self) -> tuple[str, ...]:
        """Name what is missing; a cloud that does not answer is told once nothing else is."""
        findings, unreachable = [], None
        for item in prerequisites_of(
            self._environment, self._architecture, self._target, self._engine
        ):
            try:
                surveyed = Surveyed(item, item.look())
            except CloudUnreachable as error:
                unreachable = unreachable or error
                continue
            if surveyed.is_missing:
                findings.append(surveyed.finding)
        if unreachable is not None and not findings:
            raise unreachable
        return tuple(findings)


def prerequisites_of(
    environment: Environment, architecture: Architecture, target: Target, engine: EngineName
) -> Iterator[Prerequisite]:
    """Yield what a run on a target needs; nothing is looked at before `look` is called."""
    project_dir = environment.settings.project_dir
    match target:
        case GoogleTarget():
            yield from google_prerequisites(target, architecture, project_dir)
        case LocalTarget():
            yield from local_prerequisites(target, architecture, project_dir, engine)


def stacks_of(environment: str, plan: PlanOutcome) -> tuple[str, ...]:
    """Name an environment's stacks in the order in which they depend on each other."""
    ordered = [name for level in plan.levels for name in level]
    return (
        stack_name(environment, "foundation"),
        stack_name(environment, "images"),
        stack_name(environment, "director"),
        *(stack_name(environment, "dataflow", name) for name in plan.dataflows),
        *(stack_name(environment, "services", name) for name in ordered),
    )


def stack_config(environment: Environment, target: Target) -> dict[str, Json]:
    """Give the configuration that every stack of the environment has."""
    project = environment.settings.project_dir

    def relative(path: str) -> str:
        return path.removeprefix(f"{project}/")

    return {
        "conductor:architecture": relative(str(environment.architecture_file)),
        "conductor:overrides": relative(str(environment.overrides_file)),
        "conductor:contexts": relative(str(environment.contexts_dir)),
        "conductor:environment": environment.name,
        "conductor:target": target.name.value,
        "conductor:directorEnvironment": {
            **target.director_environment(),
            # A director runs the program that it was started with: another program, another one.
            PROGRAM_VARIABLE: program_digest(project),
        },
        **target.stack_config(),
    }
