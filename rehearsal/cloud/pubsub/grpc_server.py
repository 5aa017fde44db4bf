"""Pub/Sub over gRPC, as `google-cloud-pubsub` calls it.

One port speaks for one principal: emulator-mode clients send no credentials. A bearer token, where
one is sent, says otherwise. Methods are `grpc_methods`' and `streaming`'s; here are permissions,
errors and the log.
"""

import functools
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Never, TypeAlias

import grpc
import grpc.aio
from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2

from rehearsal.cloud.call_log import OpenCall
from rehearsal.cloud.errors import ApiError, failed_precondition, invalid_argument, unauthenticated
from rehearsal.cloud.faults.injector import ConnectionDroppedError, Subject
from rehearsal.cloud.iam.members import ANONYMOUS
from rehearsal.cloud.local_cloud import LocalCloud
from rehearsal.cloud.pubsub.broker import Broker
from rehearsal.cloud.pubsub.grpc_methods import PUBLISHER, SUBSCRIBER, UnaryMethod
from rehearsal.cloud.pubsub.grpc_policies import IAM_POLICY, policy_methods
from rehearsal.cloud.pubsub.protocol import (
    Proto,
    StreamingPullRequest,
    message_class,
    rename_resources,
)
from rehearsal.cloud.pubsub.requirements import REQUIREMENTS, SUBSCRIPTIONS
from rehearsal.cloud.pubsub.state import broker_of
from rehearsal.cloud.pubsub.streaming import PullStream

# grpc's own classes are untyped.
Context: TypeAlias = Any
RpcHandler: TypeAlias = Any
Server: TypeAlias = Any

_PACKAGE = "google.pubsub.v1"
_SERVICES: Mapping[str, Mapping[str, UnaryMethod]] = {
    f"{_PACKAGE}.Publisher": PUBLISHER,
    f"{_PACKAGE}.Subscriber": SUBSCRIBER,
}
_STREAMING_PULL = f"/{_PACKAGE}.Subscriber/StreamingPull"
_STATUS = {code.value[0]: code for code in grpc.StatusCode}
_STOP_GRACE_S = 0.2
_OK = 200
_ERROR_INFO = error_details_pb2.ErrorInfo.DESCRIPTOR.full_name
_OPTIONS = (
    ("grpc.max_receive_message_length", 20 * 1024 * 1024),
    ("grpc.max_send_message_length", 20 * 1024 * 1024),
    # Two clouds must never share a port.
    ("grpc.so_reuseport", 0),
)


class PubsubPort:
    """One gRPC port of Pub/Sub, speaking for one principal."""

    def __init__(self, server: Server, port: int) -> None:
        self._server = server
        self.port = port

    async def stop(self) -> None:
        """Close the port; open streams get a moment to end."""
        await self._server.stop(_STOP_GRACE_S)


