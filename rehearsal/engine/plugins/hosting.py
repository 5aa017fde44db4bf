"""The providers of one deployment: made on demand, configured once, closed at the end.

A provider sees plain values; this is where secrets are stripped on the way in and marked again
on the way out.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Final, Protocol, TypeVar

from rehearsal.engine.errors import DeploymentError
from rehearsal.engine.provider import (
    CheckResult,
    CreateResult,
    DiffResult,
    OutcomeUnknownError,
    Provider,
    ProviderError,
    ProviderFactory,
    ProviderPanicError,
    ReadResult,
    ResourceInitFailedError,
)
from rehearsal.engine.state.states import ResourceState
from rehearsal.engine.values import urns
from rehearsal.engine.values.property_values import (
    EngineProperties,
    EngineValue,
    as_secret,
    differing_keys,
    has_unknowns,
    mark_secrets,
    plain_properties,
)

# Providers watch the time themselves, and say more about it.
_GRACE_S: Final = 1.0
_log = logging.getLogger(__name__)
Answer = TypeVar("Answer")


class Host(Protocol):
    """A configured provider as the engine calls it, with the engine's own values."""

    async def check(
        self, state: ResourceState, olds: EngineProperties | None
    ) -> tuple[EngineProperties, CheckResult]:
        """Validate a resource's inputs; return them completed."""
        ...

    async def diff(
        self, old: ResourceState, news: EngineProperties, ignored: Sequence[str]
    ) -> DiffResult:
        """Compare a resource with the inputs it is to have."""
        ...

    async def create(self, state: ResourceState, *, preview: bool) -> tuple[str, EngineProperties]:
        """Make a resource; return its id and outputs."""
        ...

    async def update(
        self, old: ResourceState, new: ResourceState, *, preview: bool
    ) -> EngineProperties:
        """Change a resource; return its outputs."""
        ...

    async def read(
        self, state: ResourceState
    ) -> tuple[str, EngineProperties, EngineProperties] | None:
        """Read a resource; return its id, outputs and inputs, or None when it is gone."""
        ...

    async def delete(self, state: ResourceState) -> None:
        """Delete a resource."""
        ...

    async def invoke(self, token: str, args: EngineProperties) -> EngineProperties:
        """Run a data function."""
        ...

    async def close(self) -> None:
        """Release it."""
        ...


