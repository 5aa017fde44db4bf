"""Fill in what a user may leave out, so that nobody after this has to know a default.

Hydrating what is hydrated changes nothing. Only values are made here: no file is looked at.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Final, TypeVar

from architecture import names, variables
from architecture.findings import Finding, InvalidArchitecture, Severity
from architecture.links import links_by_service
from architecture.model import (
    INFRA_SUFFIX,
    Architecture,
    BigQueryDataset,
    BigQueryTable,
    CloudSchedulerJob,
    Dataflow,
    Deployment,
    Lifecycle,
    Lookup,
    Resources,
    Service,
    ServiceMapping,
    Subscription,
    Topic,
)
from architecture.overrides import overridden
from architecture.suffixes import with_suffix

DEFAULT_CPU: Final = "1"
DEFAULT_MEMORY: Final = "512Mi"
COMMAND_SUBSCRIPTION_KEY: Final = "command-subscription-id"
"""The key under which the director finds its command subscription in `resources.yaml`."""

S = TypeVar("S", bound=Service)


def hydrate(
    arch: Architecture,
    *,
    base_dir: Path,
    project_id: str | None = None,
    source_root: Path | None = None,
    environment: str | None = None,
    suffix: str = "",
) -> Architecture:
    """Return the architecture with every default filled in; the argument is not changed.

    Args:
        arch: what was loaded; may be hydrated already.
        base_dir: the folder that relative paths start from: the architecture file's.
        project_id: the project of an architecture that names none.
        source_root: replaces every `source_path`.
        environment: whose `deployment_environments` entry applies, where there is one; what is
            hydrated is of one environment, and says nothing of others.
        suffix: what the names of a test run end in; one that they end in already is not added.

    Raises:
        InvalidArchitecture: neither the architecture nor the caller names a project, or the suffix
            cannot be added.
    """
    arch = overridden(arch, environment or "")
    project = arch.project_id or project_id or ""
    if not project:
        raise InvalidArchitecture([_no_project(base_dir)])
    arch = arch.model_copy(update={"project_id": project, "location": arch.location or arch.region})
    paths = _Paths(base_dir.absolute(), source_root.absolute() if source_root else None)
    flows = {name: _dataflow(flow, arch, paths) for name, flow in arch.dataflows.items()}
    director = _service(arch.director, arch, paths)
    arch = arch.model_copy(update={"service_manager_spec": director, "dataflows": flows})
    if arch.director_dataflow is None:
        infra = _director_dataflow(arch)
        arch = arch.model_copy(update={"dataflows": flows | {infra.name: infra}})
    arch = with_suffix(_with_datasets(arch), suffix, base_dir)
    return _with_variables(arch)


def _no_project(base_dir: Path) -> Finding:
    return Finding(
        rule="missing-project",
        severity=Severity.ERROR,
        path=base_dir,
        line=0,
        column=0,
        message="the architecture names no project",
        fix="add `project_id:` to the file, or give --project",
    )


class _Paths:
    """Makes paths absolute that the file gives relative to itself."""

    def __init__(self, base_dir: Path, source_root: Path | None) -> None:
        self._base_dir = base_dir
        self._source_root = source_root

    def source(self, path: str) -> str:
        """Return where a service's source is."""
        return str(self._source_root) if self._source_root else self.absolute(path or ".")

    def absolute(self, path: str) -> str:
        """Return the path as it is when absolute, on Windows too; else from the file's folder."""
        if PurePosixPath(path).is_absolute() or PureWindowsPath(path).is_absolute():
            return path
        return os.path.normpath(self._base_dir / path)


def _dataflow(flow: Dataflow, arch: Architecture, paths: _Paths) -> Dataflow:
    services = {key: _service(service, arch, paths) for key, service in flow.services.items()}
    resources = flow.resources.model_copy(
        update={
            "bigquery_tables": tuple(_table(t, paths) for t in flow.resources.bigquery_tables),
            "cloud_scheduler_jobs": tuple(
                _job(job, arch) for job in flow.resources.cloud_scheduler_jobs
            ),
        }
    )
    return flow.model_copy(update={"services": services, "resources": resources})


