"""One role for one member on one resource."""

from __future__ import annotations

import pulumi
from pulumi_gcp import (
    artifactregistry,
    cloudrunv2,
    projects,
    pubsub,
    secretmanager,
    serviceaccount,
)

from architecture import grants as planned
from architecture import names
from components.tokens import Area, token


class UnsupportedGrantError(pulumi.RunError):
    """A grant on a kind of resource that is not declared yet."""


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
            on: The resource's name as its declaration puts it out, where the same stack declares
                it: a resource that is replaced loses its policy, and its grants are made anew.
            opts: What the grant comes after.
        """
        name = grant_name(grant)
        super().__init__(token(Area.ACCESS, "Grant"), name, None, opts)
        target = grant.resource.name if on is None else on
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
    match str(on.kind):
        case "project":
            projects.IAMMember(name, project=project, **who)
        case "topic":
            pubsub.TopicIAMMember(name, project=project, topic=target, **who)
        case "subscription":
            pubsub.SubscriptionIAMMember(name, project=project, subscription=target, **who)
        case "service":
            cloudrunv2.ServiceIamMember(
                name, project=project, location=on.location, name=target, **who
            )
        case "service-account":
            path = names.account_path(on.name, project)
            serviceaccount.IAMMember(name, service_account_id=path, **who)
        case "repository":
            artifactregistry.RepositoryIamMember(
                name, project=project, location=on.location, repository=on.name, **who
            )
        case "secret":
            secretmanager.SecretIamMember(name, project=project, secret_id=on.name, **who)
        case kind:
            raise UnsupportedGrantError(
                f"{grant.role} for {grant.member} on {kind} {on.name!r}: grants on a {kind} "
                "cannot be declared yet"
            )
