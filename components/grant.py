"""One role for one member on one resource."""

from __future__ import annotations

import pulumi
from pulumi_gcp import (
    artifactregistry,
    bigquery,
    cloudrunv2,
    projects,
    pubsub,
    secretmanager,
    serviceaccount,
    storage,
)

from architecture import grants as planned
from architecture import names
from components.tokens import Area, token


class Grant(pulumi.ComponentResource):
    """A grant that the architecture asks for, added to whatever the resource's policy holds."""

    def __init__(
        self,
        grant: planned.Grant,
        *,
        project: str,
        on: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the grant.

        Args:
            grant: What is granted to whom.
            project: The project that it is in.
            on: The resource's own name as its declaration puts it out, where the same stack has
                it: a resource that is replaced loses its policy, and its grants are made anew.
            opts: What the grant comes after.
        """
        name = grant_name(grant)
        super().__init__(token(Area.ACCESS, "Grant"), name, None, opts)
        target = _own_name(grant.resource) if on is None else on
        _add_member(name, grant, target, project, pulumi.ResourceOptions(parent=self))
        self.register_outputs(describe(grant))


def grant_name(grant: planned.Grant) -> str:
    """Return the grant's name in its stack: what it is on, the role, and who gets it."""
    role = grant.role.rsplit("roles/", 1)[-1]
    member = grant.member.split(":", 1)[-1]
    return f"{grant.resource.kind}/{grant.resource.name}/{role}/{member}"


def describe(grant: planned.Grant) -> dict[str, str]:
    """Return the grant as a stack's outputs name it."""
    return {
        "member": grant.member,
        "role": grant.role,
        "kind": str(grant.resource.kind),
        "resource": grant.resource.name,
    }


def _own_name(resource: planned.GrantResource) -> str:
    """Return a resource's name in what it is in: a table's without its dataset's."""
    if resource.kind is planned.ResourceKind.TABLE:
        return resource.name.partition(".")[2]
    return resource.name


def _add_member(
    name: str,
    grant: planned.Grant,
    target: pulumi.Input[str],
    project: str,
    opts: pulumi.ResourceOptions,
) -> None:
    """Declare the IAM member resource of the kind that the grant is on."""
    who = {"member": grant.member, "role": grant.role, "opts": opts}
    on = grant.resource
    kinds = planned.ResourceKind
    match on.kind:
        case kinds.PROJECT:
            projects.IAMMember(name, project=project, **who)
        case kinds.TOPIC:
            pubsub.TopicIAMMember(name, project=project, topic=target, **who)
        case kinds.SUBSCRIPTION:
            pubsub.SubscriptionIAMMember(name, project=project, subscription=target, **who)
        case kinds.SERVICE:
            cloudrunv2.ServiceIamMember(
                name, project=project, location=on.location, name=target, **who
            )
        case kinds.SERVICE_ACCOUNT:
            path = names.account_path(on.name, project)
            serviceaccount.IAMMember(name, service_account_id=path, **who)
        case kinds.REPOSITORY:
            artifactregistry.RepositoryIamMember(
                name, project=project, location=on.location, repository=on.name, **who
            )
        case kinds.SECRET:
            secretmanager.SecretIamMember(name, project=project, secret_id=on.name, **who)
        case kinds.KEY:
            from pulumi_gcp import kms  # noqa: PLC0415 - only Google's cloud has keys here

            kms.CryptoKeyIAMMember(name, crypto_key_id=on.name, **who)
        case kinds.BUCKET | kinds.DATASET | kinds.TABLE:
            _add_data_member(name, grant, target, project, opts)


def _add_data_member(
    name: str,
    grant: planned.Grant,
    target: pulumi.Input[str],
    project: str,
    opts: pulumi.ResourceOptions,
) -> None:
    """Declare the IAM member resource of what holds data."""
    who = {"member": grant.member, "role": grant.role, "opts": opts}
    match grant.resource.kind:
        case planned.ResourceKind.BUCKET:
            storage.BucketIAMMember(name, bucket=target, **who)
        case planned.ResourceKind.DATASET:
            bigquery.DatasetIamMember(name, project=project, dataset_id=target, **who)
        case _:
            dataset = grant.resource.name.partition(".")[0]
            bigquery.IamMember(name, project=project, dataset_id=dataset, table_id=target, **who)
