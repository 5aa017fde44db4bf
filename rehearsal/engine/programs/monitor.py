"""The two gRPC services a program talks to: the resource monitor and the engine."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final, Self

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    resource_pb2,
    resource_pb2_grpc,
)

from rehearsal.engine.backend.folder import ORGANIZATION
from rehearsal.engine.errors import CommandFailedError, DeploymentError
from rehearsal.engine.events.stream import CHANNEL_OPTIONS
from rehearsal.engine.executor.executor import Result
from rehearsal.engine.planner.deployment import Deployment
from rehearsal.engine.programs.registrar import Registrar
from rehearsal.engine.provider import ProviderError
from rehearsal.engine.state.states import ResourceState
from rehearsal.engine.values import wire
from rehearsal.engine.values.property_values import UNKNOWN_TEXT

_FEATURES: Final = {
    "secrets": resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    "resourceReferences": resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    "outputValues": resource_pb2.RESOURCE_MONITOR_FEATURE_OUTPUT_VALUES,
    "aliasSpecs": resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
    "deletedWith": resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
    "invokeDependsOn": resource_pb2.RESOURCE_MONITOR_FEATURE_INVOKE_DEPENDS_ON,
    "invokeParent": resource_pb2.RESOURCE_MONITOR_FEATURE_INVOKE_PARENT,
}
_SEVERITIES: Final = {1: "info", 2: "warning", 3: "error"}
_RESULTS: Final = {
    Result.DONE: resource_pb2.SUCCESS,
    Result.FAILED: resource_pb2.FAIL,
    Result.SKIPPED: resource_pb2.FAIL,
    Result.STOPPED: resource_pb2.FAIL,
}


class Monitor(resource_pb2_grpc.ResourceMonitorServicer, engine_pb2_grpc.EngineServicer):
    """Serves one program. Use as an async context manager; `address` is known inside.

    After a failure a registration is not answered: the program would go on with half an answer.
    It learns of the end when the connection closes.
    """

    def __init__(self, deployment: Deployment, registrar: Registrar) -> None:
        self._deployment = deployment
        self._registrar = registrar
        self._root_urn = ""
        self._closing = asyncio.Event()
        self._server = grpc.aio.server(options=CHANNEL_OPTIONS)
        self.address = ""

    async def __aenter__(self) -> Self:
        resource_pb2_grpc.add_ResourceMonitorServicer_to_server(self, self._server)
        engine_pb2_grpc.add_EngineServicer_to_server(self, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        await self._server.stop(None)

    async def GetDeploymentInfo(  # noqa: N802 (the protocol's name)
        self, request: empty_pb2.Empty, context: grpc.aio.ServicerContext
    ) -> resource_pb2.DeploymentInfo:
        """Describe the run to the program."""
        del request, context
        deployment = self._deployment
        return resource_pb2.DeploymentInfo(
            project=deployment.project.name,
            stack=deployment.ref.name,
            organization=ORGANIZATION,
            config={key: value.text for key, value in deployment.config.items()},
            configSecretKeys=[key for key, value in deployment.config.items() if value.secret],
            dryRun=deployment.dry_run,
            parallel=deployment.parallel,
            supportedFeatures=list(_FEATURES.values()),
        )

    async def SupportsFeature(  # noqa: N802
        self, request: resource_pb2.SupportsFeatureRequest, context: grpc.aio.ServicerContext
    ) -> resource_pb2.SupportsFeatureResponse:
        """Say whether this engine can do something."""
        del context
        return resource_pb2.SupportsFeatureResponse(hasSupport=request.id in _FEATURES)

    async def RegisterResource(  # noqa: N802
        self,
        request: resource_pb2.RegisterResourceRequest,
        context: grpc.aio.ServicerContext,
    ) -> resource_pb2.RegisterResourceResponse:
        """Bring a resource to what the program asks for."""
        if request.remote:
            await context.abort(
                grpc.StatusCode.UNIMPLEMENTED,
                "remote components are not supported by the embedded engine",
            )
        try:
            result, state = await self._registrar.register(request)
        except (DeploymentError, ProviderError, CommandFailedError) as error:
            await self._refuse(error, context)
        if result is not Result.DONE:
            await self._leave_unanswered_unless_continuing(context)
        return resource_pb2.RegisterResourceResponse(
            urn=state.urn,
            id=_known_id(state),
            object=wire.encode(state.outputs) if state.custom else None,
            result=_RESULTS[result],
            unknown=state.urn in self._deployment.skipped_urns,
        )

    async def ReadResource(  # noqa: N802
        self, request: resource_pb2.ReadResourceRequest, context: grpc.aio.ServicerContext
    ) -> resource_pb2.ReadResourceResponse:
        """Read a resource that this stack does not manage."""
        try:
            result, state = await self._registrar.read(request)
        except (DeploymentError, ProviderError, CommandFailedError) as error:
            await self._refuse(error, context)
        if result is not Result.DONE:
            await self._leave_unanswered_unless_continuing(context)
        return resource_pb2.ReadResourceResponse(
            urn=state.urn,
            properties=wire.encode(state.outputs),
            result=_RESULTS[result],
            id=_known_id(state),
        )

    async def RegisterResourceOutputs(  # noqa: N802
        self,
        request: resource_pb2.RegisterResourceOutputsRequest,
        context: grpc.aio.ServicerContext,
    ) -> empty_pb2.Empty:
        """Take the outputs of a component or of the stack."""
        try:
            self._registrar.register_outputs(request.urn, wire.decode(request.outputs))
        except (DeploymentError, CommandFailedError) as error:
            await self._refuse(error, context)
        return empty_pb2.Empty()

    async def Invoke(  # noqa: N802
        self, request: resource_pb2.ResourceInvokeRequest, context: grpc.aio.ServicerContext
    ) -> resource_pb2.InvokeResponse:  # type: ignore[name-defined]
        """Run a data function."""
        # The message belongs to another file of the protocol.
        from pulumi.runtime.proto import provider_pb2  # noqa: PLC0415

        try:
            answer = await self._registrar.invoke(request)
        except (DeploymentError, ProviderError, CommandFailedError) as error:
            await context.abort(
                grpc.StatusCode.UNKNOWN, f"invocation of {request.tok} returned an error: {error}"
            )
        return provider_pb2.InvokeResponse(**{"return": wire.encode(answer)})

    async def SignalAndWaitForShutdown(  # noqa: N802
        self, request: empty_pb2.Empty, context: grpc.aio.ServicerContext
    ) -> empty_pb2.Empty:
        """Take the program's word that it registers nothing more; delete what it left out."""
        del request
        try:
            await self._registrar.delete_unwanted()
        except DeploymentError as error:
            await self._refuse(error, context)
        return empty_pb2.Empty()

    async def Log(  # noqa: N802
        self, request: engine_pb2.LogRequest, context: grpc.aio.ServicerContext
    ) -> empty_pb2.Empty:
        """Pass a message of the program on."""
        del context
        severity = _SEVERITIES.get(request.severity)
        if severity:
            self._deployment.events.diagnostic(
                request.message, severity, request.urn, request.streamId
            )
        return empty_pb2.Empty()

    async def GetRootResource(  # noqa: N802
        self, request: engine_pb2.GetRootResourceRequest, context: grpc.aio.ServicerContext
    ) -> engine_pb2.GetRootResourceResponse:
        """Return the URN of the stack's own resource."""
        del request, context
        return engine_pb2.GetRootResourceResponse(urn=self._root_urn)

    async def SetRootResource(  # noqa: N802
        self, request: engine_pb2.SetRootResourceRequest, context: grpc.aio.ServicerContext
    ) -> engine_pb2.SetRootResourceResponse:
        """Note the URN of the stack's own resource."""
        del context
        self._root_urn = request.urn
        return engine_pb2.SetRootResourceResponse()

    async def RequirePulumiVersion(  # noqa: N802
        self,
        request: engine_pb2.RequirePulumiVersionRequest,
        context: grpc.aio.ServicerContext,
    ) -> engine_pb2.RequirePulumiVersionResponse:
        """Accept any required version: this engine follows the newest protocol."""
        del request, context
        return engine_pb2.RequirePulumiVersionResponse()

    async def _refuse(self, error: Exception, context: grpc.aio.ServicerContext) -> None:
        """Report an error of the engine's own and end the run."""
        urn = error.urn if isinstance(error, DeploymentError) else ""
        self._deployment.complain(str(error), urn)
        await self._leave_unanswered(context)

    async def _leave_unanswered_unless_continuing(self, context: grpc.aio.ServicerContext) -> None:
        if self._deployment.progress.stopping.is_set():
            await self._leave_unanswered(context)

    async def _leave_unanswered(self, context: grpc.aio.ServicerContext) -> None:
        await self._closing.wait()
        await context.abort(grpc.StatusCode.UNAVAILABLE, "the operation has ended")


def _known_id(state: ResourceState) -> str:
    return "" if state.id == UNKNOWN_TEXT else state.id
