"""Every kind of fault that users report has a rule, as the table in the README says."""

from __future__ import annotations

import base64
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

import rehearsal.cloud.faults
from rehearsal.cloud.faults.presets import PRESETS
from rehearsal.cloud.faults.rules import FaultRules, MessageFault, Rule

README = Path(rehearsal.cloud.faults.__file__).with_name("README.md")
TESTS = Path(__file__).parents[1]
_ROW = re.compile(
    r"^\| (?P<kind>[^|]+) \| `(?P<rule>\{.*\})` \| `(?P<test>test_\w+)` \|$", re.MULTILINE
)
TOPICS = "/pubsub/v1/projects/local-proj/topics"
SUBSCRIPTIONS = "/pubsub/v1/projects/local-proj/subscriptions"
REPOSITORIES = "/artifactregistry/v1/projects/local-proj/locations/europe-west1/repositories"
ACCOUNTS = "/iam/v1/projects/local-proj/serviceAccounts"
PROJECT = "/resourcemanager/v1/projects/local-proj"


def rows() -> list[tuple[str, dict[str, Any], str]]:
    """Return kind, rule and test of every row."""
    found = _ROW.findall(README.read_text(encoding="utf-8"))
    return [(kind, yaml.safe_load(rule), test) for kind, rule, test in found]


def set_rules(cloud: Any, expect: Any, *rules: dict[str, Any]) -> None:
    """Leave the cloud with these fault rules."""
    expect(cloud.deployer.put("/_local/faults", json={"rules": list(rules)}))


def test_there_are_at_least_twenty_kinds_and_each_is_tested(local_cloud: Any, expect: Any) -> None:
    """Each row's rule is one that the cloud takes, and its test is there."""
    table = rows()
    listed = [line for line in README.read_text().splitlines() if line.startswith("| ")]
    assert len(table) == len(listed) - 1 >= 20
    assert len({kind for kind, _, _ in table}) == len(table)
    set_rules(local_cloud, expect, *(rule for _, rule, _ in table))
    local_cloud.deployer.delete("/_local/faults")
    tests = "".join(file.read_text(encoding="utf-8") for file in TESTS.rglob("test_*.py"))
    assert {test for _, _, test in table if f"def {test}(" not in tests} == set()


def test_the_table_reaches_whatever_rules_can_do() -> None:
    """Every preset, every key of a rule and every fault of messages is in some row."""
    rules = [rule for _, rule, _ in rows()]
    written = json.dumps(rules)
    assert {name for name in PRESETS if f'"{name}"' not in written} == set()
    assert {key for key in Rule.model_fields if not any(key in rule for rule in rules)} == set()
    parsed = FaultRules.model_validate({"rules": rules}).rules
    assert {rule.messages for rule in parsed} == {None, *MessageFault}


def test_a_quotas_refusal_tells_which_quota(local_cloud: Any, expect: Any) -> None:
    """Google's error info, with the limit where a rule knows it."""
    match = {"method": "pubsub.projects.topics.list"}
    reply = {"preset": "RATE_LIMIT_EXCEEDED"}
    set_rules(local_cloud, expect, {"match": match, "above_per_minute": 1, "reply": reply})
    expect(local_cloud.deployer.get(TOPICS))
    error = expect(local_cloud.deployer.get(TOPICS), 429)["error"]
    assert (error["status"], error["errors"][0]["reason"]) == (
        "RESOURCE_EXHAUSTED",
        "rateLimitExceeded",
    )
    (details,) = error["details"]
    assert details["reason"] == "RATE_LIMIT_EXCEEDED"
    assert details["metadata"] == {
        "service": "pubsub.googleapis.com",
        "consumer": f"projects/{local_cloud.cloud.project_number}",
        "quota_metric": "pubsub.googleapis.com/default_requests",
        "quota_limit": "defaultPerMinutePerProject",
        "quota_limit_value": "1",
        "quota_location": "global",
    }


def test_a_policy_write_meets_a_concurrent_one(local_cloud: Any, expect: Any) -> None:
    """The first write is refused and changes nothing, the whole cycle once more succeeds."""
    rule = {"match": {"method": "*.setIamPolicy"}, "nth": [1]}
    set_rules(local_cloud, expect, {**rule, "reply": {"preset": "CONCURRENT_POLICY"}})
    policy = expect(local_cloud.deployer.post(f"{PROJECT}:getIamPolicy"))
    role = {"role": "roles/viewer", "members": ["user:a@local.test"]}
    body = {"policy": policy | {"bindings": [*policy["bindings"], role]}}
    error = expect(local_cloud.deployer.post(f"{PROJECT}:setIamPolicy", json=body), 409)["error"]
    assert (error["status"], error["errors"][0]["reason"]) == ("ABORTED", "aborted")
    assert expect(local_cloud.deployer.post(f"{PROJECT}:getIamPolicy")) == policy
    assert (
        role in expect(local_cloud.deployer.post(f"{PROJECT}:setIamPolicy", json=body))["bindings"]
    )


def test_a_new_account_comes_and_goes(local_cloud: Any, expect: Any) -> None:
    """As in the wild: refused, missing, there, missing again, there for good."""
    email = local_cloud.account("worker")
    match = {"method": "iam.projects.serviceAccounts.get"}
    set_rules(
        local_cloud,
        expect,
        {"match": match, "nth": [1], "reply": {"preset": "PERMISSION_DENIED"}},
        {"match": match, "nth": [2, 4], "reply": {"preset": "NOT_FOUND"}},
    )
    codes = [local_cloud.deployer.get(f"{ACCOUNTS}/{email}").status_code for _ in range(6)]
    assert codes == [403, 404, 200, 404, 200, 200]


