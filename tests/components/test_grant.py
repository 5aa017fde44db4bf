"""Grants as components: one planned grant, one additive member resource."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from architecture import grants as planned
from components.grant import Grant, describe, grant_name

if TYPE_CHECKING:
    from tests.components.conftest import Program

MEMBER = "serviceAccount:shop@p.iam.gserviceaccount.com"
ON = {
    "project": ("gcp:projects/iAMMember:IAMMember", {"project": "p"}),
    "topic": ("gcp:pubsub/topicIAMMember:TopicIAMMember", {"topic": "x"}),
    "subscription": (
        "gcp:pubsub/subscriptionIAMMember:SubscriptionIAMMember",
        {"subscription": "x"},
    ),
    "service": (
        "gcp:cloudrunv2/serviceIamMember:ServiceIamMember",
        {"name": "x", "location": "r"},
    ),
    "service-account": (
        "gcp:serviceaccount/iAMMember:IAMMember",
        {"serviceAccountId": "projects/p/serviceAccounts/x@p.iam.gserviceaccount.com"},
    ),
    "repository": (
        "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember",
        {"repository": "x", "location": "r"},
    ),
    "secret": ("gcp:secretmanager/secretIamMember:SecretIamMember", {"secretId": "x"}),
    "bucket": ("gcp:storage/bucketIAMMember:BucketIAMMember", {"bucket": "x"}),
    "key": ("gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember", {"cryptoKeyId": "x"}),
    "dataset": ("gcp:bigquery/datasetIamMember:DatasetIamMember", {"datasetId": "x"}),
    "table": ("gcp:bigquery/iamMember:IamMember", {"datasetId": "d", "tableId": "x"}),
}


def plan(kind: str, role: str = "roles/viewer") -> planned.Grant:
    """Plan a grant on a resource of a kind."""
    name = {"service-account": "x@p.iam.gserviceaccount.com", "table": "d.x"}.get(kind, "x")
    return planned.Grant(
        member=MEMBER,
        role=role,
        resource=planned.GrantResource(planned.ResourceKind(kind), name, "r"),
        layer="dataflow",
        dataflow="f",
        reason="because",
    )


@pytest.mark.parametrize("kind", [str(kind) for kind in planned.ResourceKind])
def test_a_grant_is_a_member_resource_of_its_kind(program: Program, kind: str) -> None:
    """Additive members only: whatever else a policy holds, stays (C11)."""
    type_, on = ON[kind]
    recording = program.run(lambda: Grant(plan(kind), project="p") and None)
    member = recording.one(type_)
    assert member.parent == recording.one("conductor:access:Grant").urn
    assert member.name == grant_name(plan(kind))
    expected = {"member": MEMBER, "role": "roles/viewer", **on}
    assert {key: member.inputs[key] for key in expected} == expected


def test_names_and_outputs_say_who_has_which_role_on_what() -> None:
    """Also for a custom role, whose path is long."""
    grant = plan("topic", "projects/p/roles/director")
    assert grant_name(grant) == "topic/x/director/shop@p.iam.gserviceaccount.com"
    assert describe(grant) == {
        "member": MEMBER,
        "role": "projects/p/roles/director",
        "kind": "topic",
        "resource": "x",
    }
