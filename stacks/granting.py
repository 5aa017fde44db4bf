"""Declares the grants of a layer, each after what it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

import pulumi

from architecture.grants import Grant as PlannedGrant
from architecture.grants import ResourceKind
from components.bucket import Bucket
from components.dataset import Dataset
from components.grant import Grant, describe
from components.service import CloudRunService
from components.subscription import Subscription
from components.table import Table
from components.topic import Topic
from stacks.context import StackContext

After: TypeAlias = Callable[[PlannedGrant], Sequence[pulumi.Resource | None]]

# What declares a resource that a grant can be on, and where it puts out the resource's name.
_OWN_NAMES: Mapping[ResourceKind, tuple[type[pulumi.Resource], str]] = {
    ResourceKind.TOPIC: (Topic, "topic_name"),
    ResourceKind.SUBSCRIPTION: (Subscription, "subscription_name"),
    ResourceKind.SERVICE: (CloudRunService, "service_name"),
    ResourceKind.BUCKET: (Bucket, "bucket_name"),
    ResourceKind.DATASET: (Dataset, "dataset_id"),
    ResourceKind.TABLE: (Table, "table_id"),
}


def declare_grants(
    context: StackContext, grants: Iterable[PlannedGrant], *, after: After
) -> list[Grant]:
    """Declare grants.

    Args:
        context: The stack that the grants belong to.
        grants: Some or all of the stack's grants.
        after: Which of the stack's resources a grant must follow; None entries are ignored.
    """
    declared = []
    for grant in grants:
        needed = [resource for resource in after(grant) if resource is not None]
        opts = pulumi.ResourceOptions(depends_on=needed)
        on = _declared_name(grant, needed)
        declared.append(Grant(grant, project=context.project, on=on, opts=opts))
    return declared


def _declared_name(
    grant: PlannedGrant, needed: Iterable[pulumi.Resource]
) -> pulumi.Output[str] | None:
    """Take the name of the resource that a grant is on from the resource, if it is one of these."""
    kind, attribute = _OWN_NAMES.get(grant.resource.kind, (None, ""))
    for resource in needed:
        if kind is not None and isinstance(resource, kind):
            name: pulumi.Output[str] = getattr(resource, attribute)
            return name
    return None


def applied_grants(context: StackContext) -> list[dict[str, str]]:
    """Describe the stack's grants, as its outputs name them."""
    return [describe(grant) for grant in context.grants]
