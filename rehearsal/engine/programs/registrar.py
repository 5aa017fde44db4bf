"""Takes registrations from a program to finished resources, and finds providers for them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from pulumi.runtime.proto import resource_pb2

from rehearsal.engine.errors import DeploymentError
from rehearsal.engine.executor.deletion import delete_unwanted
from rehearsal.engine.executor.executor import Executor, Result
from rehearsal.engine.planner import goals
from rehearsal.engine.planner.deployment import Deployment
from rehearsal.engine.planner.goals import Goal, Registered
from rehearsal.engine.planner.planner import Planner
from rehearsal.engine.state.states import ResourceState
from rehearsal.engine.state.steps import Op, Step
from rehearsal.engine.values import urns, wire
from rehearsal.engine.values.property_values import EngineProperties, Secret


class Registrar:
    """What a program's registrations lead to."""

    def __init__(self, deployment: Deployment, executor: Executor) -> None:
        self._deployment = deployment
        self._executor = executor
        self._planner = Planner(deployment)
        self._planning = asyncio.Lock()
        self._parents: dict[str, Registered] = {}
        self._defaults: dict[tuple[str, str, str], asyncio.Task[str]] = {}
        self._deletions: asyncio.Task[None] | None = None

    async def register(
        self, request: resource_pb2.RegisterResourceRequest
    ) -> tuple[Result, ResourceState]:
        """Bring one resource to what the program asks for.

        Raises:
            DeploymentError: the request breaks a rule, or the provider refuses it.
        """
        deployment = self._deployment
        goal = goals.build(
            request,
            stack=deployment.ref.name,
            project=deployment.project.name,
            root=deployment.project.root,
            parents=self._parents,
        )
        state = goal.state
        if state.is_provider:
            _complete_provider(state, request.version, request.pluginDownloadURL)
        elif state.custom:
            state.provider = request.provider or await self._provider_of(
                state.type, goal.providers, request.version, request.pluginDownloadURL, state.urn
            )
        return await self._carry_out(goal)

    async def read(self, request: resource_pb2.ReadResourceRequest) -> tuple[Result, ResourceState]:
        """Read a resource that this stack does not manage."""
        deployment = self._deployment
        inherited = goals.parent_of(request.parent, self._parents)
        state = ResourceState(
            urn=urns.make(
                deployment.ref.name,
                deployment.project.name,
                request.type,
                request.name,
                request.parent,
            ),
            type=request.type,
            custom=True,
            external=True,
            id=request.id,
            inputs=wire.decode(request.properties),
            parent=request.parent,
            dependencies=list(request.dependencies),
            additional_secret_outputs=list(request.additionalSecretOutputs),
        )
        state.source_position = goals.position_text(request.sourcePosition, deployment.project.root)
        state.provider = request.provider or await self._provider_of(
            state.type,
            inherited.goal.providers if inherited else {},
            request.version,
            request.pluginDownloadURL,
            state.urn,
        )
        self._parents[state.urn] = Registered(Goal(state))
        if self._needs_failed(state):
            return Result.SKIPPED, state
        async with self._planning:
            steps = self._planner.plan_read(state)
            deployment.registered[state.urn] = state
        return await self._executor.run(steps), state

    async def invoke(self, request: resource_pb2.ResourceInvokeRequest) -> EngineProperties:
        """Run a data function."""
        inherited = self._parents.get(request.parent)
        reference = request.provider or await self._provider_of(
            request.tok,
            inherited.goal.providers if inherited else {},
            request.version,
            request.pluginDownloadURL,
            request.tok,
        )
        host = await self._deployment.hosts.referenced(reference)
        return await host.invoke(request.tok, wire.decode(request.args))

    def register_outputs(self, urn: str, outputs: EngineProperties) -> None:
        """Take the outputs of a component, or of the stack itself (kept until the end).

        Raises:
            DeploymentError: the resource was never registered.
        """
        deployment = self._deployment
        state = deployment.registered.get(urn)
        if state is None:
            raise DeploymentError(f"cannot register outputs for unknown resource {urn}")
        if state.type == urns.ROOT_TYPE:
            deployment.root_outputs = outputs
            return
        changed = state.outputs != outputs
        state.outputs = outputs
        if changed:
            deployment.recorder.write()
        deployment.events.step_finished(deployment.steps[urn])

    async def delete_unwanted(self) -> None:
        """Delete what the program did not register; asked twice it happens once."""
        if self._deletions is None:
            self._deletions = asyncio.create_task(
                delete_unwanted(self._deployment, self._executor, self._planner.seen)
            )
        await asyncio.shield(self._deletions)

    async def _carry_out(self, goal: Goal) -> tuple[Result, ResourceState]:
        deployment = self._deployment
        if self._needs_failed(goal.state):
            self._parents[goal.urn] = Registered(goal)
            return Result.SKIPPED, goal.state
        async with self._planning:
            plan = await self._planner.plan(goal)
            goal.state = plan.state
            deployment.registered[goal.urn] = plan.state
            self._parents[goal.urn] = Registered(goal, plan.old_urn)
            deployment.steps[goal.urn] = _telling(plan.steps)
        result = await self._executor.run(plan.steps)
        return result, deployment.steps[goal.urn].new or plan.state

    def _needs_failed(self, state: ResourceState) -> bool:
        """Tell whether a resource must be left as it is because one that it needs has failed."""
        failed = self._deployment.failed_urns
        if failed.isdisjoint(state.required()):
            return False
        failed.add(state.urn)
        self._planner.leave_out(state.urn)
        return True

    async def _provider_of(
        self, token: str, chosen: dict[str, str], version: str, url: str, asked_by: str
    ) -> str:
        """Return the reference of the provider for a type or function."""
        package = urns.package_of(token)
        if package in chosen:
            return chosen[package]
        disabled = self._deployment.config.get("pulumi:disable-default-providers")
        if disabled and (f'"{package}"' in disabled.text or '"*"' in disabled.text):
            raise DeploymentError(
                f"Default provider for '{package}' disabled. '{asked_by}' must use an explicit"
                " provider."
            )
        key = (package, "" if package == "pulumi" else version, url)
        if key not in self._defaults:
            self._defaults[key] = asyncio.create_task(self._make_default(*key))
        return await asyncio.shield(self._defaults[key])

    async def _make_default(self, package: str, version: str, url: str) -> str:
        deployment = self._deployment
        suffix = re.sub(r"[^A-Za-z0-9]+", "_", "_".join(part for part in (version, url) if part))
        type_ = f"{urns.PROVIDER_PREFIX}{package}"
        state = ResourceState(
            urn=urns.make(
                deployment.ref.name,
                deployment.project.name,
                type_,
                f"default_{suffix}" if suffix else "default",
            ),
            type=type_,
            custom=True,
        )
        if package != "pulumi":
            for key, value in deployment.config.items():
                namespace, _, name = key.partition(":")
                if namespace == package:
                    state.inputs[name] = Secret(value.text) if value.secret else value.text
            _complete_provider(state, version, url)
        result, made = await self._carry_out(Goal(state))
        if result is not Result.DONE:
            raise DeploymentError(f"the default provider for '{package}' could not be made")
        return urns.reference(made.urn, made.id)


def _complete_provider(state: ResourceState, version: str, url: str) -> None:
    if version:
        state.inputs["version"] = version
    state.inputs["__internal"] = {"pluginDownloadURL": url} if url else {}


def _telling(steps: Sequence[Step]) -> Step:
    """Pick the step whose metadata later events about the resource carry."""
    return next(
        (step for step in reversed(steps) if step.new is not None and step.op is not Op.REPLACE),
        steps[-1],
    )
