"""A review as a whole: made of previews, written in every format."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from architecture.hydration import hydrate
from architecture.loading import load
from architecture.model import Architecture
from orchestration.automation.results import StackPreview
from orchestration.cli.preview_text import show_review, show_stack
from orchestration.review.building import build_review
from orchestration.review.comment import LIMIT, to_comment
from orchestration.review.markdown import to_markdown
from orchestration.review.model import Effect, Review, StackReview
from orchestration.review.page import to_html
from orchestration.review.places import Places
from tests.orchestration.review.sample import access, change, finding, reviewed, small_review
from tests.orchestration.review.test_impact import EVERY_KIND

SCHEMA = Path(__file__).parents[3] / "docs" / "reference" / "preview.schema.json"
ACCOUNT = "gcp:serviceaccount/account:Account"
MEMBER = "serviceAccount:orders-api-sa@p.iam.gserviceaccount.com"
LONG = "x" * 300


@pytest.fixture(scope="module")
def architecture() -> Architecture:
    """The sample with every kind of resource."""
    loaded = load(EVERY_KIND).architecture
    return hydrate(loaded, base_dir=EVERY_KIND.parent, project_id="p", environment="prod")


def text_of(review: Review, width: int) -> str:
    """Write a review as on a terminal of so many columns."""
    console = Console(file=io.StringIO(), width=width, highlight=False)
    for stack in review.stacks:
        show_stack(console, stack, review.project)
    show_review(console, review)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_json_is_what_the_schema_says() -> None:
    """Programs read it by the schema in the reference."""
    jsonschema.validate(
        json.loads(small_review().model_dump_json()), json.loads(SCHEMA.read_text("utf-8"))
    )


def test_on_a_terminal_nothing_is_cut_off() -> None:
    """A hundred columns hold every line; what is longer goes on below."""
    shown = text_of(small_review(), 100)
    assert max(map(len, shown.splitlines())) <= 100
    flat = " ".join(shown.split())
    for said in (
        "replace DATA Bucket shop-invoices (prod.dataflow.orders): loses every object in",
        "because of location",
        'envs["MODE"].value: a`|`b → 3',
        "(known later): the image's digest, once it is built",
        "allUsers gains run.invoker on service taker",
        "denied public-invokers",
        "Drift that this only repairs: 1",
    ):
        assert said in flat


def test_an_account_that_is_deleted_takes_all_of_its_grants_along(
    architecture: Architecture, step: Any
) -> None:
    """Most of them are nobody's operation: Google ends them with the account."""
    gone = replace(
        step("delete", ACCOUNT, "orders-api-sa", before={"accountId": "orders-api-sa"}),
        member=MEMBER,
    )
    review = build_review(
        "prod",
        architecture,
        [StackPreview("prod.foundation", (gone,), {}, {}, 0.1)],
        contexts={},
        before=architecture,
    )
    lost = {(one.role, one.on) for one in review.access if one.member == MEMBER}
    assert ("every role", "everything") in lost
    assert ("roles/pubsub.publisher", "topic orders") in lost
    assert ("roles/run.invoker", "service order-store") in lost
    assert all(one.effect is Effect.LOSES for one in review.access)


def test_a_grant_to_googles_own_agent_has_its_reason(architecture: Architecture, step: Any) -> None:
    """The plan cannot know the project's number, which is in the agent's name."""
    agent = "serviceAccount:service-123@gcp-sa-pubsub.iam.gserviceaccount.com"
    made = step(
        "create",
        "gcp:pubsub/topicIAMMember:TopicIAMMember",
        "topic/orders-dead/pubsub.publisher/pubsub-agent",
        after={"member": agent, "role": "roles/pubsub.publisher", "topic": "orders-dead"},
    )
    review = build_review(
        "prod", architecture, [StackPreview("s", (made,), {}, {}, 0.1)], contexts={}
    )
    assert review.access[0].why == "subscription orders-sub gives up to topic orders-dead"


def test_drift_reaches_nobody_but_what_it_deletes_is_listed(
    architecture: Architecture, step: Any
) -> None:
    """It is kept apart from the change, and not hidden."""
    inputs = {"name": "orders", "messageRetentionDuration": "60s"}
    repaired = step(
        "replace",
        "gcp:pubsub/topic:Topic",
        "orders",
        before=inputs,
        after=inputs,
        paths={"name": "update-replace"},
        repairs_drift=True,
    )
    review = build_review(
        "prod", architecture, [StackPreview("s", (repaired,), {}, {}, 0.1)], contexts={}
    )
    assert review.impact.touched_services == ()
    assert review.impact.data_at_risk == ("topic orders",)
    assert "- **replace** `orders`" in to_comment(review)


def test_places_are_left_out_wherever_they_are(step: Any) -> None:
    """The innermost folder first, in lists and mappings, before and after."""
    places = Places.of(
        project=Path("/ci/1"), environment=Path("/ci/1/.conductor/prod"), registry="127.0.0.1:5"
    )
    plain = places.left_out_of(
        step(
            "update",
            "t",
            "n",
            before={"a": ["/ci/1/x", {"b": "/ci/1/.conductor/prod/contexts/y"}]},
            after={"image": "127.0.0.1:5/p/y", "n": 1},
        )
    )
    assert plain.before == {"a": ["<project>/x", {"b": "<environment>/contexts/y"}]}
    assert plain.after == {"image": "<local registry>/p/y", "n": 1}


def test_nobody_hides_what_comes_after_him_in_a_comment() -> None:
    """What people write, as a waiver's reason, is text and nothing else."""
    review = reviewed((), (), None, (finding("no-limits", "deny", waived="<!-- [x](y)"),))
    assert "&lt;!-- \\[x](y)" in to_comment(review)
    assert "&lt;!-- \\[x](y)" in to_markdown(review)
    assert "<!-- [x]" not in to_html(review)


@given(
    drift=st.integers(0, 4_000),
    drifted_access=st.integers(0, 300),
    denied=st.integers(0, 300),
    warned=st.integers(0, 2_000),
    name=st.sampled_from(["a", LONG, "<b>`|"]),
)
@settings(max_examples=15, deadline=None)
def test_a_comment_fits_whatever_drifted_and_whatever_policies_say(
    drift: int, drifted_access: int, denied: int, warned: int, name: str
) -> None:
    """Thousands of lines of either; grants that are repaired are never left out unsaid."""
    drifted = tuple(
        change("update", "gcp:pubsub/topic:Topic", f"{name}-{n}", repairs_drift=True)
        for n in range(drift)
    )
    repaired = tuple(
        access(n, member=f"{name}-{n}", repairs_drift=True) for n in range(drifted_access)
    )
    findings = (
        *(finding("public-invokers", "deny", message=f"{name} {n}") for n in range(denied)),
        *(finding("no-limits", "warn", resource=f"{name}-{n}") for n in range(warned)),
    )
    stack = StackReview(stack="prod.dataflow.orders", changes=drifted, unchanged=1)
    comment = to_comment(reviewed((stack,), repaired, None, findings))
    assert len(comment) <= LIMIT
    assert comment == to_comment(reviewed((stack,), repaired, None, findings))
    if "not complete" not in comment and drift:
        assert comment.count(" **gains** ") == drifted_access
    if denied:
        assert "**denied** public-invokers" in comment
