"""Each rule on resources that keep it and that break it."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from policies.checking import RULES, violations_of
from policies.model import Level, PlannedResource
from policies.waivers import Waiver, WaiversError, read_waivers

TODAY = date(2026, 11, 21)
TOPIC_MEMBER = "gcp:pubsub/topicIAMMember:TopicIAMMember"
SERVICE = "gcp:cloudrunv2/service:Service"
BUCKET = "gcp:storage/bucket:Bucket"
LIMITS = {"cpu": "1", "memory": "512Mi"}
LABELS = {"team": "blue"}


def resource(type_: str, *, protect: bool = False, **inputs: Any) -> PlannedResource:
    """Declare a resource."""
    return PlannedResource("dev.x", type_, "thing", inputs, is_protected=protect)


def broken(one: PlannedResource) -> set[tuple[str, Level]]:
    """Name the rules that a resource breaks."""
    return {(found.rule, found.level) for found in violations_of([one], (), TODAY)}


def service(**inputs: Any) -> PlannedResource:
    """Declare a Cloud Run service that breaks nothing but what is said."""
    template = {
        "scaling": {"maxInstanceCount": 3},
        "containers": [{"resources": {"limits": LIMITS}}],
    }
    return resource(SERVICE, **{"labels": LABELS, "template": template, **inputs})


@pytest.mark.parametrize(
    ("one", "rules"),
    [
        (resource(TOPIC_MEMBER, member="allUsers", role="r"), {("public-invokers", Level.DENY)}),
        (
            resource("gcp:x:Binding", members=["user:a", "allAuthenticatedUsers"]),
            {("public-invokers", Level.DENY)},
        ),
        (service(invokerIamDisabled=True), {("public-invokers", Level.DENY)}),
        (
            resource(TOPIC_MEMBER, member="user:a", role="roles/editor"),
            {("primitive-roles", Level.DENY)},
        ),
        (resource(TOPIC_MEMBER, member="user:a", role="roles/pubsub.viewer"), set()),
        (resource("gcp:serviceaccount/key:Key"), {("service-account-keys", Level.DENY)}),
        (service(labels={}), {("missing-labels", Level.WARN)}),
        (service(), set()),
        (resource(BUCKET, labels=LABELS), {("unprotected-data", Level.WARN)}),
        (resource(BUCKET, labels=LABELS, protect=True), set()),
        (
            resource(BUCKET, labels=LABELS, protect=True, forceDestroy=True),
            {("unprotected-data", Level.WARN)},
        ),
        (service(template={"containers": [{}]}), {("no-limits", Level.WARN)}),
        (
            service(
                template={
                    "scaling": {"maxInstanceCount": 3},
                    "containers": [{"resources": {"limits": {"cpu": "1"}}}],
                }
            ),
            {("no-limits", Level.WARN)},
        ),
        (service(template=None), {("no-limits", Level.WARN)}),
    ],
)
def test_a_rule_finds_what_breaks_it_and_nothing_else(
    one: PlannedResource, rules: set[tuple[str, Level]]
) -> None:
    """Denied or warned of, by name."""
    assert broken(one) == rules


def test_every_rule_has_a_reason_and_a_way_out() -> None:
    """Who is stopped is told why, and what to do instead."""
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.why and rule.instead for rule in RULES)


WAIVER = Waiver(
    rule="public-invokers", resource="thi*", reason="a demo", owner="ada", expires_on=TODAY
)


@pytest.mark.parametrize(
    ("changes", "day", "is_waived"),
    [
        ({}, TODAY, True),
        ({}, date(2026, 11, 22), False),
        ({"resource": "another"}, TODAY, False),
        ({"rule": "primitive-roles"}, TODAY, False),
    ],
)
def test_a_waiver_excuses_one_rule_on_its_resources_until_its_last_day(
    changes: dict[str, str], day: date, *, is_waived: bool
) -> None:
    """An expired one, or one for something else, excuses nothing; a waived one stops nothing."""
    (found,) = violations_of(
        [resource(TOPIC_MEMBER, member="allUsers", role="r")],
        [WAIVER.model_copy(update=changes)],
        day,
    )
    assert bool(found.waived) is is_waived
    assert found.stops is not is_waived
    assert ("a demo (ada, until 2026-11-21)" in found.waived) is is_waived


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "waivers.yaml: "),
        ("a: b", "a list of waivers is expected"),
        ("- {rule: public-invokers}", "waiver 1: resource: Field required"),
        (
            "- {rule: nothing, resource: x, reason: y, owner: z, expires_on: 2027-01-01}",
            "waiver 1: there is no rule 'nothing'",
        ),
        (
            "- {rule: no-limits, resource: x, reason: y, owner: z, expires_on: soon}",
            "waiver 1: expires_on:",
        ),
    ],
)
def test_a_bad_file_of_waivers_is_refused_with_its_place(
    tmp_path: Path, text: str, said: str
) -> None:
    """One line: which file, which waiver, what is wrong."""
    path = tmp_path / "waivers.yaml"
    path.write_text(text)
    with pytest.raises(WaiversError) as refused:
        read_waivers(path, [rule.name for rule in RULES])
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_no_waivers_are_no_waivers(tmp_path: Path) -> None:
    """A missing file, an empty one, and the project's own."""
    names = [rule.name for rule in RULES]
    assert read_waivers(tmp_path / "none.yaml", names) == ()
    (tmp_path / "empty.yaml").write_text("")
    assert read_waivers(tmp_path / "empty.yaml", names) == ()
    own = Path(__file__).parents[2] / "policies" / "waivers.yaml"
    assert read_waivers(own, names) == ()
