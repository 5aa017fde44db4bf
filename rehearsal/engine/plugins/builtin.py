"""The package `pulumi` itself: references to other stacks, and values kept in the state."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from rehearsal.engine.errors import CommandFailedError, DeploymentError
from rehearsal.engine.plugins.hosting import with_secret_outputs
from rehearsal.engine.provider import CheckFailure, CheckResult, DiffResult, ProviderError
from rehearsal.engine.state.states import ResourceState
from rehearsal.engine.values import urns
from rehearsal.engine.values.property_values import (
    EngineProperties,
    differing_keys,
    has_secrets,
    plain,
    plain_properties,
)

_STASH: Final = "pulumi:index:Stash"
_INPUT_OF: Final[Mapping[str, str]] = {urns.STACK_REFERENCE_TYPE: "name", _STASH: "input"}
_READ_OUTPUTS: Final = "pulumi:pulumi:readStackOutputs"
_GET_RESOURCE: Final = "pulumi:pulumi:getResource"
StackOutputs = Callable[[str], EngineProperties]
ResourceLookup = Callable[[str], ResourceState | None]


class BuiltinHost:
    """Serves `pulumi:pulumi:StackReference`, `pulumi:index:Stash` and their relatives."""

    def __init__(self, stack_outputs: StackOutputs, registered: ResourceLookup) -> None:
        """Take the ways to look up another stack's outputs and a resource of this run."""
        self._stack_outputs = stack_outputs
        self._registered = registered

    async def check(
        self, state: ResourceState, olds: EngineProperties | None
    ) -> tuple[EngineProperties, CheckResult]:
        """Take the one input that each of the types has."""
        del olds
        known = _INPUT_OF.get(state.type)
        if known is None:
            raise DeploymentError(f"unrecognized resource type '{state.type}'", state.urn)
        failures = [
            CheckFailure(f'unknown property "{key}"', key) for key in state.inputs if key != known
        ]
        if known not in state.inputs:
            failures.append(CheckFailure(f'missing required property "{known}"', known))
        return state.inputs, CheckResult(plain_properties(state.inputs), tuple(failures))

    async def diff(
        self, old: ResourceState, news: EngineProperties, ignored: Sequence[str]
    ) -> DiffResult:
        """Update a stash whose input differs; another reference is another resource."""
        del ignored
        keys = differing_keys(old.inputs, news)
        if old.type == _STASH:
            return DiffResult(changes=bool(keys), diffs=keys, detailed=None)
        return DiffResult(changes=bool(keys), replaces=keys, detailed=None)

    async def create(self, state: ResourceState, *, preview: bool) -> tuple[str, EngineProperties]:
        """Fill a stash; a stack reference is read, never created."""
        if state.type != _STASH:
            raise ProviderError(f"resources of type {state.type} cannot be created")
        given = state.inputs["input"]
        outputs = with_secret_outputs(state, {"input": given, "output": given})
        return "" if preview else str(uuid.uuid4()), outputs

    async def update(
        self, old: ResourceState, new: ResourceState, *, preview: bool
    ) -> EngineProperties:
        """Note the new input of a stash, which goes on to hold what it was made with."""
        del preview
        if new.type != _STASH:
            raise ProviderError(f"resources of type {new.type} cannot be updated")
        stashed: EngineProperties = {
            "input": new.inputs["input"],
            "output": old.outputs.get("output"),
        }
        return with_secret_outputs(new, stashed)

    async def delete(self, state: ResourceState) -> None:
        """Forget a reference, or what was stashed."""

    async def read(
        self, state: ResourceState
    ) -> tuple[str, EngineProperties, EngineProperties] | None:
        """Read the outputs of the stack that a reference names; a stash is what is recorded."""
        if state.type == _STASH:
            return state.id, state.outputs, state.inputs
        if state.type != urns.STACK_REFERENCE_TYPE:
            raise ProviderError(f"unrecognized resource type '{state.type}'")
        name = str(plain(state.inputs.get("name", state.id)))
        outputs = await self._outputs_of(name)
        return (
            state.id,
            {
                "name": name,
                "outputs": outputs,
                "secretOutputNames": sorted(
                    key for key, value in outputs.items() if has_secrets(value)
                ),
            },
            state.inputs,
        )

    async def invoke(self, token: str, args: EngineProperties) -> EngineProperties:
        """Run `readStackOutputs` or `getResource`."""
        if token == _READ_OUTPUTS:
            name = str(plain(args.get("stackName", "")))
            return {"name": name, "outputs": await self._outputs_of(name)}
        if token == _GET_RESOURCE:
            urn = str(plain(args.get("urn", "")))
            state = self._registered(urn)
            if state is None:
                raise ProviderError(f"could not find resource {urn}")
            return {
                "urn": urn,
                "id": state.id,
                "provider": state.provider,
                "state": state.outputs if state.custom or state.outputs else state.inputs,
            }
        raise ProviderError(f"unrecognized function name: '{token}'")

    async def close(self) -> None:
        """Nothing is held."""

    async def _outputs_of(self, name: str) -> EngineProperties:
        try:
            # It may have to derive another stack's key.
            return await asyncio.to_thread(self._stack_outputs, name)
        except CommandFailedError as error:
            raise ProviderError(str(error)) from error
