"""Phase 1: the target usable, the deployer allowed, secrets there, stacks configured.

All findings come in one report: somebody who mends one thing at a time learns of the next only
after another run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus

import httpx

from architecture.model import Architecture
from architecture.names import stack_name
from orchestration.automation.config import StackConfigFiles
from orchestration.automation.results import Json
from orchestration.automation.stacks import StackOperations
from orchestration.conductor.state import PlanOutcome
from orchestration.director.digests import PROGRAM_VARIABLE, program_digest
from orchestration.environments import Environment
from orchestration.errors import CloudUnreachable, PrerequisitesMissing
from orchestration.targets.builders import DAEMON_KEY
from orchestration.targets.target import Target

# What the deployer's stacks call, one permission for each kind of resource (Google's IAM
# permissions reference). Roles: see docs of each service; `roles/owner` has all of them.
NEEDED_PERMISSIONS = (
    "artifactregistry.repositories.create",
    "artifactregistry.repositories.uploadArtifacts",
    "iam.roles.create",
    "iam.serviceAccounts.actAs",
    "iam.serviceAccounts.create",
    "pubsub.subscriptions.create",
    "pubsub.topics.create",
    "resourcemanager.projects.setIamPolicy",
    "run.services.create",
    "run.services.setIamPolicy",
    "serviceusage.services.enable",
)
SCHEDULE_PERMISSIONS = ("cloudscheduler.jobs.create",)
TIMEOUT_S = 30.0
SHOWN_CHARACTERS = 300


class PrerequisitesCheck:
    """Makes the target usable and checks what the run needs."""

    def __init__(
        self,
        environment: Environment,
        architecture: Architecture,
        target: Target,
        operations: StackOperations,
    ) -> None:
        self._environment = environment
        self._architecture = architecture
        self._target = target
        self._operations = operations

    def check(self, plan: PlanOutcome) -> None:
        """Prepare the target, check, then configure every stack.

        Raises:
            PrerequisitesMissing: with every finding.
            CloudUnreachable: the target does not answer.
        """
        self._target.prepare()
        findings = tuple(self._findings())
        if findings:
            raise PrerequisitesMissing(
                f"{len(findings)} prerequisite{'s' if len(findings) > 1 else ''} missing",
                findings=findings,
            )
        self.configure_stacks(plan)

    def configure_stacks(self, plan: PlanOutcome) -> None:
        """Write the configuration of every stack; the first one made gives the others its salt."""
        files = StackConfigFiles(
            self._environment.settings.stack_config_dir, self._environment.name
        )
        first, *others = stacks_of(self._environment.name, plan)
        values = stack_config(self._environment, self._target)
        files.write(first, values)
        self._operations.create(first)
        images = stack_name(self._environment.name, "images")
        for stack in others:
            if stack == images:
                own = {**values, **self._target.images_config()}
                # A daemon of an earlier choice must not be found any more.
                files.write(stack, own, without=(DAEMON_KEY,))
            else:
                files.write(stack, values)

    def _findings(self) -> Iterator[str]:
        allowed = self._allowed()
        for permission in self._needed():
            if permission not in allowed:
                yield (
                    f"{self._target.deployer} lacks {permission} on project"
                    f" {self._target.project_id}"
                )
        for secret, version in self._secrets():
            if problem := self._secret_problem(secret, version):
                yield (
                    f"{problem}: give it a value with `conductor secrets set {secret}"
                    f" --env {self._environment.name}`"
                )

    def _needed(self) -> tuple[str, ...]:
        has_schedules = any(
            flow.resources.cloud_scheduler_jobs for flow in self._architecture.dataflows.values()
        )
        return (*NEEDED_PERMISSIONS, *(SCHEDULE_PERMISSIONS if has_schedules else ()))

    def _allowed(self) -> frozenset[str]:
        base = self._target.endpoints()["resourcemanager"]
        answer = self._call(
            "POST",
            f"{base}/projects/{self._target.project_id}:testIamPermissions",
            {"permissions": list(self._needed())},
        )
        _require_answer(answer)
        return frozenset(answer.json().get("permissions", []))

    def _secrets(self) -> list[tuple[str, str]]:
        """Give each secret that is read with its version; one without a version is the latest."""
        named = {
            (variable.value_from, str(variable.version or "latest"))
            for service in self._architecture.all_services()
            if service.deployment is not None
            for variable in service.deployment.secret_environment_vars
        }
        return sorted(named)

    def _secret_problem(self, secret: str, version: str) -> str:
        """Say what is wrong with a secret's version; nothing if it can be read."""
        project = self._target.project_id
        base = f"{self._target.endpoints()['secretmanager']}/projects/{project}/secrets/{secret}"
        answer = self._call("GET", f"{base}/versions/{version}", None)
        # An API that was never enabled has no secrets; phase 2 enables it.
        if answer.status_code == HTTPStatus.NOT_FOUND or "SERVICE_DISABLED" in answer.text:
            if self._call("GET", base, None).is_success:
                return f"secret {secret} has no version {version} in project {project}"
            return f"secret {secret} does not exist in project {project}"
        _require_answer(answer)
        state = answer.json().get("state")
        if state != "ENABLED":
            return f"version {version} of secret {secret} is {str(state).lower()}"
        return ""

    def _call(self, method: str, url: str, body: Mapping[str, Json] | None) -> httpx.Response:
        try:
            return httpx.request(
                method,
                url,
                json=body,
                headers={"Authorization": f"Bearer {self._target.access_token()}"},
                timeout=TIMEOUT_S,
            )
        except httpx.HTTPError as error:
            raise CloudUnreachable(f"{url} does not answer: {error}") from error


def _require_answer(answer: httpx.Response) -> None:
    if not answer.is_success:
        raise CloudUnreachable(
            f"{answer.url} answers {answer.status_code}: {answer.text[:SHOWN_CHARACTERS]}"
        )


def stacks_of(environment: str, plan: PlanOutcome) -> tuple[str, ...]:
    """Name an environment's stacks in the order in which they depend on each other."""
    ordered = [name for level in plan.levels for name in level]
    return (
        stack_name(environment, "foundation"),
        stack_name(environment, "images"),
        stack_name(environment, "director"),
        *(stack_name(environment, "dataflow", name) for name in plan.dataflows),
        *(stack_name(environment, "services", name) for name in ordered),
    )


def stack_config(environment: Environment, target: Target) -> dict[str, Json]:
    """Give the configuration that every stack of the environment has."""
    project = environment.settings.project_dir

    def relative(path: str) -> str:
        return path.removeprefix(f"{project}/")

    return {
        "conductor:architecture": relative(str(environment.architecture_file)),
        "conductor:overrides": relative(str(environment.overrides_file)),
        "conductor:contexts": relative(str(environment.contexts_dir)),
        "conductor:environment": environment.name,
        "conductor:target": target.name.value,
        "conductor:directorEnvironment": {
            **target.director_environment(),
            # A director runs the program that it was started with: another program, another one.
            PROGRAM_VARIABLE: program_digest(project),
        },
        **target.stack_config(),
    }
