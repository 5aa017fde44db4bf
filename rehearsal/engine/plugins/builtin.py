"""The package `pulumi` itself: references to other stacks' outputs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from rehearsal.engine.errors import CommandFailedError
from rehearsal.engine.provider import CheckResult, DiffResult, ProviderError
from rehearsal.engine.state.states import ResourceState
from rehearsal.engine.values import urns
from rehearsal.engine.values.property_values import (
    EngineProperties,
    differing_keys,
    has_secrets,
    plain,
    plain_properties,
)

_READ_OUTPUTS: Final = "pulumi:pulumi:readStackOutputs"
_GET_RESOURCE: Final = "pulumi:pulumi:getResource"
StackOutputs = Callable[[str], EngineProperties]
ResourceLookup = Callable[[str], ResourceState | None]


class BuiltinHost:
    """Serves `pulumi:pulumi:StackReference` and its relatives."""

    def __init__(self, stack_outputs: StackOutputs, registered: ResourceLookup) -> None:
        """Take the ways to look up another stack's outputs and a resource of this run."""
        self._stack_outputs = stack_outputs
        self._registered = registered

    async def check(
        self, state: ResourceState, olds: EngineProperties | None
    ) -> tuple[EngineProperties, CheckResult]:
        """Accept any inputs: there is nothing to complete."""
        del olds
        return state.inputs, CheckResult(plain_properties(state.inputs))

    async def diff(
        self, old: ResourceState, news: EngineProperties, ignored: Sequence[str]
    ) -> DiffResult:
        """Replace on any difference."""
        del ignored
        keys = differing_keys(old.inputs, news)
        return DiffResult(changes=bool(keys), diffs=keys, replaces=keys)

    async def create(self, state: ResourceState, *, preview: bool) -> tuple[str, EngineProperties]:
        """Refuse: a stack reference is read, never created."""
        del preview
        raise ProviderError(f"resources of type {state.type} cannot be created")

    async def update(
        self, old: ResourceState, new: ResourceState, *, preview: bool
    ) -> EngineProperties:
        """Refuse: a stack reference never changes in place."""
        del old, preview
        raise ProviderError(f"resources of type {new.type} cannot be updated")

    async def delete(self, state: ResourceState) -> None:
        """Forget a reference."""

    async def read(
        self, state: ResourceState
    ) -> tuple[str, EngineProperties, EngineProperties] | None:
        """Read the outputs of the stack that a reference names."""
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
