"""Providers configured for a local cloud of the test's own, and one resource's whole life."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rehearsal.cloud.iam.propagation import Propagation
from rehearsal.cloud.local_cloud import LocalCloud
from rehearsal.cloud.server import Server
from rehearsal.engine.provider import DiffResult, Properties, Provider, ReadResult
from rehearsal.providers.docker.provider import DockerProvider
from rehearsal.providers.gcp.provider import GcpProvider
from rehearsal.providers.rest import Patience

PROJECT = "local-proj"
REGION = "europe-west1"
QUICK = Patience(
    transient_s=2, settling_s=2, operation_s=20, first_delay_s=0.002, last_delay_s=0.02
)
_PREFIXES = {
    "artifactRegistry": "artifactregistry/v1",
    "bigQuery": "bigquery/bigquery/v2",
    "cloudBilling": "cloudbilling/v1",
    "cloudRunV2": "run/v2",
    "cloudScheduler": "cloudscheduler/v1",
    "firestore": "firestore/v1",
    "iamBeta": "iam/v1",
    "pubsub": "pubsub/v1",
    "resourceManager": "resourcemanager/v1",
    "secretManager": "secretmanager/v1",
    "serviceUsage": "serviceusage/v1beta1",
    "storage": "storage/storage/v1",
}
_APIS = (
    "artifactregistry",
    "bigquery",
    "cloudscheduler",
    "cloudresourcemanager",
    "firestore",
    "iam",
    "pubsub",
    "run",
    "secretmanager",
    "storage",
)


def configuration(port: int) -> Properties:
    """Return provider configuration for a cloud on a port."""
    endpoints = {
        f"{key}CustomEndpoint": f"http://127.0.0.1:{port}/{prefix}/"
        for key, prefix in _PREFIXES.items()
    }
    return {"project": PROJECT, "region": REGION, **endpoints}


@dataclass
class Resource:
    """One resource as an engine would hold it, driven through a provider."""

    provider: Provider
    type_: str
    inputs: Properties = field(default_factory=dict)
    outputs: Properties = field(default_factory=dict)
    id: str = ""
    urn: str = "urn:pulumi:test::test::test::resource"

    async def checked(self, news: Properties) -> Properties:
        """Check inputs that must be right."""
        result = await self.provider.check(urn=self.urn, type_=self.type_, olds=None, news=news)
        assert result.failures == ()
        return result.inputs

    async def create(self, news: Properties) -> Properties:
        """Check and create."""
        self.inputs = await self.checked(news)
        result = await self.provider.create(
            urn=self.urn, type_=self.type_, inputs=self.inputs, timeout=0, preview=False
        )
        self.id, self.outputs = result.id, result.outputs
        return self.outputs

    async def preview(self, news: Properties) -> Properties:
        """Check and foresee the creation."""
        inputs = await self.checked(news)
        result = await self.provider.create(
            urn=self.urn, type_=self.type_, inputs=inputs, timeout=0, preview=True
        )
        return result.outputs

    async def diff(self, news: Properties) -> DiffResult:
        """Check and compare with what is recorded."""
        inputs = await self.checked(news)
        return await self.provider.diff(
            urn=self.urn,
            type_=self.type_,
            id=self.id,
            old_outputs=self.outputs,
            old_inputs=self.inputs,
            news=inputs,
        )

    async def read(self) -> ReadResult | None:
        """Read the live resource."""
        return await self.provider.read(
            urn=self.urn,
            type_=self.type_,
            id=self.id,
            outputs=self.outputs,
            inputs=self.inputs,
        )

    async def refresh(self) -> DiffResult | None:
        """Read, take over what is live, and compare the way a refresh does; None when gone."""
        found = await self.read()
        if found is None:
            return None
        before = self.inputs
        self.id, self.outputs, self.inputs = found.id, found.outputs, found.inputs
        return await self.provider.diff(
            urn=self.urn,
            type_=self.type_,
            id=self.id,
            old_outputs=self.outputs,
            old_inputs=self.inputs,
            news=before,
        )

    async def update(self, news: Properties) -> Properties:
        """Check and update in place."""
        inputs = await self.checked(news)
        self.outputs = await self.provider.update(
            urn=self.urn,
            type_=self.type_,
            id=self.id,
            old_outputs=self.outputs,
            old_inputs=self.inputs,
            news=inputs,
            timeout=0,
            preview=False,
        )
        self.inputs = inputs
        return self.outputs

    async def delete(self) -> None:
        """Delete the resource."""
        await self.provider.delete(
            urn=self.urn,
            type_=self.type_,
            id=self.id,
            outputs=self.outputs,
            inputs=self.inputs,
            timeout=0,
        )


@dataclass
class Rehearsal:
    """A running local cloud with providers configured for it."""

    cloud: LocalCloud
    gcp: GcpProvider
    docker: DockerProvider

    def resource(self, type_: str) -> Resource:
        """Return a resource that is still to be made."""
        return Resource(self.docker if type_.startswith("docker:") else self.gcp, type_)

    async def another_gcp(self) -> GcpProvider:
        """Return a second provider for the same cloud, which the caller closes."""
        provider = GcpProvider(QUICK)
        token = self.cloud.tokens.access_token(self.cloud.deployer)
        environ = {"GOOGLE_OAUTH_ACCESS_TOKEN": token}
        await provider.configure(configuration(self.cloud.port), environ)
        return provider

    async def life(
        self, type_: str, first: Properties, second: Properties | None = None
    ) -> Resource:
        """Create, read without drift, update, read again, delete, and find nothing."""
        resource = self.resource(type_)
        await resource.create(first)
        unchanged = await resource.diff(first)
        assert not unchanged.changes, unchanged
        await self._expect_no_drift(resource)
        assert not (await resource.diff(first)).changes
        if second is not None:
            diff = await resource.diff(second)
            assert diff.changes, "the update must be seen"
            assert diff.replaces == ()
            await resource.update(second)
            settled = await resource.diff(second)
            assert not settled.changes, settled
            await self._expect_no_drift(resource)
        await resource.delete()
        assert await resource.read() is None
        await resource.delete()
        return resource

    async def _expect_no_drift(self, resource: Resource) -> None:
        outputs = resource.outputs
        drift = await resource.refresh()
        assert drift is not None, "the resource must be there"
        assert not drift.changes, drift
        assert resource.outputs == outputs


Scenario = Callable[[Rehearsal], Awaitable[None]]


@pytest.fixture
def on_cloud(tmp_path: Path) -> Callable[[Scenario], None]:
    """Return what runs a scenario on a local cloud of its own."""

    async def serve(scenario: Scenario) -> None:
        cloud = LocalCloud(tmp_path / "cloud", propagation=Propagation.NONE)
        async with Server(cloud):
            cloud.apis.enable(f"{api}.googleapis.com" for api in _APIS)
            environ = {"GOOGLE_OAUTH_ACCESS_TOKEN": cloud.tokens.access_token(cloud.deployer)}
            gcp, docker = GcpProvider(QUICK), DockerProvider()
            await gcp.configure(configuration(cloud.port), environ)
            await docker.configure({}, environ)
            try:
                await scenario(Rehearsal(cloud, gcp, docker))
            finally:
                await gcp.close()
                await docker.close()

    def run(scenario: Scenario) -> None:
        asyncio.run(serve(scenario))

    return run
