"""Phase 0: the architecture loaded, checked, hydrated and written down; names verified.

No cloud is touched: what fails here leaves nothing behind but files under the environment.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from architecture.findings import Finding, InvalidArchitecture, Severity
from architecture.hydration import hydrate
from architecture.loading import load
from architecture.model import Architecture
from architecture.ordering import resource_levels, service_levels
from architecture.preflight import declared_command
from architecture.rendering import to_yaml
from architecture.service_resources import ServiceResources
from orchestration.artifacts.contexts import BuildContexts, ServiceSource, source_of, template_files
from orchestration.artifacts.director_context import director_context
from orchestration.artifacts.generator import ConfigGenerator
from orchestration.artifacts.placeholders import (
    placeholder_warnings,
    placeholders_of,
    with_placeholders,
    write_placeholders,
)
from orchestration.artifacts.preflight import PreflightCase, PreflightValidator
from orchestration.artifacts.preflight_commands import KINDS
from orchestration.artifacts.schemas import check_schemas, schema_warnings
from orchestration.conductor.state import PlanOutcome
from orchestration.environments import Environment, TargetName, write_atomically
from orchestration.errors import ArchitectureInvalid
from orchestration.wording import counted


@dataclass(frozen=True, slots=True)
class HydratedFile:
    """An architecture with everything filled in, and what should be better in its file."""

    architecture: Architecture
    warnings: tuple[str, ...]


def read_architecture(
    path: Path,
    *,
    environment: str,
    project_id: str,
    source_root: Path | None = None,
    suffix: str = "",
    placeholders: Path | None = None,
) -> HydratedFile:
    """Load an architecture file and hydrate it for an environment.

    With a folder for `placeholders`, services whose sources are missing get them there.

    Raises:
        ArchitectureInvalid: with every finding.
    """
    try:
        loaded = load(path)
        architecture = hydrate(
            loaded.architecture,
            base_dir=path.parent,
            project_id=project_id,
            source_root=source_root,
            environment=environment,
            suffix=suffix,
        )
    except InvalidArchitecture as error:
        # What only hydration finds is about the file, though it knows no more than its folder.
        findings = tuple(str(replace(finding, path=path)) for finding in error.findings)
        wrong = sum(finding.severity is Severity.ERROR for finding in error.findings)
        raise ArchitectureInvalid(
            f"{path} has {counted(wrong, 'error')}", findings=findings
        ) from error
    if placeholders is not None:
        architecture = with_placeholders(architecture, placeholders)
    return HydratedFile(architecture, tuple(str(finding) for finding in loaded.warnings))


def findings_of(path: Path, *, environment: str, project_id: str) -> tuple[Finding, ...]:
    """Give everything that is found in a file, errors and warnings, in the file's order."""
    try:
        loaded = load(path)
    except InvalidArchitecture as error:
        return error.findings
    try:
        hydrate(
            loaded.architecture,
            base_dir=path.parent,
            project_id=project_id,
            environment=environment,
        )
    except InvalidArchitecture as error:
        return (*loaded.warnings, *(replace(finding, path=path) for finding in error.findings))
    return loaded.warnings


class LocalPlanner:
    """Plans one environment's run from its architecture."""

    def __init__(
        self,
        environment: Environment,
        file: HydratedFile,
        validator: PreflightValidator,
        policies: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        """Plan with these checks; `policies` gives warnings, and raises where it denies."""
        self._environment = environment
        self._file = file
        self._validator = validator
        self._policies = policies

    def plan(self) -> PlanOutcome:
        """Write the hydrated file and `resources.yaml` per service; run pre-flight tests.

        Raises:
            UsageError: a service's source folder or config template does not exist, or a table's
                schema cannot be read.
            PreflightFailed: naming every service whose tests failed.
            Blocked: a policy denies what would be deployed.
        """
        architecture = self._file.architecture
        placeholders = self._environment.placeholders_dir
        write_placeholders(architecture, placeholders)
        sources = sources_of(architecture)
        for source in sources:
            template_files(source)
        check_schemas(architecture)
        write_atomically(self._environment.architecture_file, to_yaml(architecture))
        files = ConfigGenerator(self._environment.generated_dir).generate(architecture)
        resources = ServiceResources(architecture)
        services = {service.name: service for service in architecture.all_services()}
        cases = [
            PreflightCase(
                service=source.name,
                folder=source.folder,
                resources_file=files[source.name],
                expectations=resources.expectations(source.name),
                command=declared_command(services[source.name]),
            )
            for source in sources
        ]
        # Both wait for processes of their own.
        with ThreadPoolExecutor(max_workers=1) as beside:
            policed = beside.submit(self._policies)
            report = self._validator.validate(cases)
            policy_warnings = policed.result()
        stand_ins = placeholders_of(architecture, placeholders)
        untested = tuple(
            f"service {name} has no pre-flight test: `metadata.preflight`, {KINDS}"
            for name in report.without_tests
            if name not in stand_ins
        )
        return PlanOutcome(
            architecture_name=architecture.name,
            project_id=architecture.project_id,
            director=architecture.director.name,
            services=tuple(service.name for _, service in architecture.services()),
            dataflows=tuple(architecture.application_dataflows()),
            resource_levels=resource_levels(architecture),
            levels=service_levels(architecture),
            warnings=(
                *self._file.warnings,
                *schema_warnings(architecture),
                *placeholder_warnings(architecture, placeholders),
                *untested,
                *policy_warnings,
            ),
        )


class ContextPreparer:
    """Phase 3: the build contexts of every service that is built."""

    def __init__(
        self,
        environment: Environment,
        architecture: Architecture,
        target: TargetName = TargetName.LOCAL,
    ) -> None:
        self._environment = environment
        self._architecture = architecture
        self._target = target

    def prepare(self) -> int:
        """Make or renew every context; say how many there are."""
        contexts = BuildContexts(self._environment.contexts_dir)
        sources = sources_of(self._architecture)
        director = self._architecture.director.name
        for source in sources:
            if source.name == director and self._target is TargetName.GOOGLE:
                files = director_context(self._environment, self._architecture, source)
                contexts.place(director, files)
            else:
                contexts.prepare(
                    source, self._environment.generated_dir / source.name / "resources.yaml"
                )
        return len(sources)

    def digests(self) -> dict[str, str]:
        """Give the digest of every prepared context, by service."""
        contexts = BuildContexts(self._environment.contexts_dir)
        return {
            source.name: contexts.digest(source.name) for source in sources_of(self._architecture)
        }


def sources_of(architecture: Architecture) -> tuple[ServiceSource, ...]:
    """Find the folders of all services that are built, the director's first."""
    found = (source_of(service) for service in architecture.all_services())
    return tuple(source for source in found if source is not None)
