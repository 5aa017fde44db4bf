"""Faults as callers see them, over HTTP and in Pub/Sub."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest

from rehearsal.cloud.faults.presets import PRESETS

TOPICS = "/pubsub/v1/projects/local-proj/topics"
SUBSCRIPTIONS = "/pubsub/v1/projects/local-proj/subscriptions"
REPOSITORIES = "/artifactregistry/v1/projects/local-proj/locations/europe-west1/repositories"
CREATE = {"method": "pubsub.projects.topics.create"}


def set_rules(cloud: Any, *rules: dict[str, Any], seed: int = 0) -> httpx.Response:
    """Replace the cloud's fault rules."""
    body = {"seed": seed, "rules": list(rules)}
    answer: httpx.Response = cloud.deployer.put("/_local/faults", json=body)
    return answer


def logged_faults(cloud: Any) -> list[tuple[str, str, int]]:
    """Method, fault and code of every call that a fault hit."""
    lines = map(json.loads, cloud.deployer.get("/_local/log").text.splitlines())
    return [(line["method"], line["fault"], line["code"]) for line in lines if line["fault"]]


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_a_call_is_refused_in_googles_words(local_cloud: Any, expect: Any, preset: str) -> None:
    """Each well-known error answers the call, which has no effect; the next one passes."""
    expect(set_rules(local_cloud, {"match": CREATE, "times": 1, "reply": {"preset": preset}}))
    known = PRESETS[preset]
    error = expect(local_cloud.deployer.put(f"{TOPICS}/orders", json={}), known.code)["error"]
    assert error["status"] == known.status
    assert error["message"]
    assert "{" not in error["message"]
    if known.info_reason:
        assert error["details"][0]["reason"] == known.info_reason
    expect(local_cloud.deployer.get(f"{TOPICS}/orders"), 404)
    expect(local_cloud.deployer.put(f"{TOPICS}/orders", json={}))
    name = "pubsub.projects.topics.create"
    assert logged_faults(local_cloud) == [(name, f"reply {preset} before", known.code)]


@pytest.mark.parametrize("code", [409, 429, 500, 502, 503, 504])
def test_any_code_can_be_answered(local_cloud: Any, expect: Any, code: int) -> None:
    """A code with a text of one's own."""
    reply = {"code": code, "message": "no luck", "reason": "aborted"}
    expect(set_rules(local_cloud, {"match": CREATE, "nth": [2], "reply": reply}))
    expect(local_cloud.deployer.put(f"{TOPICS}/first", json={}))
    error = expect(local_cloud.deployer.put(f"{TOPICS}/second", json={}), code)["error"]
    assert (error["message"], error["errors"][0]["reason"]) == ("no luck", "aborted")
    expect(local_cloud.deployer.put(f"{TOPICS}/third", json={}))


def test_a_lost_reply_leaves_its_effect(local_cloud: Any, expect: Any) -> None:
    """The topic is made although its maker hears of an error, or of nothing at all."""
    lost = {"match": CREATE, "nth": [1], "when": "after", "reply": {"preset": "UNAVAILABLE"}}
    dropped = {"match": CREATE, "nth": [2], "when": "after", "drop_connection": True}
    expect(set_rules(local_cloud, lost, dropped))
    expect(local_cloud.deployer.put(f"{TOPICS}/first", json={}), 503)
    with pytest.raises(httpx.RemoteProtocolError):
        local_cloud.deployer.put(f"{TOPICS}/second", json={})
    for topic in ("first", "second"):
        expect(local_cloud.deployer.get(f"{TOPICS}/{topic}"))
    assert [entry[1:] for entry in logged_faults(local_cloud)] == [
        ("reply UNAVAILABLE after", 503),
        ("dropped connection after", 0),
    ]


def test_a_dropped_connection_may_carry_nothing(local_cloud: Any, expect: Any) -> None:
    """Before its effect a dropped call has none."""
    expect(set_rules(local_cloud, {"match": CREATE, "times": 1, "drop_connection": True}))
    with pytest.raises(httpx.RemoteProtocolError):
        local_cloud.deployer.put(f"{TOPICS}/orders", json={})
    expect(local_cloud.deployer.get(f"{TOPICS}/orders"), 404)


