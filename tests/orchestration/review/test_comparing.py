"""Who is stopped is told what is not as it was approved."""

import pytest

from orchestration.review.comparing import differences, require_approved
from orchestration.review.errors import NotApproved
from orchestration.review.model import AttributeChange, Review, StackReview
from tests.orchestration.review.sample import access, change, reviewed

TOPIC = "gcp:pubsub/topic:Topic"
STACK = "prod.dataflow.orders"


def review(*names: str, gains: int = 1, label: str = "b", stack: str = STACK) -> Review:
    """Make a review of topics that are created, and one that gets a label."""
    attribute = AttributeChange(path="labels.team", before="a", after=label)
    changes = (
        *(change("create", TOPIC, name, stack) for name in names),
        change("update", TOPIC, "orders", stack, attributes=(attribute,)),
    )
    return reviewed(
        (StackReview(stack=stack, changes=changes, unchanged=0),),
        tuple(access(number) for number in range(gains)),
    )


def test_the_same_preview_passes() -> None:
    """A repeat is never refused."""
    require_approved(review("x"), review("x"))


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (review("x", "y"), "not approved: create Topic y"),
        (review(), "approved, but not to be done any more: create Topic x"),
        (review("x", label="c"), "orders: labels.team: approved a → b; now a → c"),
        (review("x", gains=2), "not approved: serviceAccount:taker-1-sa"),
        (review("x", gains=0), "not to be done any more: serviceAccount:taker-0-sa"),
        (review("x", stack="prod.other"), f"stacks: approved {STACK}; now prod.other"),
    ],
)
def test_every_difference_is_told(now: Review, said: str) -> None:
    """New, gone, another value, another grant, another stack."""
    with pytest.raises(NotApproved) as refused:
        require_approved(review("x"), now)
    assert said in refused.value.details


def test_other_sources_are_told_by_service() -> None:
    """A build context is approved by its digest."""
    now = review("x").model_copy(update={"contexts": {"taker": "1" * 64, "new": "2" * 64}})
    assert list(differences(review("x"), now)) == [
        "service new: its build context was not approved",
        "service taker: its sources are not those that were approved",
    ]
