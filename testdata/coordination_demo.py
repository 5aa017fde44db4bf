"""Shows the coordination engine at work on the deployed sample system: document 004's scenarios.

Starts `conductor serve --env ENV`, recommends as agents do, approves as a person does, and prints
what Cloud Run says of the services before and after. At its end every plan is rolled back, so that
the system is as it was.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

RULES = Path(__file__).with_name("coordination-rules.yaml")
PUBLISHER, SUBSCRIBER = "tracer-publisher", "tracer-subscriber"
REGION, OTHER_REGION = "europe-west1", "europe-west4"
CUSTOMER = "cust-1"
PLAN_TIMEOUT_S = 180.0
START_TIMEOUT_S = 60.0
LOOK_EVERY_S = 0.2
# As Cloud Run counts where a service says nothing.
DEFAULT_MAX = 100
Json = dict[str, Any]


class DemoFailedError(Exception):
    """Something did not go as document 004 says; the message says what."""


@dataclass(frozen=True)
class Cloud:
    """The local cloud's own word on what runs."""

    url: str
    project_id: str
    token: str

    def services(self) -> dict[str, str]:
        """Describe each of the two services in a line."""
        found: dict[str, str] = {}
        for region in (REGION, OTHER_REGION):
            answer = httpx.get(
                f"{self.url}/run/v2/projects/{self.project_id}/locations/{region}/services",
                headers={"Authorization": f"Bearer {self.token}"},
            ).raise_for_status()
            for service in answer.json().get("services", []):
                name = service["name"].rpartition("/")[2]
                if name in {PUBLISHER, SUBSCRIBER}:
                    found[name] = describe(service, region)
        return found


def describe(service: Json, region: str) -> str:
    """Say where a service runs, how many instances it has, and how it is paid for."""
    template = service["template"]
    scaling = template.get("scaling", {})
    resources = template["containers"][0].get("resources", {})
    billing = "by request" if resources.get("cpuIdle", False) else "always on"
    most = scaling.get("maxInstanceCount", DEFAULT_MAX)
    revision = service.get("latestReadyRevision", "").rpartition("/")[2]
    return (
        f"{region}, {scaling.get('minInstanceCount', 0)} to {most} instances,"
        f" processors {billing}, revision {revision}"
    )


class Demo:
    """A served coordination engine, and the system that it acts on."""

    def __init__(self, api: httpx.Client, cloud: Cloud, environment: str) -> None:
        self._api = api
        self._cloud = cloud
        self._environment = environment
        # Recommendations of each demo have ids of their own.
        self._mark = uuid.uuid4().hex[:6]
        self._done: list[str] = []

    def always_on(self) -> None:
        """Make the services expensive, so that there is something to save."""
        say("First both services get processors that are always on")
        item = self._item("performance", "migrate_to_on_demand", PUBLISHER, SUBSCRIBER)
        with self._compared():
            (plan,) = self._coordinate([item])["execution_plans"]
            self._follow(plan["id"], "completed")

    def conflict(self) -> None:
        """Scenario 1: two agents want the same service; the higher savings win."""
        say("Scenario 1: two recommendations for shared instances")
        cost = self._item("cost", "migrate_to_spot", PUBLISHER, SUBSCRIBER, savings=2000)
        rival = self._item("resource", "scale_down", SUBSCRIBER, savings=1500, count=1)
        with self._compared():
            answer = self._coordinate([cost, rival])
            for conflict in answer["conflicts"]:
                say(f"  conflict: {conflict['description']}")
                say(f"  resolved: {conflict['resolution']}")
            (plan,) = answer["execution_plans"]
            self._follow(plan["id"], "completed")

    def approval(self) -> None:
        """Scenario 2: a risky change waits for a person."""
        say("Scenario 2: an approval is awaited, and given")
        item = self._item("cost", "scale_up", PUBLISHER, risk="high", count=8, min_count=1)
        with self._compared():
            answer = self._coordinate([item])
            (asked,) = answer["approvals"]
            say(f"  waiting: {asked['risk_level']} risk, to be decided by {asked['expires_at']}")
            decided = self._post(f"/coordination/approvals/{asked['id']}/approve", user_id="ada")
            say(f"  ada: {decided['message']}; plan {decided['plan_id']}")
            self._follow(decided["plan_id"], "completed")

    def failure(self) -> None:
        """Scenario 3: a step fails; the one before it is undone, the snapshot is kept."""
        say("Scenario 3: a step that fails, and the way back")
        item = self._item("cost", "optimize_workload", PUBLISHER, count=3, region=OTHER_REGION)
        with self._compared(), self._broken_region():
            (plan,) = self._coordinate([item])["execution_plans"]
            self._follow(plan["id"], "rolled_back")

    def take_back(self) -> None:
        """Roll back every plan that completed, the last first."""
        say("At the end: what was done is rolled back")
        with self._compared():
            for plan_id in reversed(self._done):
                self._post(f"/coordination/plans/{plan_id}/rollback")
                self._follow(plan_id, "rolled_back")

    def _item(
        self,
        kind: str,
        action: str,
        *services: str,
        savings: float = 100,
        risk: str = "low",
        **parameters: object,
    ) -> Json:
        return {
            "id": f"{action}-{self._mark}",
            "agent_id": f"{kind}-agent",
            "agent_type": kind,
            "customer_id": CUSTOMER,
            "type": kind,
            "title": action.replace("_", " "),
            "action": action,
            "risk_level": risk,
            "estimated_savings": float(savings),
            "affected_resources": [f"services/{name}" for name in services],
            "parameters": parameters,
            "priority": 5,
            "confidence": 0.9,
        }

    def _coordinate(self, items: list[Json]) -> Json:
        for item in items:
            say(
                f"  {item['agent_id']} recommends {item['action']} of"
                f" {', '.join(item['affected_resources'])}, saves ${item['estimated_savings']:,.0f}"
            )
        return self._post(
            "/coordination/coordinate",
            customer_id=CUSTOMER,
            recommendations=items,
            auto_approve=True,
            execute_now=True,
        )

    def _follow(self, plan_id: str, wanted: str) -> None:
        """Wait for a plan's end, and print what became of its steps."""
        deadline = time.monotonic() + PLAN_TIMEOUT_S
        while True:
            plan = checked(self._api.get(f"/coordination/plans/{plan_id}"))
            if plan["status"] not in {"pending", "running"} and "queued_at" not in plan:
                break
            if time.monotonic() > deadline:
                why = plan.get("waiting_for", f"step {plan['current_step']}")
                raise DemoFailedError(f"plan {plan_id} is still {plan['status']}: {why}")
            time.sleep(LOOK_EVERY_S)
        for step in plan["steps"]:
            undo = f", then {step['undo']}" if "undo" in step else ""
            why = f": {step['error']}" if "error" in step else ""
            say(f"    {step['action']:<18} {step['status']}{undo} ({step['duration_ms']} ms){why}")
        say(f"  plan {plan_id} is {plan['status']}")
        if plan["status"] != wanted:
            raise DemoFailedError(f"plan {plan_id} is not {wanted}: {plan.get('error')}")
        if wanted == "completed":
            self._done.append(plan_id)

    @contextmanager
    def _compared(self) -> Iterator[None]:
        """Print the services before the block and after it."""
        before = self._cloud.services()
        show("before", before)
        yield
        show("after", self._cloud.services())
        say("")

    @contextmanager
    def _broken_region(self) -> Iterator[None]:
        """Have Cloud Run refuse new services in the other region while the block runs."""
        rule = {
            "match": {"method": "run.projects.locations.services.create"},
            "reply": {"code": 400, "message": f"{OTHER_REGION} has no capacity left."},
        }
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "faults.json"
            file.write_text(json.dumps({"rules": [rule]}))
            conductor("cloud", "faults", "set", str(file), "--env", self._environment)
        say(f"  (from now on the cloud refuses new services in {OTHER_REGION})")
        try:
            yield
        finally:
            conductor("cloud", "faults", "clear", "--env", self._environment)

    def _post(self, path: str, **body: object) -> Json:
        return checked(self._api.post(path, json=body or None))


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)  # noqa: T201 - a program for people to watch