class ProviderHost:
    """One configured provider.

    A provider whose configuration is partly unknown (in a preview) is not configured: it answers
    with what can be said without it.
    """

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._ready = False
        self._broken: ProviderError | None = None

    async def _answer(self, call: Awaitable[Answer], *, timeout_s: float = 0.0) -> Answer:
        """Wait for the provider's answer, the custom timeout and a little longer if there is one.

        Raises:
            ProviderError: whatever went wrong.
        """
        limit = asyncio.timeout(timeout_s + _GRACE_S if timeout_s else None)
        try:
            async with limit:
                return await call
        except ProviderError:
            raise
        except Exception as error:
            if limit.expired():
                raise OutcomeUnknownError(
                    f"the provider has not answered within the custom timeout of {timeout_s:g}s"
                ) from error
            _log.debug("a provider broke", exc_info=True)
            raise ProviderPanicError(f"{type(error).__name__}: {error}") from error

    async def check_config(self, inputs: EngineProperties) -> CheckResult:
        """Check the provider's own configuration."""
        return await self._answer(self._provider.check_config(plain_properties(inputs)))

    async def configure(self, inputs: EngineProperties, environ: Mapping[str, str]) -> None:
        """Configure the provider; a failure shows at its first use, on the resource affected."""
        given = {key: value for key, value in inputs.items() if key != "__internal"}
        if any(has_unknowns(value) for value in given.values()):
            return
        try:
            await self._answer(self._provider.configure(plain_properties(given), environ))
        except ProviderError as error:
            self._broken = error
        self._ready = True

    def _is_ready(self) -> bool:
        if self._broken:
            raise self._broken
        return self._ready

    async def check(
        self, state: ResourceState, olds: EngineProperties | None
    ) -> tuple[EngineProperties, CheckResult]:
        """Validate a resource's inputs."""
        if not self._is_ready():
            return state.inputs, CheckResult(plain_properties(state.inputs))
        result = await self._answer(
            self._provider.check(
                urn=state.urn,
                type_=state.type,
                olds=None if olds is None else plain_properties(olds),
                news=plain_properties(state.inputs),
            )
        )
        return mark_secrets(result.inputs, state.inputs), result

    async def diff(
        self, old: ResourceState, news: EngineProperties, ignored: Sequence[str]
    ) -> DiffResult:
        """Compare a resource with the inputs it is to have."""
        if not self._is_ready():
            return DiffResult(changes=True, diffs=differing_keys(old.inputs, news))
        return await self._answer(
            self._provider.diff(
                urn=old.urn,
                type_=old.type,
                id=old.id,
                old_outputs=plain_properties(old.outputs),
                old_inputs=plain_properties(old.inputs),
                news=plain_properties(news),
                ignore_changes=tuple(ignored),
            )
        )

    async def create(self, state: ResourceState, *, preview: bool) -> tuple[str, EngineProperties]:
        """Make a resource."""
        if not self._is_ready():
            return "", {}
        with _marking_secrets(state):
            result: CreateResult = await self._answer(
                self._provider.create(
                    urn=state.urn,
                    type_=state.type,
                    inputs=plain_properties(state.inputs),
                    timeout=state.timeout("create"),
                    preview=preview,
                ),
                timeout_s=state.timeout("create"),
            )
        if not result.id and not preview:
            raise ProviderError("the provider returned no id for the new resource")
        return result.id, secretive(state, result.outputs)

    async def update(
        self, old: ResourceState, new: ResourceState, *, preview: bool
    ) -> EngineProperties:
        """Change a resource."""
        if not self._is_ready():
            return {}
        with _marking_secrets(new):
            outputs = await self._answer(
                self._provider.update(
                    urn=new.urn,
                    type_=new.type,
                    id=old.id,
                    old_outputs=plain_properties(old.outputs),
                    old_inputs=plain_properties(old.inputs),
                    news=plain_properties(new.inputs),
                    timeout=new.timeout("update"),
                    preview=preview,
                ),
                timeout_s=new.timeout("update"),
            )
        return secretive(new, outputs)

    async def read(
        self, state: ResourceState
    ) -> tuple[str, EngineProperties, EngineProperties] | None:
        """Read a resource."""
        if not self._is_ready():
            return state.id, state.outputs, state.inputs
        result: ReadResult | None = await self._answer(
            self._provider.read(
                urn=state.urn,
                type_=state.type,
                id=state.id,
                outputs=plain_properties(state.outputs),
                inputs=plain_properties(state.inputs),
            ),
            timeout_s=state.timeout("read"),
        )
        if result is None:
            return None
        inputs = mark_secrets(result.inputs, state.inputs)
        outputs = mark_secrets(result.outputs, state.outputs)
        return result.id, secretive(state, outputs), inputs

    async def delete(self, state: ResourceState) -> None:
        """Delete a resource."""
        self._is_ready()
        await self._answer(
            self._provider.delete(
                urn=state.urn,
                type_=state.type,
                id=state.id,
                outputs=plain_properties(state.outputs),
                inputs=plain_properties(state.inputs),
                timeout=state.timeout("delete"),
            ),
            timeout_s=state.timeout("delete"),
        )

    async def invoke(self, token: str, args: EngineProperties) -> EngineProperties:
        """Run a data function."""
        if not self._is_ready():
            return {}
        return dict(await self._answer(self._provider.invoke(token, plain_properties(args))))

    async def close(self) -> None:
        """Release the provider."""
        await self._answer(self._provider.close())


