"""Taking environments down: all that was made goes, nothing of others is touched."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from end_to_end.project import Rehearsal

pytestmark = pytest.mark.timeout(240)

PROJECT = "local-proj"
STRANGER = "user:stranger@example.com"
# Where each kind of resource is listed, and the key of the list.
LISTS = {
    "topics": f"pubsub/v1/projects/{PROJECT}/topics",
    "subscriptions": f"pubsub/v1/projects/{PROJECT}/subscriptions",
    "accounts": f"iam/v1/projects/{PROJECT}/serviceAccounts",
    "roles": f"iam/v1/projects/{PROJECT}/roles",
    "services": f"run/v2/projects/{PROJECT}/locations/europe-west1/services",
    "repositories": f"artifactregistry/v1/projects/{PROJECT}/locations/europe-west1/repositories",
}


class Cloud:
    """The local cloud of an environment, over REST as its owner."""

    def __init__(self, rehearsal: Rehearsal, env: str = "local") -> None:
        folder = rehearsal.folder / ".conductor" / env / "cloud"
        info = json.loads((folder / "cloud.json").read_text())
        self._url = f"http://127.0.0.1:{info['port']}"
        self._headers = {"Authorization": f"Bearer {info['deployer_token']}"}

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call a method that must succeed."""
        answer = httpx.request(method, f"{self._url}/{path}", json=body, headers=self._headers)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def add_member(self, path: str, role: str) -> None:
        """Add the stranger to a policy."""
        is_project = path.startswith("resourcemanager")
        policy = self.call("POST" if is_project else "GET", f"{path}:getIamPolicy")
        bindings = [*policy.get("bindings", []), {"role": role, "members": [STRANGER]}]
        policy = {**policy, "bindings": bindings}
        self.call("POST", f"{path}:setIamPolicy", {"policy": policy})

    def holdings(self) -> dict[str, list[str]]:
        """Name everything there is, by kind."""
        found = {}
        for kind, path in LISTS.items():
            listed = next(
                iter(v for v in self.call("GET", path).values() if isinstance(v, list)), []
            )
            found[kind] = sorted(item["name"].rpartition("/")[2] for item in listed)
        return found

    def project_members(self) -> set[str]:
        """Name all members of the project's policy."""
        policy = self.call("POST", f"resourcemanager/v1/projects/{PROJECT}:getIamPolicy")
        return {member for binding in policy["bindings"] for member in binding["members"]}


def test_a_destroyed_environment_leaves_nothing_but_what_others_made(
    rehearsal: Rehearsal,
) -> None:
    """Step 2, item 2: foreign resources and members stay, everything of the run goes."""
    first = rehearsal.up("--propagation", "none")
    assert first.returncode == 0, first.stdout + first.stderr
    cloud = Cloud(rehearsal)
    cloud.call("PUT", f"pubsub/v1/projects/{PROJECT}/topics/of-a-stranger", {})
    cloud.add_member(f"pubsub/v1/projects/{PROJECT}/topics/of-a-stranger", "roles/pubsub.viewer")
    cloud.add_member(f"resourcemanager/v1/projects/{PROJECT}", "roles/viewer")

    other = rehearsal.run("destroy", "--dataflow", "nope", "--yes")
    assert other.returncode == 2
    assert "(it has: tracer-flow)" in other.stderr
    part = rehearsal.run("destroy", "--dataflow", "tracer-flow", "--yes")
    assert part.returncode == 0, part.stdout + part.stderr
    assert cloud.holdings()["services"] == ["servicedirector"]
    assert "tracer-topic" not in cloud.holdings()["topics"]
    back = rehearsal.up("--propagation", "none")
    assert back.returncode == 0, back.stdout + back.stderr

    unasked = rehearsal.run("destroy")
    assert unasked.returncode == 2
    assert "add --yes" in unasked.stderr
    done = rehearsal.run("destroy", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "destroyed 5 stacks of local" in done.stdout

    left = cloud.holdings()
    assert left.pop("topics") == ["of-a-stranger"]
    assert set(map(tuple, left.values())) == {()}
    assert cloud.project_members() == {"user:developer@local.test", STRANGER}
    policy = cloud.call("GET", f"pubsub/v1/projects/{PROJECT}/topics/of-a-stranger:getIamPolicy")
    assert policy["bindings"] == [{"role": "roles/pubsub.viewer", "members": [STRANGER]}]
    assert list((rehearsal.folder / "environments").glob("*.yaml")) == []

    gone = rehearsal.run("destroy", "--yes")
    assert gone.returncode == 2
    assert "there is no environment 'local'" in gone.stderr
    again = rehearsal.up("--propagation", "none")
    assert again.returncode == 0, again.stdout + again.stderr
    assert rehearsal.prove().returncode == 0


def test_a_destruction_that_was_killed_goes_on(rehearsal: Rehearsal) -> None:
    """Step 2, item 2: of a run that failed half-way, and destroyed half-way."""
    rehearsal.kill_at("[4]   + gcp:pubsub/topic", "up", str(rehearsal.architecture))
    rehearsal.kill_at("stack local.director", "destroy", "--yes")
    done = rehearsal.run("destroy", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    left = Cloud(rehearsal).holdings()
    assert set(map(tuple, left.values())) == {()}


def test_two_environments_do_not_disturb_each_other(rehearsal: Rehearsal) -> None:
    """Step 2, item 2: each has its own cloud; taking one down leaves the other working."""
    up = ["--propagation", "none"]
    assert rehearsal.up(*up).returncode == 0
    assert rehearsal.up("--target", "local", *up, env="other").returncode == 0
    assert rehearsal.run("destroy", "--yes", env="other").returncode == 0
    proof = rehearsal.prove()
    assert proof.returncode == 0, proof.stdout + proof.stderr
