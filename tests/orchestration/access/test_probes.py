"""Grants tried for real on a local cloud that delays them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from architecture.grants import Grant, GrantResource, ResourceKind
from orchestration.access.pacing import Pace
from orchestration.access.probes import Caller, CloudProbe
from orchestration.access.waiting import (
    EffectiveGrant,
    GrantGroup,
    TestedBy,
    Tried,
    wait_until_effective,
)
from orchestration.environments import Environment
from orchestration.errors import CloudUnreachable, GrantsNotEffective
from orchestration.settings import Settings
from orchestration.targets.local import CONFIRM_GRANTS_FOR_S, LocalTarget, stop_cloud_of
from rehearsal.cloud.iam.propagation import LONGEST_FALSE_START_S, Delays, Propagation

PROJECT = "local-proj"
EMAIL = f"cart-sa@{PROJECT}.iam.gserviceaccount.com"
MEMBER = f"serviceAccount:{EMAIL}"
ACCOUNT = f"projects/{PROJECT}/serviceAccounts/{EMAIL}"
TOPIC = f"projects/{PROJECT}/topics/orders"
NO_SERVICE = GrantResource(ResourceKind.SERVICE, "cart", "europe-west1")
QUICK = Pace(first_s=0.02, confirmations=2, deadline_s=20)


class Project:
    """A project with a topic and an account, changed over its REST APIs."""

    def __init__(self, target: LocalTarget) -> None:
        self.target = target
        for service in ("iam.googleapis.com", "pubsub.googleapis.com"):
            self.call("POST", "serviceusage", f"projects/{PROJECT}/services/{service}:enable")
        self.call("POST", "iam", f"projects/{PROJECT}/serviceAccounts", {"accountId": "cart-sa"})
        self.call("PUT", "pubsub", TOPIC, {})

    def call(
        self, method: str, api: str, path: str, body: dict[str, object] | None = None
    ) -> dict[str, object]:
        """Call an API as the deployer."""
        answer = httpx.request(
            method,
            f"{self.target.endpoints()[api]}/{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.target.access_token()}"},
        )
        assert answer.is_success, answer.text
        found: dict[str, object] = answer.json()
        return found

    def bind(self, api: str, path: str, role: str, member: str) -> None:
        """Grant one role on a resource."""
        policy = {"policy": {"bindings": [{"role": role, "members": [member]}]}}
        self.call("POST", api, f"{path}:setIamPolicy", policy)

    def until_found(self, account: str) -> None:
        """Wait until a new account is found everywhere, as providers do."""
        url = f"{self.target.endpoints()['iam']}/{account}"
        headers = {"Authorization": f"Bearer {self.target.access_token()}"}
        while httpx.get(url, headers=headers).status_code == 404:
            time.sleep(0.02)

    def probe(self, roles: dict[str, tuple[str, ...]] | None = None) -> CloudProbe:
        """Make a probe that runs as the deployer."""
        caller = Caller(self.target.deployer, self.target.access_token, self.target.endpoints())
        return CloudProbe(caller, project_id=PROJECT, custom_roles=roles or {})


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project on a local cloud that delays every grant by 1 to 3 seconds."""
    environment = Environment("local", Settings(tmp_path))
    target = LocalTarget(environment, project_id=PROJECT, region="europe-west1")
    target.prepare()
    yield Project(target)
    stop_cloud_of(environment)


def on_topic(role: str, member: str = MEMBER) -> Grant:
    """Make a grant on the topic."""
    return Grant(member, role, GrantResource(ResourceKind.TOPIC, "orders"), "dataflow", "f", "")


def on_account(member: str) -> Grant:
    """Make the grant by which the deployer may act as the account."""
    resource = GrantResource(ResourceKind.SERVICE_ACCOUNT, EMAIL)
    return Grant(member, "roles/iam.serviceAccountTokenCreator", resource, "foundation", None, "")


