"""Who may do what, and from when on."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import pytest

from rehearsal.cloud.iam.propagation import (
    LONGEST_FALSE_START_S,
    TIME_SCALE,
    Delays,
    Propagation,
)

PROJECT = "/resourcemanager/v1/projects/local-proj"
ACCOUNTS = "/iam/v1/projects/local-proj/serviceAccounts"
LIST = "/serviceusage/v1/projects/local-proj/services"


class FixedClock:
    """A time that passes only when a test says so."""

    def __init__(self) -> None:
        self.now_s = time.time()

    def __call__(self) -> float:
        """Seconds since the epoch."""
        return self.now_s


@pytest.fixture(name="seeded")
def seeded_cloud(start_cloud: Any) -> Any:
    """A cloud whose grants take 1 to 3 s."""
    with start_cloud(Propagation.SEEDED) as cloud:
        cloud.enable("iam")
        yield cloud


def test_grant_reads_back_at_once_and_works_later(seeded: Any, expect: Any) -> None:
    """3.4: enforcement lags behind the policy, reads never do."""
    member = f"serviceAccount:{seeded.account('worker')}"
    worker = seeded.client(member)
    seeded.grant(PROJECT, "roles/viewer", member)
    policy = expect(seeded.deployer.post(f"{PROJECT}:getIamPolicy"))
    assert {"role": "roles/viewer", "members": [member]} in policy["bindings"]
    expect(worker.get(LIST), 403)
    seeded.clock.ahead_s = 0.9
    expect(worker.get(LIST), 403)
    seeded.clock.ahead_s = 3.1
    expect(worker.get(LIST))


def test_removal_works_later_too(seeded: Any, expect: Any) -> None:
    """3.4: a removed grant still works until its own delay is over."""
    member = f"serviceAccount:{seeded.account('worker')}"
    worker = seeded.client(member)
    before = expect(seeded.deployer.post(f"{PROJECT}:getIamPolicy"))
    seeded.grant(PROJECT, "roles/viewer", member)
    seeded.clock.ahead_s = 4
    now = expect(seeded.deployer.post(f"{PROJECT}:getIamPolicy"))
    body = {"policy": {**before, "etag": now["etag"]}}
    expect(seeded.deployer.post(f"{PROJECT}:setIamPolicy", json=body))
    expect(worker.get(LIST))
    seeded.clock.ahead_s = 8
    expect(worker.get(LIST), 403)


def test_delay_survives_a_restart(start_cloud: Any, expect: Any) -> None:
    """A restart neither hastens nor delays a grant."""
    with start_cloud(Propagation.SEEDED) as cloud:
        cloud.enable("iam")
        member = f"serviceAccount:{cloud.account('worker')}"
        cloud.grant(PROJECT, "roles/viewer", member)
        clock = cloud.clock
    with start_cloud(Propagation.SEEDED, clock) as cloud:
        worker = cloud.client(member)
        expect(worker.get(LIST), 403)
        clock.ahead_s = 3.1
        expect(worker.get(LIST))


def test_delays_repeat_for_a_seed_and_differ_between_grants() -> None:
    """The same seed draws the same delay for the same grant, another grant gets another one."""
    delays = Delays(Propagation.SEEDED, 7)
    drawn = [delays.of("projects/p", "roles/viewer", f"user:{n}@local.test") for n in range(50)]
    assert drawn == [
        Delays(Propagation.SEEDED, 7).of("projects/p", "roles/viewer", f"user:{n}@local.test")
        for n in range(50)
    ]
    assert len(set(drawn)) == 50
    assert all(1 <= delay <= 3 for delay in drawn)


def test_realistic_delays_are_googles_in_scaled_time() -> None:
    """Typically two minutes, now and then beyond seven; each role has a pace of its own."""
    realistic = Delays(Propagation.REALISTIC, 7)

    def minutes(role: str) -> list[float]:
        members = (f"user:{n}@a.test" for n in range(500))
        return sorted(realistic.of("projects/p", role, who) / TIME_SCALE / 60 for who in members)

    medians = [minutes(f"roles/{number}")[250] for number in range(10)]
    assert all(1.3 < median < 3 for median in medians)
    assert max(medians) > 1.2 * min(medians)
    assert any(minutes(f"roles/{number}")[-1] > 7 for number in range(10))


def test_a_false_start_is_shorter_than_the_documented_longest() -> None:
    """Whoever waits for longer than that is never taken in, however slow the grant is."""
    delays = Delays(Propagation.FLICKERING, 7)
    drawn = [
        delays.steps("projects/p", "roles/x", f"user:{n}@a.test", is_granted=True)
        for n in range(1_000)
    ]
    lasting = [steps[1][0] - steps[0][0] for steps in drawn if len(steps) > 1]
    assert 300 < len(lasting) < 700
    assert max(lasting) <= LONGEST_FALSE_START_S + 1e-9
    assert max(lasting) > LONGEST_FALSE_START_S - 0.01


def test_a_grant_may_work_and_fail_again_before_it_works_for_good(start_cloud: Any) -> None:
    """With false starts the effect is not monotone; its last change is what was asked."""
    delays = Delays(Propagation.FLICKERING, 7)
    members = [f"user:{n}@a.test" for n in range(20)]
    steps = [delays.steps("projects/p", "roles/x", who, is_granted=True) for who in members]
    assert {len(one) for one in steps} == {1, 3}
    for one in steps:
        assert sorted(one) == one
        assert one[-1][1] is True
    clock = FixedClock()
    with start_cloud(Propagation.FLICKERING, clock) as cloud:
        iam = cloud.cloud.iam
        policy = iam.get_policy("projects/local-proj")
        role = {"role": "roles/pubsub.viewer", "members": members}
        bindings = [*policy["bindings"], role]
        iam.set_policy("projects/local-proj", policy | {"bindings": bindings})
        seen: dict[str, list[bool]] = {who: [] for who in members}
        for _ in range(400):
            for who, effects in seen.items():
                effects.append(iam.allows(who, "pubsub.topics.list", "projects/local-proj"))
            clock.now_s += 0.1
    assert all(effects[-1] for effects in seen.values())
    changes = {sum(a != b for a, b in pairwise(effects)) for effects in seen.values()}
    assert changes == {1, 3}


def test_a_new_account_may_not_be_found_at_first(start_cloud: Any, expect: Any) -> None:
    """As with Google some are missing for a moment: for reading and in policies."""
    clock = FixedClock()
    with start_cloud(Propagation.REALISTIC, clock) as cloud:
        cloud.enable("iam")
        accounts = "/iam/v1/projects/local-proj/serviceAccounts"
        emails = [cloud.account(f"worker-{number}") for number in range(10)]
        codes = [cloud.deployer.get(f"{accounts}/{email}").status_code for email in emails]
        assert set(codes) == {200, 404}
        missing = emails[codes.index(404)]
        binding = {"role": "roles/viewer", "members": [f"serviceAccount:{missing}"]}
        body = {"policy": {"bindings": [binding]}}
        url = f"{accounts}/{emails[codes.index(200)]}:setIamPolicy"
        assert (
            "does not exist" in expect(cloud.deployer.post(url, json=body), 400)["error"]["message"]
        )
        clock.now_s += 1
        expect(cloud.deployer.get(f"{accounts}/{missing}"))
        expect(cloud.deployer.post(url, json=body))


def test_project_grant_covers_what_is_below(local_cloud: Any, expect: Any) -> None:
    """A role on the project works on every resource of the project; one on a resource does not."""
    email = local_cloud.account("worker")
    other = local_cloud.account("other-one")
    member = f"serviceAccount:{email}"
    worker = local_cloud.client(member)
    local_cloud.grant(f"{ACCOUNTS}/{other}", "roles/iam.serviceAccountViewer", member)
    expect(worker.get(f"{ACCOUNTS}/{other}"))
    expect(worker.get(f"{ACCOUNTS}/{email}"), 403)
    local_cloud.grant(PROJECT, "roles/iam.serviceAccountViewer", member)
    expect(worker.get(f"{ACCOUNTS}/{email}"))


def test_old_etag_conflicts(local_cloud: Any, expect: Any) -> None:
    """Two read-modify-writes at once: the second gets 409 ABORTED in Google's words."""
    local_cloud.account("worker")
    url = f"{ACCOUNTS}/worker@local-proj.iam.gserviceaccount.com"
    policy = expect(local_cloud.deployer.post(f"{url}:getIamPolicy"))
    assert policy == {"version": 1, "etag": "ACAB"}
    body = {
        "policy": {
            **policy,
            "bindings": [{"role": "roles/viewer", "members": ["user:developer@local.test"]}],
        }
    }
    first = expect(local_cloud.deployer.post(f"{url}:setIamPolicy", json=body))
    assert first["etag"] != "ACAB"
    error = expect(local_cloud.deployer.post(f"{url}:setIamPolicy", json=body), 409)["error"]
    assert error["status"] == "ABORTED"
    assert error["errors"][0]["reason"] == "aborted"
    assert error["message"].startswith("There were concurrent policy changes.")
    del body["policy"]["etag"]
    expect(local_cloud.deployer.post(f"{url}:setIamPolicy", json=body))


