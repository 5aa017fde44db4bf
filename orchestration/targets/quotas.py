"""Google's default quotas that a first run could meet, beside what the architecture needs of them.

Numbers: https://cloud.google.com/run/quotas, https://cloud.google.com/iam/quotas,
https://cloud.google.com/pubsub/quotas, https://cloud.google.com/resource-manager/docs/limits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from architecture.grants import Grant, ResourceKind, plan_grants
from architecture.model import Architecture
from architecture.names import service_accounts
from orchestration.targets.prerequisite import Prerequisite, Seen, missing, unknown

QUOTAS = "quotas"
# Making, reading after making, and looking whether it is there; a grant reads and writes a policy.
CALLS_PER_TOPIC, CALLS_PER_SUBSCRIPTION, CALLS_PER_GRANT = 2, 3, 2
_OF_PUBSUB = frozenset({ResourceKind.TOPIC, ResourceKind.SUBSCRIPTION})


@dataclass(frozen=True, slots=True)
class Quota:
    """A default limit; `is_rate`: of a minute, so that more than it only takes longer."""

    name: str
    limit: int
    needed: int
    why: str
    is_rate: bool


def worth_checking(architecture: Architecture) -> Iterator[Prerequisite]:
    """Yield each quota with what of it a first run uses."""
    remedy = f"https://console.cloud.google.com/iam-admin/quotas?project={architecture.project_id}"
    for quota in _quotas(architecture):
        yield Prerequisite(QUOTAS, quota.name, quota.why, remedy, partial(_look, quota))


def _look(quota: Quota) -> Seen:
    numbers = f"needs {quota.needed:,} of {quota.limit:,}" + (" a minute" if quota.is_rate else "")
    if quota.needed <= quota.limit:
        return unknown(f"{numbers} by default; what others of the project use is not seen")
    if quota.is_rate:
        return unknown(f"{numbers} by default: calls will wait for each other")
    return missing(f"{numbers} by default")


def _quotas(architecture: Architecture) -> Iterator[Quota]:
    # The deployer's own grants are among those that a first run makes.
    grants = plan_grants(architecture, deployer="serviceAccount:deployer").all
    deployed = [item for item in architecture.all_services() if item.deployment is not None]
    accounts = len(service_accounts(architecture))
    yield Quota(
        f"Cloud Run services in {architecture.region}",
        1_000,
        len(deployed),
        "one per service that is deployed",
        is_rate=False,
    )
    yield Quota("service accounts", 100, accounts, "one per service's identity", is_rate=False)
    yield Quota(
        "IAM writes",
        600,
        accounts + _on(grants, ResourceKind.SERVICE_ACCOUNT),
        "accounts are made, and the deployer's grants on them",
        is_rate=True,
    )
    yield Quota(
        "Resource Manager writes",
        600,
        _on(grants, ResourceKind.PROJECT),
        "each grant on the project writes the project's policy",
        is_rate=True,
    )
    yield Quota(
        "Pub/Sub administrator operations",
        6_000,
        _pubsub_calls(architecture, grants),
        "topics, subscriptions and their policies; cannot be raised",
        is_rate=True,
    )


def _on(grants: tuple[Grant, ...], *kinds: ResourceKind) -> int:
    return sum(grant.resource.kind in kinds for grant in grants)


def _pubsub_calls(architecture: Architecture, grants: tuple[Grant, ...]) -> int:
    flows = architecture.dataflows.values()
    return (
        CALLS_PER_TOPIC * sum(len(flow.resources.topics) for flow in flows)
        + CALLS_PER_SUBSCRIPTION * sum(len(flow.resources.subscriptions) for flow in flows)
        + CALLS_PER_GRANT * _on(grants, *_OF_PUBSUB)
    )