class DeployerPort:
    """The gRPC port on which the deployer calls, for as long as the cloud runs."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._port: PubsubPort | None = None

    async def start(self) -> None:
        """Open the port, the same one as before where there was one."""
        cloud = self._cloud
        self._port = await serve_grpc(cloud, cloud.deployer, cloud.pubsub_port)
        cloud.pubsub_port = self._port.port

    async def stop(self) -> None:
        """Close the port."""
        if self._port is not None:
            await self._port.stop()


async def serve_grpc(cloud: LocalCloud, principal: str, port: int = 0) -> PubsubPort:
    """Open a gRPC port for a principal; port 0 takes a free one.

    Raises:
        RuntimeError: the port is taken.
    """
    server = grpc.aio.server(options=_OPTIONS)
    server.add_generic_rpc_handlers((_Methods(cloud, principal),))
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    try:
        await server.start()
    except BaseException:
        await server.stop(None)
        raise
    return PubsubPort(server, bound)


class _Methods(grpc.GenericRpcHandler):  # type: ignore[misc] # grpc is untyped
    """Finds the handler of a call by its path."""

    def __init__(self, cloud: LocalCloud, principal: str) -> None:
        self._cloud = cloud
        self._broker: Broker = broker_of(cloud)
        self._services = {**_SERVICES, IAM_POLICY: policy_methods(cloud, self._broker)}
        self._principal = principal

    def service(self, handler_call_details: Any) -> RpcHandler | None:
        path: str = handler_call_details.method
        principal = functools.partial(
            self._principal_of, dict(handler_call_details.invocation_metadata)
        )
        if path == _STREAMING_PULL:
            return grpc.stream_stream_rpc_method_handler(
                functools.partial(self._stream, principal),
                StreamingPullRequest.FromString,
                _serialized,
            )
        _, service, name = path.split("/", 2)
        method = self._services.get(service, {}).get(name)
        if method is None and not service.startswith(f"{_PACKAGE}."):
            # gRPC answers UNIMPLEMENTED: no client of Pub/Sub asks for it.
            return None
        if method is None:
            return grpc.unary_unary_rpc_method_handler(functools.partial(self._decline, path))
        return grpc.unary_unary_rpc_method_handler(
            functools.partial(self._unary, method, principal),
            message_class(method.request).FromString,
            _serialized,
        )

    def _principal_of(self, metadata: Mapping[str, str]) -> str:
        """Return who calls: the bearer token's principal, else the port's."""
        scheme, _, token = metadata.get("authorization", "").partition(" ")
        if not token or scheme.lower() != "bearer":
            principal = self._principal if self._cloud.tokens.is_active(self._principal) else None
        else:
            principal = self._cloud.tokens.principal_of(token)
        if principal is None:
            raise unauthenticated()
        return principal

    async def _unary(
        self,
        method: UnaryMethod,
        find_principal: Callable[[], str],
        request: Proto,
        context: Context,
    ) -> Proto:
        rename_resources(request, self._cloud.canonical)
        resource = str(functools.reduce(getattr, method.resource.split("."), request))
        method_id = method.id_for(resource)
        try:
            with self._opened(method_id, resource, find_principal) as call:
                subject = Subject(method_id, resource, call.principal)
                async with self._cloud.faults.around(subject, call.injected):
                    self._require(call, method_id, method.parameter, resource)
                    response = await method.answer(self._broker, request, call.principal)
                    call.answered(_OK)
                return response
        except (ApiError, ConnectionDroppedError) as problem:
            return await _abort(context, _told(problem))

    async def _stream(
        self, find_principal: Callable[[], str], requests: AsyncIterator[Proto], context: Context
    ) -> AsyncIterator[Proto]:
        first = await anext(requests)
        rename_resources(first, self._cloud.canonical)
        name, method_id = first.subscription, f"{SUBSCRIPTIONS}.streamingPull"
        opened: OpenCall | None = None
        try:
            with self._opened(method_id, name, find_principal) as call:
                subject = Subject(method_id, name, call.principal)
                fault = await self._cloud.faults.of_stream(subject, call.injected)
                require = functools.partial(
                    self._require, call, f"{SUBSCRIPTIONS}.pull", "subscription", name
                )
                stream = PullStream(self._broker, first, require, fault.strike_when_due)
                call.answered(_OK)
            opened = call
            async for response in stream.responses(requests):
                yield response
        except (ApiError, ConnectionDroppedError) as problem:
            if opened is not None:
                self._log_end(opened, problem)
            await _abort(context, _told(problem))

    def _log_end(self, opened: OpenCall, problem: Exception) -> None:
        """Log what broke a stream; its opening has a line of its own."""
        log = self._cloud.log
        with (
            suppress(ApiError, ConnectionDroppedError),
            log.call(opened.method, opened.principal, opened.resource) as call,
        ):
            call.permission, call.decision = opened.permission, opened.decision
            call.fault = opened.fault
            raise problem

    @contextmanager
    def _opened(
        self, method_id: str, resource: str, find_principal: Callable[[], str]
    ) -> Iterator[OpenCall]:
        """Log the block as a call of whoever calls.

        Raises:
            ApiError: 401; nobody knows who calls.
        """
        with self._cloud.log.call(method_id, ANONYMOUS, resource) as call:
            call.decision = "denied"
            call.principal = find_principal()
            call.decision = "unchecked"
            yield call

    def _require(self, call: OpenCall, method_id: str, parameter: str, resource: str) -> None:
        if not resource.startswith("projects/"):
            raise invalid_argument(
                f"You have passed an invalid argument to the service ({parameter}={resource})."
            )
        self._cloud.apis.require("pubsub.googleapis.com", "Cloud Pub/Sub API")
        requirement = REQUIREMENTS.get(method_id)
        if requirement is None:
            # Testing permissions needs none.
            return
        # `project` is an id in the templates; listing methods give it as `projects/P`.
        parameters = {parameter: resource} | {"project": resource.split("/")[1]}
        target = requirement.resource.format_map(parameters)
        with call.decided(requirement.permission):
            self._cloud.iam.require(call.principal, requirement.permission, target)

    async def _decline(self, path: str, _request: bytes, context: Context) -> bytes:
        """Answer a method that exists but is not modelled."""
        name = path.removeprefix("/").replace("/", ".")
        error = failed_precondition(f"not implemented in the local cloud: {name}")
        with suppress(ApiError), self._cloud.log.call(name, self._principal, path):
            raise error
        return await _abort(context, error)


def _told(problem: ApiError | ConnectionDroppedError) -> ApiError:
    """Return what a client sees: of a dropped connection, what gRPC itself would say."""
    if isinstance(problem, ApiError):
        return problem
    return ApiError(503, "UNAVAILABLE", "Socket closed")


async def _abort(context: Context, error: ApiError) -> Never:
    """End the call with an error, its details where the client libraries look for them."""
    status = status_pb2.Status(code=error.grpc_code, message=error.message)
    for detail in error.details:
        if detail["@type"].endswith(_ERROR_INFO):
            info = {key: value for key, value in detail.items() if key != "@type"}
            status.details.add().Pack(json_format.ParseDict(info, error_details_pb2.ErrorInfo()))
    metadata = (("grpc-status-details-bin", status.SerializeToString()),)
    await context.abort(_STATUS[error.grpc_code], error.message, metadata)
    raise AssertionError("aborting a call ends it")


def _serialized(message: Proto) -> bytes:
    serialized: bytes = message.SerializeToString()
    return serialized