@pytest.mark.parametrize(
    ("role", "member", "message"),
    [
        (
            "roles/viewer",
            "serviceAccount:ghost@local-proj.iam.gserviceaccount.com",
            "Service account ghost@local-proj.iam.gserviceaccount.com does not exist.",
        ),
        ("roles/viewer", "worker@local.test", 'must be of the form "<type>:<value>"'),
        ("roles/viewer", "robot:a@local.test", "is of an unknown type. Please set a valid type"),
        ("roles/viewer", "user:nobody", "Invalid member: user:nobody."),
        ("roles/viewer", "allUsers", "Request contains an invalid argument."),
        ("roles/viewer", "allAuthenticatedUsers", "Request contains an invalid argument."),
        ("viewer", "user:a@local.test", "is not supported for this resource"),
        ("roles/pubsub.frobnicator", "user:a@local.test", "is not supported for this resource"),
        ("projects/local-proj/roles/ghost", "user:a@local.test", "does not exist"),
    ],
)
def test_impossible_binding_is_refused(
    local_cloud: Any, expect: Any, role: str, member: str, message: str
) -> None:
    """A policy with an unknown account, member form or role answers 400 and changes nothing."""
    policy = expect(local_cloud.deployer.post(f"{PROJECT}:getIamPolicy"))
    bindings = [*policy["bindings"], {"role": role, "members": [member]}]
    body = {"policy": {**policy, "bindings": bindings}}
    answer = local_cloud.deployer.post(f"{PROJECT}:setIamPolicy", json=body)
    assert message in expect(answer, 400)["error"]["message"]
    assert expect(local_cloud.deployer.post(f"{PROJECT}:getIamPolicy")) == policy


