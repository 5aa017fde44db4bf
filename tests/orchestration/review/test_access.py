"""Changes of access in words, and how dangerous they are."""

from typing import Any

import pytest

from orchestration.automation.results import UNKNOWN_OUTPUT
from orchestration.review.access import access_changes
from orchestration.review.model import AccessChange, Effect, Risk
from orchestration.review.risks import assess

ACCOUNT = "serviceAccount:taker-sa@shop-prod.iam.gserviceaccount.com"
PUBLISHER = "roles/pubsub.publisher"


def changes(*steps: Any, reasons: Any = None) -> list[AccessChange]:
    """Read steps of one stack."""
    return list(access_changes("prod.dataflow.orders", steps, reasons or {}))


def test_who_gains_what_on_what_and_why(grant: Any) -> None:
    """The reason is the architecture's own."""
    (change,) = changes(
        grant("create", ACCOUNT, PUBLISHER),
        reasons={(ACCOUNT, PUBLISHER, "topic orders"): "taker produces to orders"},
    )
    assert change.sentence == f"{ACCOUNT} gains {PUBLISHER} on topic orders"
    assert change.why == "taker produces to orders"
    assert change.risk is Risk.MEDIUM


def test_a_deleted_grant_is_a_loss(grant: Any) -> None:
    """What worked with it works no longer."""
    (change,) = changes(grant("delete", ACCOUNT, PUBLISHER))
    assert (change.effect, change.risk) == (Effect.LOSES, Risk.LOW)


def test_a_grant_that_names_another_member_is_a_loss_and_a_gain(step: Any) -> None:
    """A replacement takes from one and gives to another."""
    inputs = {"role": PUBLISHER, "topic": "orders"}
    (lost, gained) = changes(
        step(
            "replace",
            "gcp:pubsub/topicIAMMember:TopicIAMMember",
            "topic/orders/x/y",
            before={**inputs, "member": ACCOUNT},
            after={**inputs, "member": "allUsers"},
        )
    )
    assert (lost.effect, lost.member) == (Effect.LOSES, ACCOUNT)
    assert (gained.effect, gained.member, gained.risk) == (Effect.GAINS, "allUsers", Risk.CRITICAL)
    assert gained.flags == ("public",)


def test_a_grant_on_what_is_not_known_yet_takes_its_name_from_the_grant(step: Any) -> None:
    """A grant's own name says what it is on."""
    (change,) = changes(
        step(
            "create",
            "gcp:pubsub/topicIAMMember:TopicIAMMember",
            f"topic/orders/pubsub.viewer/{ACCOUNT}",
            after={"member": ACCOUNT, "role": "roles/pubsub.viewer", "topic": dict(UNKNOWN_OUTPUT)},
        )
    )
    assert change.on == "topic orders"


def test_a_custom_role_tells_the_permissions_that_come_and_go(step: Any) -> None:
    """Whoever has the role gains them; one that sets policies is an escalation."""
    (gained, lost) = changes(
        step(
            "update",
            "gcp:projects/iAMCustomRole:IAMCustomRole",
            "director",
            before={"roleId": "director", "permissions": ["pubsub.topics.get"]},
            after={"roleId": "director", "permissions": ["pubsub.topics.setIamPolicy"]},
        )
    )
    assert (gained.effect, gained.role) == (Effect.GAINS, "pubsub.topics.setIamPolicy")
    assert (gained.risk, gained.flags) == (Risk.HIGH, ("escalation",))
    assert (lost.effect, lost.role) == (Effect.LOSES, "pubsub.topics.get")


def test_a_service_with_another_identity_gains_what_that_one_may(step: Any) -> None:
    """A changed service account is a change of access, though no grant changes."""
    (change,) = changes(
        step(
            "update",
            "gcp:cloudrunv2/service:Service",
            "taker",
            before={"template": {"serviceAccount": "taker-sa@p"}},
            after={"template": {"serviceAccount": "admin-sa@p"}},
        )
    )
    assert change.role == "everything that admin-sa@p may do"
    assert change.flags == ("escalation",)


def test_a_service_without_invoker_check_is_public(step: Any) -> None:
    """`invokerIamDisabled` lets everybody in, without any grant."""
    (change,) = changes(
        step(
            "create",
            "gcp:cloudrunv2/service:Service",
            "taker",
            after={"invokerIamDisabled": True, "template": {}},
        )
    )
    assert (change.member, change.risk) == ("allUsers", Risk.CRITICAL)


@pytest.mark.parametrize(
    ("role", "kind", "risk", "flags"),
    [
        ("roles/owner", "project", Risk.CRITICAL, ("primitive",)),
        ("roles/viewer", "project", Risk.HIGH, ("primitive",)),
        ("roles/resourcemanager.projectIamAdmin", "project", Risk.CRITICAL, ("escalation",)),
        ("roles/iam.serviceAccountTokenCreator", "service account", Risk.HIGH, ("escalation",)),
        ("projects/p/roles/own", "project", Risk.HIGH, ()),
        ("roles/datastore.viewer", "project", Risk.MEDIUM, ()),
        ("roles/secretmanager.secretAccessor", "secret", Risk.MEDIUM, ()),
        ("roles/run.invoker", "service", Risk.LOW, ()),
    ],
)
def test_risk_follows_from_role_and_resource(
    role: str, kind: str, risk: Risk, flags: tuple[str, ...]
) -> None:
    """Ranked by what one can do with it."""
    assert assess(ACCOUNT, role, f"{kind} x", Effect.GAINS) == (risk, flags)