def test_a_grant_is_tried_as_its_member_and_takes_its_time(project: Project) -> None:
    """0.6, 3.4: accepted at once, effective later; the wait ends only then, and says how."""
    deployer = project.target.deployer
    project.bind("iam", ACCOUNT, "roles/iam.serviceAccountTokenCreator", deployer)
    project.bind("pubsub", TOPIC, "roles/pubsub.publisher", MEMBER)
    grants = [on_account(deployer), on_topic("roles/pubsub.publisher")]
    probe = project.probe()
    first = probe.try_group(GrantGroup(MEMBER, grants[1].resource, (grants[1],)))
    assert not first[grants[1]].works
    assert "cannot impersonate it yet" in first[grants[1]].why
    own, tried = wait_until_effective(grants, probe, QUICK)
    probe.close()
    assert own.tested_by is TestedBy.DEPLOYER
    assert tried.tested_by is TestedBy.IMPERSONATION
    # Seeded delays are 1 to 3 s; some of it passed before the wait began.
    assert 0.5 < own.delay_s < 3.5
    assert tried.delay_s < 3.5


def test_a_role_that_we_know_no_permission_of_is_read_back(project: Project) -> None:
    """0.6: reading the policy is no proof, and the report says that it was only read."""
    role = "roles/pubsub.editor"
    project.bind("pubsub", TOPIC, role, "group:ops@example.com")
    grant = on_topic(role, "group:ops@example.com")
    probe = project.probe()
    (found,) = wait_until_effective([grant], probe, QUICK)
    missing = on_topic("roles/pubsub.admin", "group:ops@example.com")
    tried = probe.try_group(GrantGroup(missing.member, missing.resource, (missing,)))
    probe.close()
    assert found.tested_by is TestedBy.POLICY
    assert tried[missing].why == "it is not in the policy"


@pytest.fixture
def flickering(tmp_path: Path) -> Iterator[Project]:
    """A project on a local cloud whose grants have false starts and whose news spread slowly."""
    environment = Environment("local", Settings(tmp_path))
    target = LocalTarget(
        environment, project_id=PROJECT, region="europe-west1", propagation="flickering"
    )
    target.prepare()
    yield Project(target)
    stop_cloud_of(environment)


def test_a_false_start_is_never_a_go(flickering: Project) -> None:
    """0.6, case 22: with the window of the local target, over many grants at once."""
    role = "roles/iam.serviceAccountTokenCreator"
    deployer = flickering.target.deployer
    delays = Delays(Propagation.FLICKERING, seed=0)
    drawn = {}
    for number in range(40):
        email = f"worker-{number}@{PROJECT}.iam.gserviceaccount.com"
        path = f"projects/{PROJECT}/serviceAccounts/{email}"
        steps = delays.steps(path, role, deployer, is_granted=True)
        # Only false starts that many tries see, and none that would only make the test slow.
        if len(steps) == 1 or not 3 < steps[-1][0] < 8:
            continue
        body: dict[str, object] = {"accountId": f"worker-{number}"}
        flickering.call("POST", "iam", f"projects/{PROJECT}/serviceAccounts", body)
        drawn[email] = path, steps[-1][0]
    assert len(drawn) >= 8
    works_at = {}
    for email, (path, delay_s) in drawn.items():
        flickering.until_found(path)
        works_at[email] = time.time() + delay_s
        flickering.bind("iam", path, role, deployer)
    grants = [
        Grant(
            deployer,
            role,
            GrantResource(ResourceKind.SERVICE_ACCOUNT, email),
            "foundation",
            None,
            "",
        )
        for email in works_at
    ]
    went_at = {}
    probe = flickering.probe()
    wait_until_effective(
        grants,
        probe,
        Pace(confirm_s=flickering.target.confirm_grants_for_s, deadline_s=30),
        lambda found: went_at.update({found.grant.resource.name: time.time()}),
    )
    probe.close()
    assert [email for email, at in works_at.items() if went_at[email] < at] == []


@pytest.fixture
def prompt(tmp_path: Path) -> Iterator[Project]:
    """A project on a local cloud where grants work at once."""
    environment = Environment("local", Settings(tmp_path))
    target = LocalTarget(environment, project_id=PROJECT, region="europe-west1", propagation="none")
    target.prepare()
    yield Project(target)
    stop_cloud_of(environment)