def show(when: str, services: Mapping[str, str]) -> None:
    """Print the services as the cloud has them."""
    for name, line in sorted(services.items()):
        say(f"  {when:<7} {name:<18} {line}")


def checked(answer: httpx.Response) -> Json:
    """Give an answer's document; one that refuses ends the demo."""
    if not answer.is_success:
        raise DemoFailedError(f"{answer.url.path} answered {answer.status_code}: {answer.text}")
    document: Json = answer.json()
    return document


def conductor(*words: str) -> str:
    """Run a command of the conductor and give what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "orchestration.cli.main", *words],
        check=False,
        capture_output=True,
        text=True,
        timeout=PLAN_TIMEOUT_S,
    )
    if done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip()
        raise DemoFailedError(f"`conductor {' '.join(words)}` failed: {said}")
    return done.stdout


def cloud_of(environment: str) -> Cloud:
    """Find the environment's local cloud."""
    status = json.loads(conductor("status", "--json", "--env", environment))
    cloud = status["cloud"]
    if not cloud["running"]:
        raise DemoFailedError("the local cloud does not run; run `make demo`")
    token = json.loads(Path(cloud["token_file"]).read_text(encoding="utf-8"))["deployer_token"]
    return Cloud(url=cloud["url"], project_id=status["project_id"], token=str(token))


@contextmanager
def served(environment: str) -> Iterator[str]:
    """Serve the coordination engine while the block runs; gives its URL."""
    command = ["serve", "--env", environment, "--port", "0", "--rules", str(RULES), "--json"]
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(
            [sys.executable, "-m", "orchestration.cli.main", *command],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as server,
    ):
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            if not line:
                server.wait(START_TIMEOUT_S)
                log.seek(0)
                raise DemoFailedError(f"`conductor serve` ended: {log.read().strip()}")
            yield str(json.loads(line)["url"])
        finally:
            server.terminate()


def main() -> int:
    """Go through the scenarios; 1 when one did not go as document 004 says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", default="local", help="the environment with the sample system")
    environment: str = parser.parse_args().env
    try:
        cloud = cloud_of(environment)
        with served(environment) as url, httpx.Client(base_url=url, timeout=60) as api:
            demo = Demo(api, cloud, environment)
            demo.always_on()
            demo.conflict()
            demo.approval()
            demo.failure()
            demo.take_back()
    except (DemoFailedError, httpx.HTTPError) as error:
        print(f"the demo failed: {error}", file=sys.stderr)  # noqa: T201 - as above
        return 1
    say("All three scenarios went as document 004 says, and the system is as it was.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
