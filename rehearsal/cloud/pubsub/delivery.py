"""The delivery state machine of one subscription.

Owns which message may be delivered when: leases, acknowledgements, redelivery with backoff, order
by key and exhausted delivery attempts. It has no clock, no I/O and no tasks: callers pass `now_s`
and ask when something happens next; `backlog` adds those.
"""

import heapq
import itertools
import secrets
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

from rehearsal.cloud.pubsub.messages import Message


@dataclass(frozen=True, slots=True)
class DeliveryPolicy:
    """What a subscription's settings mean for delivery."""

    ack_deadline_s: float = 10.0
    min_backoff_s: float = 0.0
    max_backoff_s: float = 0.0
    max_attempts: int | None = None
    is_ordered: bool = False
    is_exactly_once: bool = False
    retention_s: float = 604_800.0

    def backoff_s(self, attempts: int) -> float:
        """Return how long a message rests after its `attempts`-th failed delivery."""
        if not self.min_backoff_s:
            return 0.0
        # Beyond 2**32 every backoff has reached its maximum.
        factor = float(2 ** min(attempts - 1, 32))
        return min(self.max_backoff_s, self.min_backoff_s * factor)


@dataclass(frozen=True, slots=True)
class Lease:
    """One delivery of a message, to be acknowledged before its deadline."""

    ack_id: str
    message: Message
    attempt: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A delivery that was refused or not acknowledged in time."""

    message: Message
    attempts: int
    is_exhausted: bool


@dataclass(slots=True, eq=False)
class Consumer:
    """Who holds leases, as far as flow control counts them."""

    messages: int = 0
    size: int = 0


class _Phase(Enum):
    WAITING = auto()  # Behind an older message of its ordering key.
    READY = auto()
    RESTING = auto()  # Until its backoff is over.
    LEASED = auto()
    EXHAUSTED = auto()  # The owner decides: dead letter or another try.
    GONE = auto()


@dataclass(slots=True, eq=False)
class _Entry:
    message: Message
    sequence: int
    attempts: int
    phase: _Phase = _Phase.WAITING
    due_at_s: float = 0.0
    ack_id: str = ""
    consumer: Consumer | None = None


class DeliveryQueue:
    """Every message a subscription still owes, and what may happen to each next."""

    def __init__(self, policy: DeliveryPolicy) -> None:
        self.policy = policy
        self._entries: dict[str, _Entry] = {}
        self._sequence = itertools.count()
        # Heaps hold stale elements too; an element counts while phase and due time still match.
        self._ready: list[tuple[int, _Entry]] = []
        self._timed: list[tuple[float, int, _Entry]] = []
        self._lanes: dict[str, deque[_Entry]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, message: Message, attempts: int = 0) -> None:
        """Owe a message to the subscription."""
        entry = _Entry(message, next(self._sequence), attempts)
        self._entries[message.message_id] = entry
        if self.policy.is_ordered and message.ordering_key:
            lane = self._lanes.setdefault(message.ordering_key, deque())
            lane.append(entry)
            if len(lane) > 1:
                return
        self._make_ready(entry)

    def pull(
        self,
        *,
        limit: int,
        max_bytes: float,
        now_s: float,
        deadline_s: float | None = None,
        consumer: Consumer | None = None,
    ) -> list[Lease]:
        """Lease up to `limit` messages; at least one is given even if it exceeds `max_bytes`."""
        leases: list[Lease] = []
        size = 0
        until_s = now_s + (deadline_s or self.policy.ack_deadline_s)
        while self._ready and len(leases) < limit:
            entry = self._ready[0][1]
            if entry.phase is not _Phase.READY:
                heapq.heappop(self._ready)
                continue
            if leases and size + entry.message.size > max_bytes:
                break
            heapq.heappop(self._ready)
            size += entry.message.size
            entry.attempts += 1
            entry.ack_id = f"{entry.message.message_id}:{entry.attempts}:{secrets.token_hex(4)}"
            self._schedule(entry, _Phase.LEASED, until_s)
            _hold(entry, consumer)
            leases.append(Lease(entry.ack_id, entry.message, entry.attempts))
        return leases

    def acknowledge(self, ack_ids: Iterable[str]) -> tuple[list[str], list[str]]:
        """Settle deliveries; return the ids of the messages settled and the unknown ack ids.

        As in Pub/Sub, a late acknowledgement still counts until the message is delivered again,
        but not with exactly-once delivery.
        """
        settled: list[str] = []
        unknown: list[str] = []
        for ack_id in ack_ids:
            entry = self._by_ack_id(ack_id)
            is_late = entry is not None and entry.phase is not _Phase.LEASED
            if entry is None or (is_late and self.policy.is_exactly_once):
                unknown.append(ack_id)
            else:
                self.discard(entry.message.message_id)
                settled.append(entry.message.message_id)
        return settled, unknown

    def modify_deadline(
        self, ack_ids: Iterable[str], seconds: float, now_s: float
    ) -> tuple[list[Failure], list[str]]:
        """Move the deadline of leases; zero seconds refuse the delivery (nack).

        Returns the refused deliveries and the ack ids that hold no lease.
        """
        failures: list[Failure] = []
        unknown: list[str] = []
        for ack_id in ack_ids:
            entry = self._by_ack_id(ack_id)
            if entry is None or entry.phase is not _Phase.LEASED:
                unknown.append(ack_id)
            elif seconds > 0:
                self._schedule(entry, _Phase.LEASED, now_s + seconds)
            else:
                failures.append(self._fail(entry, now_s))
        return failures, unknown

    def advance(self, now_s: float) -> list[Failure]:
        """Let time pass: end rests and leases whose time has come; return the expired leases."""
        failures: list[Failure] = []
        while self._timed and self._timed[0][0] <= now_s:
            due_at_s, _, entry = heapq.heappop(self._timed)
            if entry.due_at_s != due_at_s:
                continue
            if entry.phase is _Phase.LEASED:
                failures.append(self._fail(entry, now_s))
            elif entry.phase is _Phase.RESTING:
                self._make_ready(entry)
        return failures

    def next_event_at_s(self) -> float | None:
        """Return when `advance` has something to do, or None while nothing is timed."""
        while self._timed:
            due_at_s, _, entry = self._timed[0]
            is_timed = entry.phase in {_Phase.LEASED, _Phase.RESTING}
            if is_timed and entry.due_at_s == due_at_s:
                return due_at_s
            heapq.heappop(self._timed)
        return None

    def has_ready(self) -> bool:
        """Return whether a pull would get something."""
        while self._ready and self._ready[0][1].phase is not _Phase.READY:
            heapq.heappop(self._ready)
        return bool(self._ready)

    def retry(self, message_id: str, now_s: float) -> None:
        """Deliver an exhausted message again, because no dead letter topic took it."""
        entry = self._entries.get(message_id)
        if entry is not None and entry.phase is _Phase.EXHAUSTED:
            self._rest(entry, now_s)

    def discard(self, message_id: str) -> None:
        """Owe a message no longer."""
        entry = self._entries.pop(message_id, None)
        if entry is None:
            return
        _release(entry)
        entry.phase = _Phase.GONE
        key = entry.message.ordering_key
        lane = self._lanes.get(key)
        if lane is None:
            return
        was_first = lane[0] is entry
        lane.remove(entry)
        if not lane:
            del self._lanes[key]
        elif was_first:
            self._make_ready(lane[0])

    def older_than(self, published_before_s: float) -> list[str]:
        """Return the ids of the messages beyond their retention."""
        return [
            message_id
            for message_id, entry in self._entries.items()
            if entry.message.published_at_s < published_before_s
        ]

    def _by_ack_id(self, ack_id: str) -> _Entry | None:
        entry = self._entries.get(ack_id.partition(":")[0])
        return entry if entry is not None and entry.ack_id == ack_id else None

    def _fail(self, entry: _Entry, now_s: float) -> Failure:
        _release(entry)
        limit = self.policy.max_attempts
        is_exhausted = limit is not None and entry.attempts >= limit
        if is_exhausted:
            entry.phase = _Phase.EXHAUSTED
        else:
            self._rest(entry, now_s)
        return Failure(entry.message, entry.attempts, is_exhausted)

    def _rest(self, entry: _Entry, now_s: float) -> None:
        backoff_s = self.policy.backoff_s(entry.attempts)
        if backoff_s > 0:
            self._schedule(entry, _Phase.RESTING, now_s + backoff_s)
        else:
            self._make_ready(entry)

    def _make_ready(self, entry: _Entry) -> None:
        entry.phase = _Phase.READY
        heapq.heappush(self._ready, (entry.sequence, entry))

    def _schedule(self, entry: _Entry, phase: _Phase, due_at_s: float) -> None:
        entry.phase = phase
        entry.due_at_s = due_at_s
        heapq.heappush(self._timed, (due_at_s, next(self._sequence), entry))


def _hold(entry: _Entry, consumer: Consumer | None) -> None:
    entry.consumer = consumer
    if consumer is not None:
        consumer.messages += 1
        consumer.size += entry.message.size


def _release(entry: _Entry) -> None:
    if entry.consumer is not None:
        entry.consumer.messages -= 1
        entry.consumer.size -= entry.message.size
        entry.consumer = None
