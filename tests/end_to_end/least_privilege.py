"""A deployed system in which nobody has more than was planned, and the uses of each grant.

Its deployer is no owner any more, but has the roles that a deployer on Google is told to have. Who
takes grants away and gives them back is an administrator, whom no plan knows.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import httpx
from end_to_end.killing import wait_for
from end_to_end.project import Rehearsal

from architecture.grants import Grant, GrantResource, ResourceKind, plan_grants
from architecture.loading import load
from architecture.model import Architecture
from architecture.names import account_id, topic_path
from orchestration.access.policy_calls import PolicyCalls
from orchestration.director.client import RemoteDirectorClient
from orchestration.director.digests import file_digest, program_digest
from orchestration.director.messages import Command, Instruction
from orchestration.environments import Environment
from orchestration.errors import DirectorRefused, DirectorSilent
from orchestration.settings import Settings
from orchestration.targets.cloud_needs import deployer_roles
from orchestration.targets.local import LOCAL_DEPLOYER, LocalTarget
from rehearsal.cloud.tokens import Tokens

ADMINISTRATOR = "user:administrator@local.test"
PROJECT = "local-proj"
FORBIDDEN = 403
# As Cloud Scheduler says it.
PERMISSION_DENIED = 7
# How long a director may take to answer; one that cannot answer never does.
ANSWER_TIMEOUT_S = 6.0
# What Google itself grants: a dataset to whoever made it.
BY_GOOGLE = {"roles/bigquery.dataOwner", "roles/owner"}
Use = Callable[[], str]
# A resource, a role, a member.
Binding = tuple[str, str, str]


class OnlyPeople:
    """Knows no service account: the tokens made here are people's."""

    def account(self, email_or_unique_id: str) -> None:
        """Find none."""

    def is_ours(self, email: str) -> bool:
        """Say no."""
        return False


class NarrowCloud:
    """The local cloud of an environment, under an administrator, with a deployer of few roles."""

    def __init__(self, rehearsal: Rehearsal, env: str) -> None:
        started = rehearsal.run("cloud", "start", "--propagation", "none", env=env)
        assert started.returncode == 0, started.stderr
        self.folder = rehearsal.folder / ".conductor" / env / "cloud"
        record = json.loads((self.folder / "cloud.json").read_text())
        self.root = f"http://127.0.0.1:{record['port']}"
        tokens = Tokens(self.folder / "keys", OnlyPeople())
        self._tokens = {who: tokens.access_token(who) for who in (ADMINISTRATOR, LOCAL_DEPLOYER)}

    def give_deployer_only(self, roles: list[str]) -> None:
        """Make the administrator the owner, and leave the deployer these roles of the project."""
        members = {"roles/owner": ADMINISTRATOR} | dict.fromkeys(roles, LOCAL_DEPLOYER)
        bindings = [{"role": role, "members": [who]} for role, who in members.items()]
        url = f"{self.root}/resourcemanager/v1/projects/{PROJECT}:setIamPolicy"
        self.ask("POST", url, {"policy": {"bindings": bindings}}, who=LOCAL_DEPLOYER)

    def ask(
        self, method: str, url: str, body: object = None, *, who: str = ADMINISTRATOR
    ) -> dict[str, Any]:
        """Make a call that works, as the administrator."""
        answer = self.try_to(method, url, body, who=who)
        assert answer.is_success, f"{method} {url}: {answer.text}"
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found

    def try_to(self, method: str, url: str, body: object = None, *, who: str) -> httpx.Response:
        """Make a call that may be refused."""
        headers = {"Authorization": f"Bearer {self._tokens[who]}"}
        return httpx.request(method, url, json=body, headers=headers, timeout=30)

    def visit(self, method: str, service_url: str, path: str) -> httpx.Response:
        """Call a service as the administrator."""
        minted = self.ask("GET", f"{self.root}/_local/identity-token?audience={service_url}")
        headers = {"Authorization": f"Bearer {minted['token']}"}
        return httpx.request(method, f"{service_url}{path}", headers=headers, timeout=60)

    def services(self) -> dict[str, dict[str, Any]]:
        """Say of each service where it is and which process it is."""
        url = f"{self.root}/_local/services"
        listed = self.ask("GET", url, who=LOCAL_DEPLOYER)["services"]
        return {item["name"].rpartition("/")[2]: item for item in listed}

    def bindings(self) -> set[Binding]:
        """Give every member's role on every resource."""
        state = f"file:{self.folder / 'state.sqlite'}?mode=ro"
        with closing(sqlite3.connect(state, uri=True)) as database:
            rows = database.execute("SELECT name, body FROM bodies WHERE kind = 'iam.policies'")
            return {
                (name, binding["role"], member)
                for name, body in rows
                for binding in json.loads(body)["policy"].get("bindings", ())
                for member in binding["members"]
            }


