"""The gcp provider: finds the resource type of a call and hands it over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rehearsal.engine.provider import (
    CheckResult,
    CreateResult,
    DiffResult,
    Properties,
    ProviderError,
    ReadResult,
    Unknown,
    Value,
)
from rehearsal.providers.gcp.catalogue import RESOURCE_TYPES
from rehearsal.providers.gcp.functions import FUNCTIONS
from rehearsal.providers.gcp.policies import PolicyEditor
from rehearsal.providers.gcp.resource import Cloud, ResourceType
from rehearsal.providers.gcp.settings import Settings, check_endpoints, read_settings
from rehearsal.providers.properties import optional_text, plain
from rehearsal.providers.rest import Patience, RestClient

_TOKEN_VARIABLE = "GOOGLE_OAUTH_ACCESS_TOKEN"  # noqa: S105 - a variable's name, no secret.


class GcpProvider:
    """The resource types and functions of the `gcp` package, against the local cloud."""

    def __init__(self, patience: Patience | None = None) -> None:
        self._patience = patience
        self._settings = Settings()
        self._cloud: Cloud | None = None

    async def check_config(self, inputs: Properties) -> CheckResult:
        """Refuse endpoints that are not on this machine."""
        return CheckResult(inputs, check_endpoints(inputs))

    async def configure(self, inputs: Properties, environ: Mapping[str, str]) -> None:
        """Take the configuration; the access token comes from the environment."""
        await self.close()
        self._settings = read_settings(inputs)
        token = environ.get(_TOKEN_VARIABLE, "") or optional_text(inputs, "accessToken")
        rest = RestClient(token, self._patience)
        self._cloud = Cloud(rest, self._settings, PolicyEditor(rest))

    @property
    def _ready(self) -> Cloud:
        if self._cloud is None:
            raise ProviderError("the gcp provider is not configured")
        return self._cloud

    async def check(
        self, *, urn: str, type_: str, olds: Properties | None, news: Properties
    ) -> CheckResult:
        """Validate inputs and fill in defaults."""
        del urn, olds
        return _resource_type(type_).check(news, self._settings)

    async def diff(
        self,
        *,
        urn: str,
        type_: str,
        id: str,  # noqa: A002 - the protocol's name of it.
        old_outputs: Properties,
        old_inputs: Properties,
        news: Properties,
        ignore_changes: Sequence[str] = (),
    ) -> DiffResult:
        """Compare the recorded state with what is asked for now."""
        del urn
        resource_type = _resource_type(type_)
        values = resource_type.values(news, self._settings)
        # What the API never answers is known from the inputs only.
        state: dict[str, Value] = {**plain(old_inputs), **old_outputs}
        result = resource_type.compare(state, values).result(ignore_changes)
        if not result.replaces:
            return result
        new_id = resource_type.resource_id(values)
        return DiffResult(
            changes=result.changes,
            replaces=result.replaces,
            diffs=result.diffs,
            detailed=result.detailed,
            # Two resources of one name cannot be at the same time.
            delete_before_replace=resource_type.is_named
            or (not isinstance(new_id, Unknown) and new_id == id),
        )

    async def create(
        self,
        *,
        urn: str,
        type_: str,
        inputs: Properties,
        timeout: float,
        preview: bool,
    ) -> CreateResult:
        """Make the resource; in a preview, foresee its outputs."""
        del urn
        resource_type = _resource_type(type_)
        values = resource_type.values(inputs, self._settings)
        if preview:
            return CreateResult("", resource_type.plan(values, None))
        return await resource_type.create(self._ready, values, timeout)

    async def read(
        self,
        *,
        urn: str,
        type_: str,
        id: str,  # noqa: A002 - the protocol's name of it.
        outputs: Properties,
        inputs: Properties,
    ) -> ReadResult | None:
        """Read the live resource; None when it is gone."""
        del urn
        return await _resource_type(type_).read(self._ready, id, outputs, inputs)

    async def update(
        self,
        *,
        urn: str,
        type_: str,
        id: str,  # noqa: A002 - the protocol's name of it.
        old_outputs: Properties,
        old_inputs: Properties,
        news: Properties,
        timeout: float,
        preview: bool,
    ) -> Properties:
        """Change the resource in place; in a preview, foresee its outputs."""
        del urn, old_inputs
        resource_type = _resource_type(type_)
        values = resource_type.values(news, self._settings)
        if preview:
            return resource_type.plan(values, old_outputs)
        return await resource_type.update(self._ready, id, old_outputs, values, timeout)

    async def delete(
        self,
        *,
        urn: str,
        type_: str,
        id: str,  # noqa: A002 - the protocol's name of it.
        outputs: Properties,
        inputs: Properties,
        timeout: float,
    ) -> None:
        """Delete the resource; one that is gone already is a success."""
        del urn, inputs
        await _resource_type(type_).delete(self._ready, id, outputs, timeout)

    async def invoke(self, token: str, args: Properties) -> Properties:
        """Run a data function."""
        function = FUNCTIONS.get(token)
        if function is None:
            raise ProviderError(
                f"the embedded gcp provider has no function {token}; "
                f"it has {', '.join(sorted(FUNCTIONS))}"
            )
        return await function(self._ready, plain(args))

    async def close(self) -> None:
        """Release connections."""
        if self._cloud is not None:
            await self._cloud.rest.close()
            self._cloud = None


def _resource_type(token: str) -> ResourceType:
    resource_type = RESOURCE_TYPES.get(token)
    if resource_type is None:
        raise ProviderError(
            f"the embedded gcp provider does not have the resource type {token}; "
            "a real pulumi has (--engine pulumi)"
        )
    return resource_type
