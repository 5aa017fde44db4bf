"""One subscription at work: its delivery queue with a clock, a disk and waiting subscribers.

Owns timers, wake-ups and what is written when; the rules of delivery are `delivery`'s, dead letter
topics and permissions are `broker`'s.
"""

import asyncio
import math
import time
from collections.abc import Callable, Sequence

from rehearsal.cloud.pubsub.delivery import Consumer, DeliveryPolicy, DeliveryQueue, Failure, Lease
from rehearsal.cloud.pubsub.filters import Predicate
from rehearsal.cloud.pubsub.message_faults import Arrival
from rehearsal.cloud.pubsub.message_log import MessageLog
from rehearsal.cloud.pubsub.messages import Message

# (message, attempts) -> whether a dead letter topic took the message.
DeadLetterSink = Callable[[Message, int], bool]


class Backlog:
    """What one subscription still has to receive."""

    def __init__(
        self,
        subscription: str,
        policy: DeliveryPolicy,
        accepts: Predicate,
        log: MessageLog,
        dead_letters: DeadLetterSink,
    ) -> None:
        self.subscription = subscription
        self.accepts = accepts
        self.is_open = True
        self.is_deleted = False
        self.active_at_s = time.time()
        self._log = log
        self._dead_letters = dead_letters
        self._queue = DeliveryQueue(policy)
        self._timer: asyncio.TimerHandle | None = None
        self._changed = asyncio.Event()
        # Messages that come once more after they were settled, by their ids.
        self._doubled: dict[str, Message] = {}
        for message, attempts in log.read(subscription):
            self._queue.add(message, attempts)

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def policy(self) -> DeliveryPolicy:
        """Return the delivery settings in force."""
        return self._queue.policy

    @policy.setter
    def policy(self, policy: DeliveryPolicy) -> None:
        self._queue.policy = policy

    def receive(self, arrivals: Sequence[Arrival]) -> None:
        """Owe messages that are already in the log, each from its arrival on."""
        for arrival in arrivals:
            if arrival.is_doubled:
                self._doubled[arrival.message.message_id] = arrival.message
            if arrival.delay_s:
                loop = asyncio.get_running_loop()
                loop.call_later(arrival.delay_s, self._add, arrival.message)
            else:
                self._queue.add(arrival.message)
        self._wake()

    def _add(self, message: Message) -> None:
        if self.is_open:
            self._queue.add(message)
            self._wake()

    def pull(
        self,
        *,
        limit: int,
        max_bytes: float = math.inf,
        deadline_s: float | None = None,
        consumer: Consumer | None = None,
    ) -> list[Lease]:
        """Lease what is ready now."""
        self.active_at_s = time.time()
        leases = self._queue.pull(
            limit=limit,
            max_bytes=max_bytes,
            now_s=self.active_at_s,
            deadline_s=deadline_s,
            consumer=consumer,
        )
        self._arm()
        return leases

    def acknowledge(self, ack_ids: Sequence[str]) -> list[str]:
        """Settle deliveries; return the ack ids nobody holds."""
        settled, unknown = self._queue.acknowledge(ack_ids)
        self._log.settle(self.subscription, settled)
        for message_id in settled:
            if (message := self._doubled.pop(message_id, None)) is not None:
                self._log.append({self.subscription: [message]})
                self._queue.add(message)
        # Flow control has more room, and the next message of an ordering key may be ready.
        self._wake()
        return unknown

    def modify_deadline(self, ack_ids: Sequence[str], seconds: float) -> list[str]:
        """Extend or refuse deliveries; return the ack ids nobody holds."""
        failures, unknown = self._queue.modify_deadline(ack_ids, seconds, time.time())
        self._settle_failures(failures)
        return unknown

    def drop_older_than(self, published_before_s: float) -> None:
        """Forget messages beyond their retention."""
        message_ids = self._queue.older_than(published_before_s)
        for message_id in message_ids:
            self._queue.discard(message_id)
        self._log.settle(self.subscription, message_ids)

    def has_ready(self) -> bool:
        """Return whether a pull would get something now."""
        return self._queue.has_ready()

    async def wait(self, is_due: Callable[[], bool], timeout_s: float) -> None:
        """Wait until a condition on this subscription holds, the time is up, or it closes."""
        until_s = time.monotonic() + timeout_s
        while self.is_open and not is_due():
            remaining_s = until_s - time.monotonic()
            if remaining_s <= 0:
                return
            try:
                await asyncio.wait_for(self._changed.wait(), remaining_s)
            except TimeoutError:
                return

    def close(self, *, is_deleted: bool) -> None:
        """Stop the timer and let waiting subscribers go; a deleted one also leaves the log."""
        if is_deleted:
            self._log.drop(self.subscription)
        self.is_open = False
        self.is_deleted = is_deleted
        if self._timer is not None:
            self._timer.cancel()
        self._wake_waiters()

    def _wake(self) -> None:
        self._arm()
        self._wake_waiters()

    def _wake_waiters(self) -> None:
        # Everyone who waits now holds the old event; later waiters get the new one.
        self._changed.set()
        self._changed = asyncio.Event()

    def _arm(self) -> None:
        due_at_s = self._queue.next_event_at_s()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due_at_s is not None and self.is_open:
            delay_s = max(0.0, due_at_s - time.time())
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._advance)

    def _advance(self) -> None:
        self._timer = None
        self._settle_failures(self._queue.advance(time.time()))

    def _settle_failures(self, failures: Sequence[Failure]) -> None:
        self._log.record_attempts(
            self.subscription,
            [(failure.message.message_id, failure.attempts) for failure in failures],
        )
        for failure in failures:
            if not failure.is_exhausted:
                continue
            message_id = failure.message.message_id
            if self._dead_letters(failure.message, failure.attempts):
                self._queue.discard(message_id)
                self._log.settle(self.subscription, [message_id])
            else:
                self._queue.retry(message_id, time.time())
        self._wake()