def test_a_service_that_is_down_comes_back(local_cloud: Any, expect: Any) -> None:
    """So many calls fail, of whatever method of it; other services answer meanwhile."""
    rule = {"match": {"method": "pubsub.*"}, "times": 3}
    set_rules(local_cloud, expect, {**rule, "reply": {"preset": "UNAVAILABLE"}})
    expect(local_cloud.deployer.put(f"{TOPICS}/orders", json={}), 503)
    expect(local_cloud.deployer.get(SUBSCRIPTIONS), 503)
    expect(local_cloud.deployer.get(PROJECT))
    expect(local_cloud.deployer.get(TOPICS), 503)
    expect(local_cloud.deployer.put(f"{TOPICS}/orders", json={}))


@pytest.mark.parametrize("failure", [None, {"code": 13}])
def test_an_operation_takes_longer(
    local_cloud: Any, expect: Any, failure: dict[str, Any] | None
) -> None:
    """It is not done when it begins, and ends as it would, or with an error that a rule gives."""
    rule: dict[str, Any] = {"match": {"method": "*.create"}, "lro_delay": "250ms"}
    set_rules(local_cloud, expect, rule | ({"lro_error": failure} if failure else {}))
    params = {"repositoryId": "images"}
    began_at = time.monotonic()
    begun = local_cloud.deployer.post(REPOSITORIES, params=params, json={"format": "DOCKER"})
    operation = expect(begun)
    assert not operation.get("done")
    while not operation.get("done"):
        operation = expect(local_cloud.deployer.get(f"/artifactregistry/v1/{operation['name']}"))
    assert time.monotonic() - began_at >= 0.25
    if failure is None:
        assert operation["response"]["name"].endswith("/images")
    else:
        assert operation["error"]["code"] == 13


def test_polling_fails_in_the_middle_of_an_operation(local_cloud: Any, expect: Any) -> None:
    """The operation goes on all the same; the next poll tells."""
    set_rules(
        local_cloud,
        expect,
        {"match": {"method": "*.create"}, "lro_delay": "50ms"},
        {"match": {"method": "*.operations.get"}, "nth": [2], "reply": {"preset": "UNAVAILABLE"}},
    )
    params = {"repositoryId": "images"}
    begun = local_cloud.deployer.post(REPOSITORIES, params=params, json={"format": "DOCKER"})
    url = f"/artifactregistry/v1/{expect(begun)['name']}"
    expect(local_cloud.deployer.get(url))
    expect(local_cloud.deployer.get(url), 503)
    while not (operation := expect(local_cloud.deployer.get(url))).get("done"):
        pass
    assert operation["response"]


def test_an_operation_on_its_way_ends_with_its_cloud(start_cloud: Any, expect: Any) -> None:
    """After a restart nobody works on it: it has failed, and says why."""
    with start_cloud() as cloud:
        cloud.enable("artifactregistry")
        set_rules(cloud, expect, {"match": {"method": "*.create"}, "lro_delay": "60s"})
        params = {"repositoryId": "images"}
        begun = cloud.deployer.post(REPOSITORIES, params=params, json={"format": "DOCKER"})
        name = expect(begun)["name"]
    with start_cloud() as cloud:
        operation = expect(cloud.deployer.get(f"/artifactregistry/v1/{name}"))
        assert operation["error"]["code"] == 10


def test_a_message_arrives_malformed(local_cloud: Any, expect: Any) -> None:
    """Cut and no text any more, under its own id; the next one is whole."""
    expect(local_cloud.deployer.put(f"{TOPICS}/orders", json={}))
    topic = {"topic": "projects/local-proj/topics/orders"}
    expect(local_cloud.deployer.put(f"{SUBSCRIPTIONS}/work", json=topic))
    match = {"resource": "*/subscriptions/work"}
    set_rules(local_cloud, expect, {"match": match, "nth": [1], "messages": "garble"})
    for _ in range(2):
        message = {"data": base64.b64encode(b'{"order": 1}').decode()}
        expect(local_cloud.deployer.post(f"{TOPICS}/orders:publish", json={"messages": [message]}))
    body = {"maxMessages": 10, "returnImmediately": True}
    pulled = expect(local_cloud.deployer.post(f"{SUBSCRIPTIONS}/work:pull", json=body))
    contents = {base64.b64decode(one["message"]["data"]) for one in pulled["receivedMessages"]}
    assert contents == {b'{"orde\xff', b'{"order": 1}'}


def test_writers_of_one_policy_lose_nothing(local_cloud: Any, expect: Any) -> None:
    """Ten read-modify-write cycles that meet each other and injected conflicts: all are there."""
    rule = {"match": {"method": "*.setIamPolicy"}, "prob": 0.4}
    set_rules(local_cloud, expect, {**rule, "reply": {"preset": "CONCURRENT_POLICY"}})
    members = [f"user:{number}@local.test" for number in range(10)]
    waiting = list(members)
    while waiting:
        policies = {
            member: expect(local_cloud.deployer.post(f"{PROJECT}:getIamPolicy"))
            for member in waiting
        }
        for member, policy in policies.items():
            role = {"role": "roles/viewer", "members": [member]}
            body = {"policy": policy | {"bindings": [*policy["bindings"], role]}}
            answer = local_cloud.deployer.post(f"{PROJECT}:setIamPolicy", json=body)
            assert answer.status_code in (200, 409)
            if answer.is_success:
                waiting.remove(member)
    policy = expect(local_cloud.deployer.post(f"{PROJECT}:getIamPolicy"))
    assert {"role": "roles/viewer", "members": members} in policy["bindings"]
    assert any(binding["role"] == "roles/owner" for binding in policy["bindings"])