class Hosts:
    """Finds the provider of a resource, starting it when it is not running yet."""

    def __init__(
        self,
        factories: Mapping[str, ProviderFactory],
        environ: Mapping[str, str],
        builtin: Host,
        recorded: Callable[[str], ResourceState | None],
    ) -> None:
        """Take what providers are made of.

        Args:
            factories: makes an unconfigured provider, by package.
            environ: where providers find credentials.
            builtin: serves the package `pulumi`.
            recorded: looks up a provider resource by its reference.
        """
        self._factories = factories
        self._environ = environ
        self._builtin = builtin
        self._recorded = recorded
        self._by_reference: dict[str, ProviderHost] = {}
        self._unconfigured: dict[str, ProviderHost] = {}
        self._made: list[ProviderHost] = []
        self._starting = asyncio.Lock()

    def make(self, package: str) -> ProviderHost:
        """Make an unconfigured provider.

        Raises:
            DeploymentError: there is none for the package.
        """
        factory = self._factories.get(package)
        if factory is None:
            known = ", ".join(sorted(self._factories)) or "none"
            raise DeploymentError(
                f"no resource plugin 'pulumi-resource-{package}' found: the embedded engine has"
                f" providers for {known}"
            )
        host = ProviderHost(factory())
        self._made.append(host)
        return host

    async def configure(self, state: ResourceState) -> None:
        """Configure the provider that a provider resource stands for."""
        package = urns.package_of(state.type)
        if package == "pulumi":
            return
        host = self._unconfigured.pop(state.urn, None) or self.make(package)
        await host.configure(state.inputs, self._environ)
        self._by_reference[urns.reference(state.urn, state.id)] = host

    async def check_config(self, state: ResourceState) -> CheckResult:
        """Check a provider resource's configuration."""
        package = urns.package_of(state.type)
        inputs = {key: value for key, value in state.inputs.items() if key != "__internal"}
        if package == "pulumi":
            return CheckResult(plain_properties(inputs))
        host = self._unconfigured[state.urn] = self.make(package)
        return await host.check_config(inputs)

    async def of(self, state: ResourceState) -> Host:
        """Return the provider of a resource."""
        return await self.referenced(state.provider)

    async def referenced(self, reference: str) -> Host:
        """Return the provider that a reference names.

        Raises:
            DeploymentError: the reference leads nowhere.
        """
        urn, _ = urns.split_reference(reference)
        if urn and urns.package_of(urns.parse(urn).type) == "pulumi":
            return self._builtin
        async with self._starting:
            if reference not in self._by_reference:
                state = self._recorded(reference)
                if state is None:
                    raise DeploymentError(f"unknown provider '{reference}'")
                await self.configure(state)
        return self._by_reference[reference]

    async def close(self) -> None:
        """Release every provider that was made."""
        # The operation is over: a connection that does not close ends with the process.
        await asyncio.gather(*(host.close() for host in self._made), return_exceptions=True)


def with_secret_outputs(
    state: ResourceState, outputs: Mapping[str, EngineValue]
) -> EngineProperties:
    """Make those outputs secret of which the program says so; never the id."""
    marked = dict(outputs)
    for key in state.additional_secret_outputs:
        if key in marked and key != "id":
            marked[key] = as_secret(marked[key])
    return marked


@contextlib.contextmanager
def _marking_secrets(state: ResourceState) -> Iterator[None]:
    """Mark what is secret in the outputs of a resource that its provider could only begin."""
    try:
        yield
    except ResourceInitFailedError as error:
        error.outputs = secretive(state, error.outputs)  # type: ignore[assignment]
        raise


def secretive(state: ResourceState, outputs: Mapping[str, EngineValue]) -> EngineProperties:
    """Mark the plain outputs of a provider as secret that inputs or the program declare so."""
    return with_secret_outputs(state, mark_secrets(outputs, state.inputs))