def test_a_call_is_held_up(local_cloud: Any, expect: Any) -> None:
    """A delay alone is a fault; the call then succeeds."""
    expect(set_rules(local_cloud, {"match": CREATE, "delay": "40ms"}))
    answer = local_cloud.deployer.put(f"{TOPICS}/orders", json={})
    expect(answer)
    assert answer.elapsed.total_seconds() >= 0.04
    assert logged_faults(local_cloud)[0][1] == "delay 0.04s before"


def test_an_operation_ends_with_an_error(local_cloud: Any, expect: Any) -> None:
    """The call is accepted; its operation tells the failure, by the code of `google.rpc`."""
    failure = {"code": 9, "message": "not today"}
    rule = {"match": {"method": "artifactregistry.*.create"}, "times": 1, "lro_error": failure}
    expect(set_rules(local_cloud, rule))
    params = {"repositoryId": "images"}
    created = local_cloud.deployer.post(REPOSITORIES, params=params, json={"format": "DOCKER"})
    operation = expect(created)
    assert "done" not in operation
    polled = expect(local_cloud.deployer.get(f"/artifactregistry/v1/{operation['name']}"))
    assert polled["done"]
    assert polled["error"] == {"code": 9, "message": "not today"}


def test_rules_choose_by_resource_and_principal(local_cloud: Any, expect: Any) -> None:
    """Others' calls and other resources pass."""
    email = local_cloud.account("worker")
    project = "/resourcemanager/v1/projects/local-proj"
    local_cloud.grant(project, "roles/pubsub.admin", f"serviceAccount:{email}")
    match = {"principal": "serviceAccount:worker*", "resource": "projects/local-proj*"}
    expect(set_rules(local_cloud, {"match": match, "reply": {"preset": "UNAVAILABLE"}}))
    expect(local_cloud.deployer.put(f"{TOPICS}/orders", json={}))
    worker = local_cloud.client(f"serviceAccount:{email}")
    expect(worker.get(f"{TOPICS}/orders"), 503)
    match["resource"] = "projects/*/topics/other"
    expect(set_rules(local_cloud, {"match": match, "reply": {"preset": "UNAVAILABLE"}}))
    expect(worker.get(f"{TOPICS}/orders"))


def test_a_quota_refuses_what_is_beyond_it(local_cloud: Any, expect: Any) -> None:
    """So many calls a minute pass; a minute later there is room again."""
    quota = {"above_per_minute": 2, "reply": {"preset": "RATE_LIMIT_EXCEEDED"}}
    expect(set_rules(local_cloud, {"match": {"method": "pubsub.projects.topics.get"}, **quota}))
    expect(local_cloud.deployer.put(f"{TOPICS}/orders", json={}))
    for code in (200, 200, 429, 429):
        expect(local_cloud.deployer.get(f"{TOPICS}/orders"), code)
    local_cloud.clock.ahead_s += 61
    expect(local_cloud.deployer.get(f"{TOPICS}/orders"))


def test_a_seed_decides_which_calls_fail(local_cloud: Any, expect: Any) -> None:
    """The same seed fails the same calls, another one others, each some of them."""
    expect(local_cloud.deployer.put(f"{TOPICS}/orders", json={}))

    def failures(seed: int) -> list[bool]:
        match = {"method": "pubsub.projects.topics.get"}
        rule = {"match": match, "prob": 0.5, "reply": {"code": 503}}
        expect(set_rules(local_cloud, rule, seed=seed))
        answers = [local_cloud.deployer.get(f"{TOPICS}/orders") for _ in range(20)]
        return [answer.status_code == 503 for answer in answers]

    first = failures(7)
    assert first == failures(7)
    assert first != failures(8)
    assert 0 < sum(first) < 20


def pull(cloud: Any, expect: Any, subscription: str = "work") -> list[tuple[str, str]]:
    """Pull what is there now: acknowledgement ids and texts."""
    body = {"maxMessages": 10, "returnImmediately": True}
    answer = expect(cloud.deployer.post(f"{SUBSCRIPTIONS}/{subscription}:pull", json=body))
    return [
        (one["ackId"], base64.b64decode(one["message"]["data"]).decode())
        for one in answer.get("receivedMessages", ())
    ]


def publish(cloud: Any, expect: Any, *texts: str) -> None:
    """Publish one message after the other."""
    for text in texts:
        message = {"data": base64.b64encode(text.encode()).decode()}
        expect(cloud.deployer.post(f"{TOPICS}/orders:publish", json={"messages": [message]}))


