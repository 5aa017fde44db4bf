"""A Cloud Storage bucket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import storage

from components.tokens import Area, token


@dataclass(frozen=True, slots=True)
class AgeRule:
    """What happens to an object of some age; None is any age."""

    action: str
    age_in_days: int | None = None


@dataclass(frozen=True, slots=True)
class Keeping:
    """How a bucket keeps its objects; None leaves Cloud Storage's default."""

    storage_class: str | None = None
    is_versioned: bool = False
    rules: Sequence[AgeRule] = ()


class Bucket(pulumi.ComponentResource):
    """A Cloud Storage bucket, closed to the public, with access by IAM alone."""

    bucket_name: pulumi.Output[str]
    url: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        project: str,
        location: str,
        keeping: Keeping,
        labels: Mapping[str, str],
        teardown_protection: bool = False,
        takes_contents: bool = False,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the bucket.

        Args:
            name: The bucket's name, unique in the world.
            project: The project that it is in.
            location: Where its objects are; it cannot change.
            keeping: Storage class, versions and lifecycle rules.
            labels: Its labels.
            teardown_protection: Whether it is never deleted.
            takes_contents: Whether objects go with it; a bucket that has any is otherwise not
                deleted.
            opts: What the bucket comes after.
        """
        super().__init__(token(Area.DATAFLOW, "Bucket"), name, None, opts)
        bucket = storage.Bucket(
            name,
            name=name,
            project=project,
            location=location,
            storage_class=keeping.storage_class,
            labels=labels,
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            versioning=storage.BucketVersioningArgs(enabled=keeping.is_versioned),
            lifecycle_rules=[_rule(rule) for rule in keeping.rules],
            force_destroy=takes_contents,
            opts=pulumi.ResourceOptions(parent=self, protect=teardown_protection or None),
        )
        self.bucket_name = bucket.name
        self.url = bucket.url
        self.register_outputs({"bucketName": self.bucket_name, "url": self.url})


def _rule(rule: AgeRule) -> storage.BucketLifecycleRuleArgs:
    return storage.BucketLifecycleRuleArgs(
        action=storage.BucketLifecycleRuleActionArgs(type=rule.action),
        condition=storage.BucketLifecycleRuleConditionArgs(age=rule.age_in_days),
    )
