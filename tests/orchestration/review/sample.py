"""Reviews to write out: one that people can check by eye, and as large ones as one likes."""

from __future__ import annotations

from orchestration.review.fingerprint import fingerprint_of
from orchestration.review.model import (
    AccessChange,
    AttributeChange,
    Effect,
    Impact,
    PolicyFinding,
    ResourceChange,
    Review,
    Risk,
    StackReview,
)

ACCOUNT = "serviceAccount:{}@shop-prod.iam.gserviceaccount.com"
TOPIC_MEMBER = "gcp:pubsub/topicIAMMember:TopicIAMMember"


def change(
    operation: str, type_: str, name: str, stack: str = "prod.dataflow.orders", **more: object
) -> ResourceChange:
    """Make a change."""
    return ResourceChange.model_validate(
        {
            "stack": stack,
            "operation": operation,
            "type": type_,
            "name": name,
            "urn": f"urn:pulumi:{stack}::conductor::{type_}::{name}",
            **more,
        }
    )


def access(number: int, risk: Risk = Risk.LOW, **more: object) -> AccessChange:
    """Make a change of access; its number tells it from others."""
    return AccessChange.model_validate(
        {
            "stack": "prod.dataflow.orders",
            "effect": Effect.GAINS,
            "member": ACCOUNT.format(f"taker-{number}-sa"),
            "role": "roles/pubsub.publisher",
            "on": f"topic orders-{number}",
            "kind": "topic",
            "why": "taker produces to orders",
            "risk": risk,
            "urn": f"urn:{number}",
            **more,
        }
    )


def reviewed(
    stacks: tuple[StackReview, ...],
    access_changes: tuple[AccessChange, ...] = (),
    impact: Impact | None = None,
    policies: tuple[PolicyFinding, ...] = (),
) -> Review:
    """Make a whole review of them."""
    return Review(
        environment="prod",
        architecture="shop",
        project="shop-prod",
        stacks=stacks,
        access=access_changes,
        impact=impact or Impact(),
        contexts={"taker": "0" * 64},
        policies=policies,
        fingerprint=fingerprint_of("prod", "shop", stacks, access_changes, {"taker": "0" * 64}),
    )


def small_review() -> Review:
    """Make one with something of everything."""
    bucket = change(
        "replace",
        "gcp:storage/bucket:Bucket",
        "shop-invoices",
        attributes=(AttributeChange(path="location", before="EU", after="US", replaces=True),),
        because=("location",),
        warning="loses every object in the bucket",
        holds_data=True,
    )
    service = change(
        "update",
        "gcp:cloudrunv2/service:Service",
        "taker",
        "prod.services.orders",
        attributes=(
            AttributeChange(
                path="template.containers[0].image",
                before="eu/taker@sha256:1",
                after={"__unknown__": True},
                unknown_from="the image's digest, once it is built",
            ),
            AttributeChange(
                path='template.containers[0].envs["MODE"].value', before="a`|`b", after=3
            ),
        ),
    )
    drifted = change(
        "update",
        "gcp:pubsub/topic:Topic",
        "orders",
        attributes=(AttributeChange(path="labels.team", before="x", after="y"),),
        repairs_drift=True,
    )
    return reviewed(
        (
            StackReview(stack="prod.foundation", changes=(), unchanged=31),
            StackReview(
                stack="prod.dataflow.orders",
                changes=(bucket, change("create", TOPIC_MEMBER, "topic/orders/x"), drifted),
                unchanged=12,
            ),
            StackReview(stack="prod.services.orders", changes=(service,), unchanged=4),
        ),
        (
            access(
                1,
                Risk.CRITICAL,
                member="allUsers",
                role="roles/run.invoker",
                on="service taker",
                kind="service",
                flags=("public",),
            ),
            access(2),
        ),
        Impact(
            changed_services=("taker",),
            touched_services=("packer",),
            downstream_services=("biller",),
            dataflows=("orders",),
            data_at_risk=("bucket shop-invoices",),
        ),
        (
            finding("public-invokers", "deny"),
            finding("no-limits", "warn"),
            finding("unprotected-data", "warn", waived="made anew every night (ada, until 2027)"),
        ),
    )


def finding(rule: str, level: str, **more: object) -> PolicyFinding:
    """Make a finding of a policy."""
    return PolicyFinding.model_validate(
        {
            "rule": rule,
            "level": level,
            "stack": "prod.services.orders",
            "resource": "taker",
            "message": "Service taker is not as it should be",
            "why": "it costs money",
            "instead": "set it right",
            **more,
        }
    )