def waiting_for(project: Project, grant: Grant, then: Callable[[], None]) -> EffectiveGrant:
    """Wait for a grant; once it was tried in vain do something, which must make it work."""
    probe = project.probe()
    tried: list[Tried] = []

    class Watched:
        def try_group(self, group: GrantGroup) -> Mapping[Grant, Tried]:
            found = probe.try_group(group)
            tried.append(found[grant])
            if len(tried) == 2:
                then()
            return found

    (effective,) = wait_until_effective([grant], Watched(), QUICK)
    probe.close()
    assert [found.works for found in tried[:2]] == [False, False]
    return effective


def test_an_account_that_is_not_found_yet_is_waited_for(prompt: Project) -> None:
    """0.6: minting its token is refused at first, and then the grant counts as any other."""
    late, account = (name.replace("cart-sa", "late-sa") for name in (MEMBER, ACCOUNT))

    def make_it() -> None:
        body: dict[str, object] = {"accountId": "late-sa"}
        prompt.call("POST", "iam", f"projects/{PROJECT}/serviceAccounts", body)
        role = "roles/iam.serviceAccountTokenCreator"
        prompt.bind("iam", account, role, prompt.target.deployer)
        prompt.bind("pubsub", TOPIC, "roles/pubsub.publisher", late)

    grant = on_topic("roles/pubsub.publisher", late)
    effective = waiting_for(prompt, grant, make_it)
    assert effective.was_awaited
    assert effective.tested_by is TestedBy.IMPERSONATION


def test_an_api_that_was_just_enabled_is_waited_for(prompt: Project) -> None:
    """0.6: its refusals are no failure of the run."""
    deployer = prompt.target.deployer
    usage = f"projects/{PROJECT}/services/pubsub.googleapis.com"
    prompt.call("POST", "serviceusage", f"{usage}:disable", {"checkIfServiceHasUsage": "SKIP"})
    effective = waiting_for(
        prompt,
        on_topic("roles/pubsub.publisher", deployer),
        lambda: prompt.call("POST", "serviceusage", f"{usage}:enable") and None,
    )
    assert effective.was_awaited


def test_a_timeout_says_what_is_missing_and_what_to_check(prompt: Project) -> None:
    """0.6: member, role, resource and the cloud's own reason of each, and what to look at."""
    deployer = prompt.target.deployer
    prompt.bind("iam", ACCOUNT, "roles/iam.serviceAccountTokenCreator", deployer)
    stranger = MEMBER.replace("cart-sa", "nobody-knows")
    grants = [
        on_topic("roles/pubsub.publisher"),
        on_topic("roles/pubsub.publisher", stranger),
        Grant(MEMBER, "roles/run.invoker", NO_SERVICE, "services", "f", ""),
    ]
    probe = prompt.probe()
    with pytest.raises(GrantsNotEffective) as caught:
        wait_until_effective(grants, probe, replace(QUICK, deadline_s=0.3))
    probe.close()
    no_grant, no_account, no_api = caught.value.missing
    role = "roles/pubsub.publisher on topic orders for"
    assert no_grant == f"{role} {MEMBER} (no pubsub.topics.publish)"
    assert no_account.startswith(f"{role} {stranger} ({deployer} cannot impersonate it yet: 403")
    assert "(or it may not exist)" in no_account
    assert no_api.startswith(f"roles/run.invoker on service cart for {MEMBER} (403 Cloud Run Admin")
    assert "it is disabled. Enable it by visiting" in no_api
    for what in ("policy", "accounts exist", "APIs are enabled", "deny policy"):
        assert what in caught.value.hint


def test_the_window_is_longer_than_any_false_start() -> None:
    """The window is the harness's, the false starts are the cloud's: they must agree."""
    assert CONFIRM_GRANTS_FOR_S > LONGEST_FALSE_START_S


def test_a_cloud_that_is_gone_is_an_error_not_a_wait(tmp_path: Path) -> None:
    """Waiting for ten minutes for a cloud that is not there helps nobody."""
    caller = Caller(
        "user:me@example.com", lambda: "token", {"pubsub": "http://127.0.0.1:9/pubsub/v1"}
    )
    probe = CloudProbe(caller, project_id=PROJECT, custom_roles={})
    grant = on_topic("roles/pubsub.publisher", "user:me@example.com")
    with pytest.raises(CloudUnreachable):
        wait_until_effective([grant], probe, QUICK)
    probe.close()
