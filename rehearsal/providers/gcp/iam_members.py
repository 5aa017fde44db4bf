"""IAM members on projects, service accounts, topics, subscriptions, repositories and services."""

from __future__ import annotations

from typing import Final

from rehearsal.providers.gcp.iam_member import MEMBER_FIELDS, IamMember, target_field
from rehearsal.providers.gcp.policies import PolicyStore
from rehearsal.providers.gcp.policy_stores import MethodPolicyStore
from rehearsal.providers.gcp.resource import PROJECT, Cloud
from rehearsal.providers.gcp.settings import Api
from rehearsal.providers.schema import text


class ProjectMember(IamMember):
    """A grant on the project."""

    token = "gcp:projects/iAMMember:IAMMember"  # noqa: S105 - a resource type, no secret.
    label = "project IAM member"
    id_template = "{project}"
    target = "project"
    fields = (text("project").required().force_new(), *MEMBER_FIELDS)

    def store(self, cloud: Cloud, resource: str) -> PolicyStore:
        """Return where the project's policy is kept."""
        project = resource.removeprefix("projects/")
        return MethodPolicyStore(
            f"{cloud.settings.base_url(Api.RESOURCE_MANAGER)}projects/{project}",
            read_method="POST",
            read_body={"options": {"requestedPolicyVersion": 3}},
            update_mask="bindings,etag,auditConfigs",
        )


class ServiceAccountMember(IamMember):
    """A grant on a service account."""

    token = "gcp:serviceaccount/iAMMember:IAMMember"  # noqa: S105 - a resource type, no secret.
    label = "service account IAM member"
    id_template = "{serviceAccountId}"
    target = "serviceAccountId"
    is_target_expanded = False
    fields = (text("serviceAccountId").required().force_new(), *MEMBER_FIELDS)

    def store(self, cloud: Cloud, resource: str) -> PolicyStore:
        """Return where the account's policy is kept."""
        return MethodPolicyStore(
            cloud.settings.base_url(Api.IAM) + resource,
            read_method="POST",
            read_query={"options.requestedPolicyVersion": "3"},
        )


class TopicMember(IamMember):
    """A grant on a Pub/Sub topic."""

    token = "gcp:pubsub/topicIAMMember:TopicIAMMember"  # noqa: S105 - a resource type, no secret.
    label = "topic IAM member"
    id_template = "projects/{project}/topics/{topic}"
    target = "topic"
    fields = (target_field("topic"), PROJECT, *MEMBER_FIELDS)

    def store(self, cloud: Cloud, resource: str) -> PolicyStore:
        """Return where the topic's policy is kept."""
        return MethodPolicyStore(cloud.settings.base_url(Api.PUBSUB) + resource)


class SubscriptionMember(IamMember):
    """A grant on a Pub/Sub subscription."""

    token = "gcp:pubsub/subscriptionIAMMember:SubscriptionIAMMember"  # noqa: S105 - a type.
    label = "subscription IAM member"
    id_template = "projects/{project}/subscriptions/{subscription}"
    target = "subscription"
    is_target_expanded = False
    fields = (target_field("subscription"), PROJECT, *MEMBER_FIELDS)

    def store(self, cloud: Cloud, resource: str) -> PolicyStore:
        """Return where the subscription's policy is kept."""
        return MethodPolicyStore(cloud.settings.base_url(Api.PUBSUB) + resource)


_LOCATION: Final = text("location").computed().force_new()


class RepositoryMember(IamMember):
    """A grant on an Artifact Registry repository."""

    token = "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember"  # noqa: S105 - a type.
    label = "repository IAM member"
    id_template = "projects/{project}/locations/{location}/repositories/{repository}"
    target = "repository"
    place = "location"
    fields = (target_field("repository"), _LOCATION, PROJECT, *MEMBER_FIELDS)

    def store(self, cloud: Cloud, resource: str) -> PolicyStore:
        """Return where the repository's policy is kept."""
        return MethodPolicyStore(cloud.settings.base_url(Api.ARTIFACT_REGISTRY) + resource)


class RunServiceMember(IamMember):
    """A grant on a Cloud Run service."""

    token = "gcp:cloudrunv2/serviceIamMember:ServiceIamMember"  # noqa: S105 - a type, no secret.
    label = "Cloud Run service IAM member"
    id_template = "projects/{project}/locations/{location}/services/{name}"
    target = "name"
    place = "location"
    fields = (target_field("name"), _LOCATION, PROJECT, *MEMBER_FIELDS)

    def store(self, cloud: Cloud, resource: str) -> PolicyStore:
        """Return where the service's policy is kept."""
        return MethodPolicyStore(cloud.settings.base_url(Api.CLOUD_RUN) + resource)
