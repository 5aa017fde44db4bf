"""Clients of a local cloud's Pub/Sub, as services use them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient
from google.cloud.pubsub_v1.types import FlowControl, PublisherOptions
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from rehearsal.cloud.pubsub.grpc_server import serve_grpc
from rehearsal.cloud.pubsub.state import broker_of

TOPIC = "projects/local-proj/topics/orders"
SUBSCRIPTION = "projects/local-proj/subscriptions/orders-worker"


class PubsubClients:
    """Google's clients on one gRPC port."""

    def __init__(self, port: int, token: str = "") -> None:
        channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        publishing = PublisherGrpcTransport(channel=channel)
        self.publisher = PublisherClient(
            transport=publishing, publisher_options=PublisherOptions(enable_message_ordering=True)
        )
        self.subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        self._channel = channel
        self._streams: list[Any] = []

    def publish(self, data: bytes = b"x", topic: str = TOPIC, **attributes: str) -> str:
        """Publish one message and wait for its id."""
        return str(self.publisher.publish(topic, data, **attributes).result(10))

    def subscribe(self, on_message: Callable[[Any], None], **flow_control: Any) -> Any:
        """Open a streaming pull."""
        stream = self.subscriber.subscribe(
            SUBSCRIPTION, on_message, flow_control=FlowControl(**flow_control)
        )
        self._streams.append(stream)
        return stream

    def pull(self, subscription: str = SUBSCRIPTION, max_messages: int = 10) -> list[Any]:
        """Pull once, without waiting."""
        request = {
            "subscription": subscription,
            "max_messages": max_messages,
            "return_immediately": True,
        }
        with pytest.warns(DeprecationWarning, match="return_immediately"):
            return list(self.subscriber.pull(request=request).received_messages)

    def ack(self, *received: Any) -> None:
        """Acknowledge what was pulled."""
        self.subscriber.acknowledge(
            subscription=SUBSCRIPTION, ack_ids=[message.ack_id for message in received]
        )

    def nack(self, *received: Any) -> None:
        """Refuse what was pulled."""
        self.subscriber.modify_ack_deadline(
            subscription=SUBSCRIPTION,
            ack_ids=[message.ack_id for message in received],
            ack_deadline_seconds=0,
        )

    def close(self) -> None:
        """End every stream and the channel."""
        for stream in self._streams:
            stream.cancel()
            stream.exception(10) if not stream.cancelled() else None
        self.publisher.stop()
        self._channel.close()


@pytest.fixture
def connect() -> Iterator[Callable[[int], PubsubClients]]:
    """Open clients on a port; they are closed with the test."""
    opened: list[PubsubClients] = []

    def open_clients(port: int) -> PubsubClients:
        opened.append(PubsubClients(port))
        return opened[-1]

    yield open_clients
    for clients in opened:
        clients.close()


@pytest.fixture
def pubsub(local_cloud: Any, connect: Callable[[int], PubsubClients]) -> PubsubClients:
    """Clients as the deployer, on a cloud with the topic `orders`."""
    clients = connect(local_cloud.cloud.pubsub_port)
    clients.publisher.create_topic(name=TOPIC)
    return clients


@pytest.fixture
def on_loop(local_cloud: Any) -> Callable[..., Any]:
    """Run a function, or a coroutine function, on the cloud's own event loop."""
    loop = broker_of(local_cloud.cloud)._sweeper._loop

    def run(work: Callable[[], Any]) -> Any:
        async def call() -> Any:
            result = work()
            return await result if asyncio.iscoroutine(result) else result

        return asyncio.run_coroutine_threadsafe(call(), loop).result(20)

    return run


@pytest.fixture
def serve_as(local_cloud: Any, on_loop: Callable[..., Any]) -> Iterator[Callable[[str], int]]:
    """Open a gRPC port that speaks for a principal, as a service's sidecar does."""
    ports: list[Any] = []

    def serve(principal: str) -> int:
        ports.append(on_loop(lambda: serve_grpc(local_cloud.cloud, principal)))
        return int(ports[-1].port)

    yield serve
    for port in ports:
        on_loop(port.stop)
