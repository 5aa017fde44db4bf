"""Runs Pulumi programs without an engine and records what they register.

`tests/stacks` uses it too: a conftest is the one kind of module that tests can share here.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pytest
from pulumi.runtime import rpc
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks
from pulumi_gcp import bigquery, storage

Outputs = Mapping[str, pulumi.Input[Any]]

# These are imported when they are first used, and then deprecate things that nobody here uses.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    assert bigquery.Table
    assert storage.Bucket

# What the cloud adds to a resource's inputs, once it exists.
COMPUTED: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "gcp:serviceaccount/account:Account": lambda i: {
        "email": f"{i['accountId']}@{i['project']}.iam.gserviceaccount.com"
    },
    "gcp:cloudrunv2/service:Service": lambda i: {"uri": f"https://{i['name']}.test"},
    "docker:index/image:Image": lambda i: {"repoDigest": f"{i['imageName']}@sha256:{'0' * 64}"},
    "gcp:storage/bucket:Bucket": lambda i: {"url": f"gs://{i['name']}"},
    "gcp:projects/iAMCustomRole:IAMCustomRole": lambda i: {
        "name": f"projects/{i['project']}/roles/{i['roleId']}"
    },
}
IDS: Mapping[str, str] = {
    "gcp:pubsub/topic:Topic": "projects/{project}/topics/{name}",
    "gcp:pubsub/subscription:Subscription": "projects/{project}/subscriptions/{name}",
    "gcp:bigquery/dataset:Dataset": "projects/{project}/datasets/{datasetId}",
    "gcp:bigquery/table:Table": "projects/{project}/datasets/{datasetId}/tables/{tableId}",
    "gcp:firestore/database:Database": "projects/{project}/databases/{name}",
    "gcp:artifactregistry/repository:Repository": (
        "projects/{project}/locations/{location}/repositories/{repositoryId}"
    ),
}


@dataclass(frozen=True)
class Registered:
    """One resource as the program registered it."""

    urn: str
    type: str
    name: str
    parent: str
    inputs: dict[str, Any]
    dependencies: frozenset[str]
    protect: bool
    ignored: list[str]


@dataclass
class Recording:
    """All that a program did."""

    resources: list[Registered] = field(default_factory=list)
    component_outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)

    def one(self, type_: str, name: str | None = None) -> Registered:
        """Return the only resource of a type, or of a type and name."""
        (found,) = (r for r in self.of(type_) if name is None or r.name == name)
        return found

    def of(self, type_: str) -> list[Registered]:
        """Return the resources of a type, in the order of registration."""
        return [resource for resource in self.resources if resource.type == type_]

    @property
    def urns(self) -> list[str]:
        """The URNs in a comparable order: registration is concurrent."""
        return sorted(resource.urn for resource in self.resources)


class _Cloud(Mocks):
    def __init__(self, *, preview: bool, stacks: Mapping[str, Any]) -> None:
        self._preview = preview
        self._stacks = stacks

    def call(self, args: MockCallArgs) -> dict[str, Any]:  # type: ignore[override]
        if args.token == "gcp:organizations/getProject:getProject":
            return {"number": "123"}
        return {}

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        if args.typ == "pulumi:pulumi:StackReference":
            name = args.inputs["name"]
            return name, {"name": name, "outputs": self._stacks[name], "secretOutputNames": []}
        if self._preview or not args.custom:
            return "", args.inputs
        computed = COMPUTED.get(args.typ, lambda _: {})(args.inputs)
        id_ = IDS.get(args.typ, "{name}-id").format(**{"name": args.name, **args.inputs})
        return id_, {**args.inputs, **computed}


class _Monitor(MockMonitor):
    """Keeps what `Mocks` do not get to see: parents, dependencies, protection."""

    def __init__(self, mocks: Mocks, recording: Recording) -> None:
        super().__init__(mocks)
        self._recording = recording

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        response = super().RegisterResource(request)
        if request.type != "pulumi:pulumi:Stack":
            self._recording.resources.append(
                Registered(
                    urn=response.urn,
                    type=request.type,
                    name=request.name,
                    parent=request.parent,
                    inputs=rpc.deserialize_properties(request.object),
                    dependencies=frozenset(request.dependencies),
                    protect=request.protect,
                    ignored=list(request.ignoreChanges),
                )
            )
        return response

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        self._recording.component_outputs[request.urn] = rpc.deserialize_properties(request.outputs)
        return super().RegisterResourceOutputs(request)


class Program:
    """Runs declarations as Pulumi would run a program."""

    def run(
        self,
        declare: Callable[[], Outputs | None],
        *,
        stack: str = "test.foundation",
        preview: bool = False,
        config: Mapping[str, str] | None = None,
        stacks: Mapping[str, Any] | None = None,
    ) -> Recording:
        """Run a declaration to its end and return what it registered and put out."""
        # Pulumi wants a current loop, and a test before this one may have closed the last. It is
        # left as the current one: outputs that a test looks at later belong to it.
        try:
            asyncio.get_event_loop_policy().get_event_loop()
        except RuntimeError:
            asyncio.set_event_loop(asyncio.new_event_loop())
        recording = Recording()
        cloud = _Cloud(preview=preview, stacks=stacks or {})
        monitor = _Monitor(cloud, recording)
        pulumi.runtime.set_mocks(cloud, "conductor", stack, preview, monitor=monitor)
        pulumi.runtime.set_all_config(dict(config or {}))

        @pulumi.runtime.test
        def program() -> pulumi.Output[Any]:
            outputs = pulumi.Output.from_input(dict(declare() or {}))
            return outputs.apply(recording.outputs.update, run_with_unknowns=True)

        program()
        return recording


@pytest.fixture
def program() -> Program:
    """Run Pulumi programs against mocks."""
    return Program()
