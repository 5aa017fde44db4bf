"""StreamingPull: a subscriber's stream, with flow control and an end when its ground is gone."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable

from rehearsal.cloud.errors import ApiError, invalid_argument, not_found
from rehearsal.cloud.pubsub.backlog import Backlog
from rehearsal.cloud.pubsub.broker import Broker, check_extension
from rehearsal.cloud.pubsub.delivery import Consumer, Lease
from rehearsal.cloud.pubsub.protocol import Proto, StreamingPullResponse
from rehearsal.cloud.pubsub.received import received_message

# How long a lost permission may go unnoticed on a quiet stream.
_CHECK_INTERVAL_S = 1.0
# Several streams share a subscription; none takes everything in one response.
_MAX_PER_RESPONSE = 100
_MIN_DEADLINE_S = 10
_MAX_DEADLINE_S = 600


class PullStream:
    """One open StreamingPull."""

    def __init__(
        self,
        broker: Broker,
        first: Proto,
        require_permission: Callable[[], None],
        strike_when_due: Callable[[], None],
    ) -> None:
        """Open a stream.

        Args:
            broker: What is pulled from.
            first: The request that opens it.
            require_permission: Raises once the caller may not pull any more.
            strike_when_due: Raises when a fault rule has the stream break.

        Raises:
            ApiError: 403, 404, or 400 for an impossible deadline.
        """
        self._broker = broker
        self._subscription = first.subscription
        self._require_permission = require_permission
        self._strike_when_due = strike_when_due
        self._consumer = Consumer()
        self._max_messages = first.max_outstanding_messages or math.inf
        self._max_bytes = first.max_outstanding_bytes or math.inf
        require_permission()
        self._backlog: Backlog = broker.backlog(self._subscription)
        self._deadline_s = _deadline_of(first)
        self._apply(first)

    async def responses(self, requests: AsyncIterator[Proto]) -> AsyncIterator[Proto]:
        """Yield deliveries until the subscriber is done or may not go on.

        Raises:
            ApiError: 404 when the subscription is gone, 403 when the permission is, 503 when the
                local cloud stops.
        """
        reader = asyncio.create_task(self._read(requests))
        try:
            while not reader.done():
                await self._backlog.wait(
                    lambda: self._has_work() or reader.done(), _CHECK_INTERVAL_S
                )
                self._check_ground()
                leases = self._lease()
                if leases:
                    yield self._response(leases)
            await reader
        finally:
            reader.cancel()

    def _check_ground(self) -> None:
        if self._backlog.is_deleted:
            raise not_found(
                f"Resource not found (resource={self._subscription.rsplit('/', 1)[-1]})."
            )
        if not self._backlog.is_open:
            raise ApiError(503, "UNAVAILABLE", "The local cloud stops.")
        self._require_permission()
        self._strike_when_due()

    def _has_room(self) -> bool:
        return (
            self._consumer.messages < self._max_messages and self._consumer.size < self._max_bytes
        )

    def _has_work(self) -> bool:
        return self._has_room() and self._backlog.has_ready()

    def _lease(self) -> list[Lease]:
        if not self._has_work():
            return []
        room = min(_MAX_PER_RESPONSE, self._max_messages - self._consumer.messages)
        return self._backlog.pull(
            limit=int(room),
            max_bytes=self._max_bytes - self._consumer.size,
            deadline_s=self._deadline_s,
            consumer=self._consumer,
        )

    def _response(self, leases: list[Lease]) -> Proto:
        subscription = self._broker.subscriptions.get(self._subscription)
        response = StreamingPullResponse(
            received_messages=[received_message(lease, self._backlog.policy) for lease in leases]
        )
        properties = response.subscription_properties
        properties.exactly_once_delivery_enabled = bool(
            subscription.get("enableExactlyOnceDelivery")
        )
        properties.message_ordering_enabled = self._backlog.policy.is_ordered
        return response

    async def _read(self, requests: AsyncIterator[Proto]) -> None:
        async for request in requests:
            if request.stream_ack_deadline_seconds:
                self._deadline_s = _deadline_of(request)
            self._apply(request)

    def _apply(self, request: Proto) -> None:
        """Take the acknowledgements and extensions that came with a request."""
        if request.ack_ids:
            self._backlog.acknowledge(request.ack_ids)
        seconds = request.modify_deadline_seconds
        for ack_id, extension_s in zip(request.modify_deadline_ack_ids, seconds, strict=False):
            # A stream hears of no lost leases; with exactly-once delivery clients ask one by one.
            check_extension(extension_s)
            self._backlog.modify_deadline([ack_id], extension_s)


def _deadline_of(request: Proto) -> float:
    seconds = request.stream_ack_deadline_seconds
    if not _MIN_DEADLINE_S <= seconds <= _MAX_DEADLINE_S:
        raise invalid_argument(
            f"Invalid stream ack deadline given (seconds={seconds}). It must be between "
            f"{_MIN_DEADLINE_S} and {_MAX_DEADLINE_S} seconds."
        )
    return float(seconds)
