"""Names must be ones that Google accepts, or a deployment fails half-way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from architecture import limits
from architecture.checks.problem import Problem, placed_services
from architecture.findings import shown
from architecture.links import Where, placed_resources
from architecture.model import Architecture, CloudSchedulerJob
from architecture.names import inferred_account


@dataclass(frozen=True, slots=True)
class _Naming:
    """How the names of one kind of thing must be."""

    rule: str
    pattern: re.Pattern[str]
    thing: str
    demand: str

    def judge(self, name: str, where: Where) -> Iterator[Problem]:
        if name and not self.pattern.fullmatch(name):
            message = f"{shown(name)} is no name for {self.thing}"
            yield Problem(self.rule, where, message, self.demand)


_SERVICE: Final = _Naming(
    "bad-service-name",
    limits.SERVICE_NAME,
    "a service",
    "lower-case letters, digits and hyphens, a letter first, no hyphen last, at most 49",
)
_ACCOUNT: Final = _Naming(
    "bad-account-name",
    limits.ACCOUNT,
    "a service account",
    "6 to 30 lower-case letters, digits and hyphens, a letter first, or a full e-mail",
)
_ARCHITECTURE: Final = _Naming(
    "bad-architecture-name",
    limits.ARCHITECTURE_NAME,
    "an architecture",
    "letters, digits, hyphens and underscores, a letter first, at most 53",
)
_DATAFLOW: Final = _Naming(
    "bad-dataflow-name",
    limits.DATAFLOW_NAME,
    "a dataflow",
    "letters, digits, hyphens and underscores, at most 63: it becomes part of stack names",
)
_PROJECT: Final = _Naming(
    "bad-project-id",
    limits.PROJECT_ID,
    "a project",
    "6 to 30 lower-case letters, digits and hyphens, a letter first, no hyphen last",
)
_REGION: Final = _Naming(
    "bad-region",
    limits.REGION,
    "a region",
    "for example `europe-west1`",
)
_SECRET: Final = _Naming(
    "bad-secret-name",
    limits.SECRET_NAME,
    "a secret",
    "its short name: letters, digits, hyphens and underscores",
)
_VARIABLE: Final = _Naming(
    "bad-variable-name",
    limits.VARIABLE_NAME,
    "an environment variable",
    "letters, digits and underscores, no digit first",
)
_PUBSUB_DEMAND: Final = (
    "3 to 255 letters, digits and -._~+%, a letter first, not starting with `goog`"
)
_TOPIC: Final = _Naming("bad-topic-name", limits.MESSAGING_NAME, "a topic", _PUBSUB_DEMAND)
_RESOURCES: Final = {
    "topics": _TOPIC,
    "subscriptions": _Naming(
        "bad-subscription-name", limits.MESSAGING_NAME, "a subscription", _PUBSUB_DEMAND
    ),
    "bigquery_datasets": _Naming(
        "bad-dataset-name",
        limits.DATASET_NAME,
        "a dataset",
        "letters, digits and underscores",
    ),
    "bigquery_tables": _Naming(
        "bad-table-name",
        limits.TABLE_NAME,
        "a table",
        "letters, digits, underscores, hyphens and spaces",
    ),
    "gcs_buckets": _Naming(
        "bad-bucket-name",
        limits.BUCKET_NAME,
        "a bucket",
        "3 to 63 lower-case letters, digits, hyphens, underscores and dots",
    ),
    "firestore_databases": _Naming(
        "bad-database-name",
        limits.DATABASE_NAME,
        "a Firestore database",
        "`(default)`, or 4 to 63 lower-case letters, digits and hyphens, a letter first",
    ),
    "cloud_scheduler_jobs": _Naming(
        "bad-job-name",
        limits.JOB_NAME,
        "a schedule",
        "letters, digits, hyphens and underscores",
    ),
}


def root_names(arch: Architecture) -> Iterator[Problem]:
    """The architecture, its project, its regions and its dataflows have possible names."""
    yield from _ARCHITECTURE.judge(arch.name, ("name",))
    yield from _PROJECT.judge(arch.project_id, ("project_id",))
    yield from _REGION.judge(arch.region, ("region",))
    for name in arch.dataflows:
        yield from _DATAFLOW.judge(name, ("dataflows", name))
    for name, overrides in arch.deployment_environments.items():
        where = ("deployment_environments", name)
        yield from _PROJECT.judge(overrides.project_id, (*where, "project_id"))
        yield from _REGION.judge(overrides.region, (*where, "region"))


def service_names(arch: Architecture) -> Iterator[Problem]:
    """Services and their accounts have names that Cloud Run and IAM accept."""
    for where, service in placed_services(arch):
        yield from _SERVICE.judge(service.name, (*where, "name"))
        yield from _ACCOUNT.judge(service.service_account, (*where, "service_account"))
        if service.deployment:
            region = (*where, "deployment", "region")
            yield from _REGION.judge(service.deployment.region, region)


def resource_names(arch: Architecture) -> Iterator[Problem]:
    """Resources have names that their Google services accept."""
    for where, _, kind, resource in placed_resources(arch):
        if kind in _RESOURCES:
            yield from _RESOURCES[kind].judge(resource.name, (*where, "name"))
        if isinstance(resource, CloudSchedulerJob) and resource.name:
            account = resource.service_account or inferred_account(resource.name)
            yield from _ACCOUNT.judge(account, (*where, "service_account"))
    spec = ("service_manager_spec",)
    yield from _TOPIC.judge(arch.director.command_topic.name, (*spec, "command_topic", "name"))
    completion = arch.director.completion_topic.name
    yield from _TOPIC.judge(completion, (*spec, "completion_topic", "name"))


def variable_names(arch: Architecture) -> Iterator[Problem]:
    """Environment variables and the secrets behind them have possible names."""
    for where, service in placed_services(arch):
        if service.deployment is None:
            continue
        root = (*where, "deployment")
        for name in service.deployment.environment_vars:
            yield from _VARIABLE.judge(name, (*root, "environment_vars", name))
        for index, variable in enumerate(service.deployment.secret_environment_vars):
            place = (*root, "secret_environment_vars", index)
            yield from _VARIABLE.judge(variable.name, (*place, "name"))
            yield from _SECRET.judge(variable.value_from, (*place, "value_from"))


def matching_keys(arch: Architecture) -> Iterator[Problem]:
    """A service or dataflow that says its name says the one of its key."""
    for key, flow in arch.dataflows.items():
        yield from _matching(flow.name, key, ("dataflows", key))
    for where, service in placed_services(arch):
        if len(where) > 1:
            yield from _matching(service.name, str(where[-1]), where)


def _matching(name: str, key: str, where: Where) -> Iterator[Problem]:
    if name not in {"", key}:
        message = f"the name {shown(name)} differs from its key {shown(key)}"
        yield Problem("name-mismatch", (*where, "name"), message, f"write `{key}`")