class LeastPrivilege:
    """An architecture, deployed with placeholders and with nothing but its planned grants."""

    def __init__(
        self, rehearsal: Rehearsal, file: Path, env: str, *, secrets: tuple[str, ...] = ()
    ) -> None:
        self.rehearsal = rehearsal
        self.env = env
        self.cloud = NarrowCloud(rehearsal, env)
        roles = [role.role for role in deployer_roles(load(file).architecture)]
        self._standing = {(f"projects/{PROJECT}", role, LOCAL_DEPLOYER) for role in roles}
        self.cloud.give_deployer_only(roles)
        for secret in secrets:
            rehearsal.set_secret(secret, "a value", env=env)
        nothing = rehearsal.folder / "no-sources"
        said = ["--placeholders", "--source-root", str(nothing), "--propagation", "none"]
        done = rehearsal.run("up", str(file), "--target", "local", *said, env=env)
        assert done.returncode == 0, done.stdout + done.stderr

    @cached_property
    def architecture(self) -> Architecture:
        """The architecture as it was deployed."""
        return load(self._environment.architecture_file).architecture

    @cached_property
    def planned(self) -> tuple[Grant, ...]:
        """Every planned grant."""
        return plan_grants(self.architecture, deployer=LOCAL_DEPLOYER).all

    def planned_bindings(self) -> set[Binding]:
        """Give the bindings that there are to be: what is planned, and the deployer's own roles."""
        plan = plan_grants(self.architecture, deployer=LOCAL_DEPLOYER)
        number = self.cloud.ask("GET", f"{self._root('resourcemanager')}/projects/{PROJECT}")
        planned = {
            (
                self._path(grant.resource),
                grant.role,
                grant.member.replace("PROJECT_NUMBER", str(number["projectNumber"])),
            )
            for grant in (*plan.all, *plan.agents)
        }
        return planned | self._standing

    def bindings(self) -> set[Binding]:
        """Give the bindings there are, but for those that Google makes."""
        return {one for one in self.cloud.bindings() if one[1] not in BY_GOOGLE}

    @contextmanager
    def without(self, grant: Grant) -> Iterator[None]:
        """Take a grant away for a while."""
        call = self._calls.policy(grant.resource)
        held = self.cloud.ask(call.method, call.url, call.body)
        part, left = _without(grant, held)
        assert left != held[part], f"{grant} is not there"
        set_to = partial(self._set_policy, grant.resource, call.url)
        set_to({part: left})
        try:
            yield
        finally:
            set_to({part: held[part]})

    def _set_policy(self, resource: GrantResource, url: str, policy: dict[str, Any]) -> None:
        match resource.kind:
            case ResourceKind.BUCKET:
                self.cloud.ask("PUT", url, policy)
            case ResourceKind.DATASET:
                self.cloud.ask("PATCH", url, policy)
            case _:
                body = {"policy": policy}
                self.cloud.ask("POST", url.replace(":getIamPolicy", ":setIamPolicy"), body)

    def use_of(self, grant: Grant) -> Use:
        """Find what a grant is for: it says what came of it, nothing if it worked."""
        email = (
            grant.resource.name
            if grant.member == LOCAL_DEPLOYER
            else grant.member.partition(":")[2]
        )
        account = email.partition("@")[0]
        job = self._schedules.get(account)
        if grant.role == "roles/iam.serviceAccountTokenCreator":
            return partial(self._impersonate, email)
        if grant.role == "roles/iam.serviceAccountUser":
            return partial(self._deploy, account) if job is None else partial(self._change, job)
        if job is not None:
            return partial(self._call_by, job)
        if account == account_id(self.architecture.director.service_account, PROJECT):
            return self._command_director
        return partial(self._use_of_placeholder, grant, account)

    @cached_property
    def _schedules(self) -> dict[str, str]:
        """Give the URL of the schedule of each account that no service runs as."""
        services = {
            account_id(service.service_account, PROJECT)
            for service in self.architecture.all_services()
        }
        root = f"{self._root('cloudscheduler')}/projects/{PROJECT}/locations"
        return {
            account_id(job.service_account, PROJECT): (
                f"{root}/{self.architecture.region}/jobs/{job.name}"
            )
            for flow in self.architecture.dataflows.values()
            for job in flow.resources.cloud_scheduler_jobs
            if account_id(job.service_account, PROJECT) not in services
        }

    def _change(self, job: str) -> str:
        body = self.cloud.ask("GET", job) | {"description": uuid.uuid4().hex}
        return _refusal(self.cloud.try_to("PATCH", job, body, who=LOCAL_DEPLOYER))

    def _call_by(self, job: str) -> str:
        """Have a schedule call its service now."""
        before = self.cloud.ask("GET", job).get("lastAttemptTime")
        self.cloud.ask("POST", f"{job}:run", {})

        def attempted() -> dict[str, Any] | None:
            now = self.cloud.ask("GET", job)
            return now if now.get("lastAttemptTime") != before and "status" in now else None

        code = wait_for(attempted)["status"].get("code", 0)
        return f"{FORBIDDEN}" if code == PERMISSION_DENIED else "" if code == 0 else str(code)

    def placeholder_grants(self) -> list[dict[str, Any]]:
        """Have every placeholder use all of its grants."""
        return [
            {**entry, "service": name}
            for name, service in self.cloud.services().items()
            if name != self.architecture.director.name
            for entry in self.cloud.visit("POST", service["uri"], "/grants").json()["grants"]
        ]

    def _use_of_placeholder(self, grant: Grant, account: str) -> str:
        on = grant.resource
        wanted = (grant.role, str(on.kind), on.name)
        services = {
            service.name
            for service in self.architecture.all_services()
            if account_id(service.service_account, PROJECT) == account
        }
        used = [entry for entry in self.placeholder_grants() if entry["service"] in services]
        mine = [one for one in used if (one["role"], one["kind"], one["name"]) == wanted]
        others = [one for one in used if one not in mine and one["works"] is not True]
        assert mine, f"no placeholder has {grant}"
        assert not others, f"without {grant} there fail also {others}"
        return "; ".join(str(one["outcome"]) for one in mine if one["works"] is not True)

    def _impersonate(self, email: str) -> str:
        url = f"{self._root('iamcredentials')}/projects/-/serviceAccounts/{email}"
        body = {"scope": ["https://www.googleapis.com/auth/cloud-platform"]}
        call = f"{url}:generateAccessToken"
        return _refusal(self.cloud.try_to("POST", call, body, who=LOCAL_DEPLOYER))

    def _deploy(self, account: str) -> str:
        """Deploy a service that runs as an account anew, as the deployer does."""
        name, region = next(
            (service.name, service.deployment.region or self.architecture.region)
            for service in self.architecture.all_services()
            if service.deployment and account_id(service.service_account, PROJECT) == account
        )
        root = self._root("run")
        url = f"{root}/projects/{PROJECT}/locations/{region}/services/{name}"
        body = self.cloud.ask("GET", url)
        body["template"].setdefault("labels", {})["again"] = uuid.uuid4().hex
        answer = self.cloud.try_to("PATCH", url, body, who=LOCAL_DEPLOYER)
        if not answer.is_success:
            return _refusal(answer)
        operation = f"{root}/{answer.json()['name']}"
        done = wait_for(lambda: _if_done(self.cloud.ask("GET", operation)))
        return str(done.get("error", ""))

    def _command_director(self) -> str:
        """Have the director set a dataflow up again, where there is nothing to change."""
        run_id = f"run-{uuid.uuid4().hex[:8]}"
        director = self.architecture.director
        seen = len(self._denied())
        with RemoteDirectorClient(
            run_id=run_id,
            command_topic=topic_path(PROJECT, director.command_topic.name),
            completion_topic=topic_path(PROJECT, director.completion_topic.name),
            publisher=self._target.publisher(),
            subscriber=self._target.subscriber(),
            first_resend_s=1.0,
        ) as client:
            try:
                client.call(self._command(run_id), ANSWER_TIMEOUT_S)
            except DirectorRefused as error:
                return f"{error.message} {self._denied()[seen:]}"
            except DirectorSilent:
                return f"silent: {self._denied()[seen:]}"
        return ""

    def _command(self, run_id: str) -> Command:
        flow = next(iter(self.architecture.application_dataflows()))
        return Command(
            instruction=Instruction.SETUP,
            command_id=uuid.uuid4().hex,
            run_id=run_id,
            environment=self.env,
            dataflow=flow,
            generation=int(datetime.now(UTC).timestamp()),
            deadline=datetime.now(UTC) + timedelta(seconds=ANSWER_TIMEOUT_S),
            architecture_sha256=file_digest(self._environment.architecture_file),
            program_sha256=program_digest(self.rehearsal.folder),
            traceparent="00-1-2-01",
        )

    def _denied(self) -> list[str]:
        """Give the director's calls that were answered with 403."""
        account = account_id(self.architecture.director.service_account, PROJECT)
        lines = (self.cloud.folder / "calls.jsonl").read_text().splitlines()
        calls: list[Mapping[str, Any]] = [json.loads(line) for line in lines if line.endswith("}")]
        return [
            f"{call['code']} {call['method']} {call['resource']}"
            for call in calls
            if call["code"] == FORBIDDEN and f":{account}@" in call["principal"]
        ]

    def _path(self, resource: GrantResource) -> str:
        """Give the path that the local cloud keeps a resource's policy under."""
        if resource.kind is ResourceKind.BUCKET:
            return f"projects/_/buckets/{resource.name}"
        _, _, path = self._calls.policy(resource).url.partition("/projects/")
        return f"projects/{path}".removesuffix(":getIamPolicy")

    @cached_property
    def _environment(self) -> Environment:
        return Environment(self.env, Settings(self.rehearsal.folder.resolve()))

    @cached_property
    def _target(self) -> LocalTarget:
        region = self.architecture.region
        return LocalTarget(self._environment, project_id=PROJECT, region=region, propagation="none")

    @cached_property
    def _calls(self) -> PolicyCalls:
        return PolicyCalls(PROJECT, self._target.endpoints())

    def _root(self, api: str) -> str:
        return str(self._target.endpoints()[api])


def _without(grant: Grant, policy: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """Give what is left of a policy, or of a dataset's list of access, and its name in there."""
    if grant.resource.kind is ResourceKind.DATASET:
        email = grant.member.partition(":")[2]
        return "access", [one for one in policy["access"] if one.get("userByEmail") != email]
    return "bindings", [
        {**binding, "members": [one for one in binding["members"] if one != grant.member]}
        if binding["role"] == grant.role
        else binding
        for binding in policy["bindings"]
    ]


def _refusal(answer: httpx.Response) -> str:
    return "" if answer.is_success else f"{answer.status_code} {answer.text}"


def _if_done(operation: dict[str, Any]) -> dict[str, Any] | None:
    return operation if operation.get("done") else None


def kind_of(grant: Grant) -> tuple[ResourceKind, str]:
    """Say what kind of grant it is: two of a kind are used alike."""
    return grant.resource.kind, grant.role