@pytest.fixture(name="pubsub")
def topic_with_subscriptions(local_cloud: Any, expect: Any) -> Any:
    """A topic with two subscriptions."""
    expect(local_cloud.deployer.put(f"{TOPICS}/orders", json={}))
    topic = {"topic": "projects/local-proj/topics/orders"}
    for name in ("work", "other"):
        expect(local_cloud.deployer.put(f"{SUBSCRIPTIONS}/{name}", json=topic))
    return local_cloud


WORK = {"resource": "*/subscriptions/work"}


def test_a_message_is_lost_for_one_subscription(pubsub: Any, expect: Any) -> None:
    """Its publisher hears of success, another subscription has it."""
    expect(set_rules(pubsub, {"match": WORK, "nth": [1], "messages": "lose"}))
    publish(pubsub, expect, "a", "b")
    assert [text for _, text in pull(pubsub, expect)] == ["b"]
    assert sorted(text for _, text in pull(pubsub, expect, "other")) == ["a", "b"]
    assert logged_faults(pubsub) == [("pubsub.delivery", "lose message", 200)]


def test_a_message_comes_twice(pubsub: Any, expect: Any) -> None:
    """After its acknowledgement it is delivered once more, under the same id."""
    expect(set_rules(pubsub, {"match": WORK, "times": 1, "messages": "duplicate"}))
    publish(pubsub, expect, "a")
    for expected in (["a"], ["a"], []):
        received = pull(pubsub, expect)
        assert [text for _, text in received] == expected
        body = {"ackIds": [ack_id for ack_id, _ in received]}
        # Nothing to acknowledge is refused.
        acknowledged = pubsub.deployer.post(f"{SUBSCRIPTIONS}/work:acknowledge", json=body)
        expect(acknowledged, 200 if received else 400)


def test_messages_overtake_each_other(pubsub: Any, expect: Any) -> None:
    """One that is held up comes after those behind it."""
    rule = {"match": WORK, "nth": [1], "messages": "reorder", "delay": "50ms"}
    expect(set_rules(pubsub, rule))
    publish(pubsub, expect, "a", "b")
    order: list[str] = []
    while len(order) < 2:
        order += [text for _, text in pull(pubsub, expect)]
    assert order == ["b", "a"]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({}, "give a fault"),
        ({"reply": {"preset": "BAD_LUCK"}}, "no preset 'BAD_LUCK'"),
        ({"reply": {}}, "either `preset` or `code`"),
        ({"reply": {"code": 503, "status": "SAD"}}, "no status 'SAD'"),
        ({"reply": {"code": 503}, "drop_connection": True}, "one fault a rule"),
        ({"lro_error": {"code": 99}}, "less than or equal to 16"),
        ({"match": {"verb": "GET"}, "delay": "1s"}, "rules.0.match.verb"),
        ({"delay": "soon"}, "rules.0.delay"),
    ],
)
def test_impossible_rules_are_refused_by_name(
    local_cloud: Any, expect: Any, rule: dict[str, Any], message: str
) -> None:
    """The answer says what is wrong and where; the rules before stay."""
    kept = {"match": CREATE, "reply": {"code": 503}}
    expect(set_rules(local_cloud, kept))
    assert message in expect(set_rules(local_cloud, rule), 400)["error"]["message"]
    (told,) = expect(local_cloud.deployer.get("/_local/faults"))["rules"]
    assert told["rule"] == kept


def test_rules_survive_a_restart_and_can_be_dropped(start_cloud: Any, expect: Any) -> None:
    """Until they are cleared they are in force, and tell how often they were."""
    with start_cloud() as cloud:
        cloud.enable("pubsub")
        expect(set_rules(cloud, {"match": CREATE, "reply": {"code": 503}}))
    with start_cloud() as cloud:
        expect(cloud.deployer.put(f"{TOPICS}/orders", json={}), 503)
        (told,) = expect(cloud.deployer.get("/_local/faults"))["rules"]
        assert (told["does"], told["matched"], told["injected"]) == ("reply 503 before", 1, 1)
        assert expect(cloud.deployer.delete("/_local/faults")) == {"rules": []}
        expect(cloud.deployer.put(f"{TOPICS}/orders", json={}))


def test_only_the_deployer_sets_faults(local_cloud: Any, expect: Any) -> None:
    """A service of the rehearsal cannot break it."""
    for client in (local_cloud.client(), local_cloud.client("user:stranger@local.test")):
        expect(client.put("/_local/faults", json={"rules": []}), 403)