def _service(service: S, arch: Architecture, paths: _Paths) -> S:
    account = names.account_id(service.service_account, arch.project_id)
    deployment = service.deployment and _deployment(service.deployment, arch, paths)
    return service.model_copy(update={"service_account": account, "deployment": deployment})


def _deployment(deployment: Deployment, arch: Architecture, paths: _Paths) -> Deployment:
    templates = {
        paths.absolute(source): destination
        for source, destination in deployment.config_templates.items()
    }
    return deployment.model_copy(
        update={
            "source_path": paths.source(deployment.source_path),
            "config_templates": templates,
            "image_repo": deployment.image_repo or names.DEFAULT_IMAGE_REPO,
            "region": deployment.region or arch.region,
            "cpu": deployment.cpu or DEFAULT_CPU,
            "memory": deployment.memory or DEFAULT_MEMORY,
        }
    )


def _table(table: BigQueryTable, paths: _Paths) -> BigQueryTable:
    if not table.schema_file:
        return table
    return table.model_copy(update={"schema_file": paths.absolute(table.schema_file)})


def _job(job: CloudSchedulerJob, arch: Architecture) -> CloudSchedulerJob:
    account = names.account_id(
        job.service_account or names.inferred_account(job.name), arch.project_id
    )
    return job.model_copy(update={"service_account": account})


def _director_dataflow(arch: Architecture) -> Dataflow:
    """Return the dataflow with the director's topics and its command subscription."""
    director = arch.director
    command, completion = director.command_topic, director.completion_topic
    found_by = command.lookup or Lookup()
    if found_by.method == "yaml":
        found_by = Lookup(key=COMMAND_SUBSCRIPTION_KEY, method="yaml")
    return Dataflow(
        name=f"{director.name}{INFRA_SUFFIX}",
        description=f"Topics and subscription of the director ({director.name}).",
        resources=Resources(
            topics=(
                Topic(name=command.name),
                Topic(
                    name=completion.name,
                    producer_service=ServiceMapping(name=director.name, lookup=completion.lookup),
                ),
            ),
            subscriptions=(
                Subscription(
                    name=f"{command.name}-sub",
                    topic=command.name,
                    consumer_service=ServiceMapping(name=director.name, lookup=found_by),
                ),
            ),
        ),
        lifecycle=Lifecycle(strategy="permanent"),
    )


def _with_datasets(arch: Architecture) -> Architecture:
    """Declare the datasets that tables name and nobody declares, beside the first such table."""
    declared = {d.name for f in arch.dataflows.values() for d in f.resources.bigquery_datasets}
    flows: dict[str, Dataflow] = {}
    for name, flow in arch.dataflows.items():
        wanted = dict.fromkeys(table.dataset for table in flow.resources.bigquery_tables)
        inferred = tuple(BigQueryDataset(name=d) for d in wanted if d not in declared)
        declared |= {dataset.name for dataset in inferred}
        datasets = flow.resources.bigquery_datasets + inferred
        resources = flow.resources.model_copy(update={"bigquery_datasets": datasets})
        flows[name] = flow.model_copy(update={"resources": resources})
    return arch.model_copy(update={"dataflows": flows})


def _with_variables(arch: Architecture) -> Architecture:
    """Give every deployed service its environment variables."""
    links = links_by_service(arch)

    def told(service: S, dataflow: str) -> S:
        if service.deployment is None:
            return service
        own = links.get(service.name, ())
        new = variables.injected(
            service,
            own,
            project_id=arch.project_id,
            dataflow=dataflow,
            suffix=arch.name_suffix,
        )
        merged = dict(sorted((service.deployment.environment_vars | new).items()))
        deployment = service.deployment.model_copy(update={"environment_vars": merged})
        return service.model_copy(update={"deployment": deployment})

    flows = {
        name: flow.model_copy(
            update={"services": {key: told(item, name) for key, item in flow.services.items()}}
        )
        for name, flow in arch.dataflows.items()
    }
    director = told(arch.director, variables.DIRECTOR_DATAFLOW_NAME)
    return arch.model_copy(update={"service_manager_spec": director, "dataflows": flows})
