"""What an approval is bound to: the same change has the same fingerprint, another one another."""

from typing import Any

import pytest

from orchestration.review.fingerprint import fingerprint_of
from orchestration.review.model import AttributeChange, StackReview
from tests.orchestration.review.sample import access, change

TOPIC = "gcp:pubsub/topic:Topic"


def stack(*changes: Any, name: str = "prod.dataflow.orders") -> StackReview:
    """Make a stack's review."""
    return StackReview(stack=name, changes=changes, unchanged=3)


LABEL = AttributeChange(path="labels.team", before="a", after="b")
BASE = stack(change("update", TOPIC, "orders", attributes=(LABEL,)), change("create", TOPIC, "b"))
CONTEXTS = {"taker": "1" * 64}
FINGERPRINT = fingerprint_of("prod", "shop", [BASE], [access(1)], CONTEXTS)


def test_the_order_in_which_a_stack_is_planned_does_not_matter() -> None:
    """Independent resources are planned in any order; what stays as it is does not count."""
    turned = StackReview(stack=BASE.stack, changes=BASE.changes[::-1], unchanged=99)
    assert fingerprint_of("prod", "shop", [turned], [access(1)], CONTEXTS) == FINGERPRINT


@pytest.mark.parametrize(
    ("environment", "stacks", "gains", "contexts"),
    [
        ("dev", [BASE], [access(1)], CONTEXTS),
        ("prod", [BASE, stack(name="prod.x")], [access(1)], CONTEXTS),
        ("prod", [stack(*BASE.changes[:1])], [access(1)], CONTEXTS),
        ("prod", [stack(change("delete", TOPIC, "orders"), BASE.changes[1])], [access(1)], {}),
        ("prod", [BASE], [access(2)], CONTEXTS),
        ("prod", [BASE], [], CONTEXTS),
        ("prod", [BASE], [access(1)], {"taker": "2" * 64}),
        (
            "prod",
            [
                stack(
                    BASE.changes[0].model_copy(
                        update={"attributes": (LABEL.model_copy(update={"after": "c"}),)}
                    ),
                    BASE.changes[1],
                )
            ],
            [access(1)],
            CONTEXTS,
        ),
    ],
)
def test_anything_else_that_differs_gives_another(
    environment: str, stacks: Any, gains: Any, contexts: Any
) -> None:
    """Another environment, stack, operation, value, grant or build context."""
    assert fingerprint_of(environment, "shop", stacks, gains, contexts) != FINGERPRINT


def test_the_order_of_stacks_counts() -> None:
    """A run that brings stacks up in another order is another run."""
    one, two = stack(name="prod.a"), stack(name="prod.b")
    assert fingerprint_of("prod", "shop", [one, two], [], {}) != fingerprint_of(
        "prod", "shop", [two, one], [], {}
    )