def test_condition_is_refused_loudly(local_cloud: Any, expect: Any) -> None:
    """A condition is not ignored: that would permit more than Google would."""
    binding = {
        "role": "roles/viewer",
        "members": ["user:a@local.test"],
        "condition": {"expression": "false", "title": "never"},
    }
    body = {"policy": {"bindings": [binding], "version": 3}}
    answer = local_cloud.deployer.post(f"{PROJECT}:setIamPolicy", json=body)
    assert "Conditions are not modelled" in expect(answer, 400)["error"]["message"]


def test_everybody_and_every_known_principal(local_cloud: Any, expect: Any) -> None:
    """`allUsers` includes callers without a token, `allAuthenticatedUsers` does not."""
    topic = "/pubsub/v1/projects/local-proj/topics/open"
    expect(local_cloud.deployer.put(topic, json={}))
    local_cloud.grant(topic, "roles/pubsub.viewer", "allAuthenticatedUsers")
    expect(local_cloud.client("user:stranger@local.test").get(topic))
    expect(local_cloud.client().get(topic), 401)
    local_cloud.grant(topic, "roles/pubsub.viewer", "allUsers")
    expect(local_cloud.client().get(topic))


def test_a_basic_role_stands_behind_its_convenience_member(local_cloud: Any, expect: Any) -> None:
    """`projectViewer:p` in a bucket's policy is whoever is a viewer of the project now."""
    local_cloud.enable("storage")
    bucket = {"name": "bucket-0"}
    url = "/storage/storage/v1/b"
    expect(local_cloud.deployer.post(url, params={"project": "local-proj"}, json=bucket))
    role = "roles/storage.objectAdmin"
    policy = {"bindings": [{"role": role, "members": ["projectViewer:local-proj"]}]}
    expect(local_cloud.deployer.put(f"{url}/bucket-0/iam", json=policy))
    viewer = local_cloud.client("user:viewer@local.test")
    asked = {"permissions": "storage.objects.delete"}
    permitted = f"{url}/bucket-0/iam/testPermissions"
    assert "permissions" not in expect(viewer.get(permitted, params=asked))
    local_cloud.grant(PROJECT, "roles/viewer", "user:viewer@local.test")
    assert expect(viewer.get(permitted, params=asked))["permissions"] == ["storage.objects.delete"]


def test_permissions_are_tested_for_the_caller(seeded: Any, expect: Any) -> None:
    """TestIamPermissions answers by what works now, for whoever asks."""
    asked = {
        "permissions": ["resourcemanager.projects.update", "iam.serviceAccounts.getAccessToken"]
    }
    url = f"{PROJECT}:testIamPermissions"
    # As in Google, an owner cannot impersonate.
    assert expect(seeded.deployer.post(url, json=asked)) == {
        "permissions": asked["permissions"][:1]
    }
    member = f"serviceAccount:{seeded.account('worker')}"
    worker = seeded.client(member)
    seeded.grant(PROJECT, "roles/iam.serviceAccountTokenCreator", member)
    assert expect(worker.post(url, json=asked)) == {}
    seeded.clock.ahead_s = 3.1
    assert expect(worker.post(url, json=asked)) == {"permissions": asked["permissions"][1:]}
    for impossible in (["iam.*"], ["pubsub.topics.frobnicate"], ["pubsub.topics.get"] * 101):
        expect(worker.post(url, json={"permissions": impossible}), 400)
    expect(worker.post(url, json={"permissions": ["compute.instances.get"]}))
