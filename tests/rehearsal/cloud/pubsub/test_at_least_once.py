"""Random programs against the broker and a simple model: what is owed is delivered until settled.

Time is a number that the program moves; a restart keeps what is on disk and nothing else.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from rehearsal.cloud.pubsub import backlog as backlog_module
from rehearsal.cloud.pubsub import broker as broker_module
from rehearsal.cloud.pubsub.broker import Broker
from rehearsal.cloud.pubsub.message_faults import Arrival
from rehearsal.cloud.pubsub.message_log import MessageLog
from rehearsal.cloud.pubsub.messages import Draft
from rehearsal.cloud.pubsub.push import Pushers
from rehearsal.cloud.store import Store

P = "projects/p"
TOPIC, SUBSCRIPTION = f"{P}/topics/orders", f"{P}/subscriptions/worker"
DEAD_TOPIC, DEAD = f"{P}/topics/dead", f"{P}/subscriptions/dead"
ATTEMPTS = 5


@dataclass
class Owed:
    """What the model knows of one message."""

    message_id: str
    key: str
    # Deliveries, and those of them that failed: only these outlive a restart.
    attempts: int = 0
    failures: int = 0
    ack_id: str = ""
    leased_until: float | None = None
    rests_until: float = 0.0


def _open_iam() -> Any:
    """Everything is permitted: the broker's own rules are under test."""
    return SimpleNamespace(require=lambda *_: None, allows=lambda *_: True, forget=lambda _: None)


class Programs(RuleBasedStateMachine):
    """Publish, pull, settle, refuse, extend, wait, restart: in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_800_000_000.0
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        clock = SimpleNamespace(time=lambda: self.now, monotonic=time.monotonic)
        self.patches = [
            mock.patch.object(module, "time", clock) for module in (backlog_module, broker_module)
        ]
        for patch in self.patches:
            patch.start()
        self.owed: dict[str, Owed] = {}
        self.dead: set[str] = set()
        self.ack_ids: list[str] = []
        self.start()

    def start(self) -> None:
        """Make a broker of what is on disk."""
        folder = Path(self.folder.name)
        self.store = Store(folder / "state.sqlite")
        faults: Any = SimpleNamespace(
            arrivals=lambda _, messages: [Arrival(message) for message in messages]
        )
        self.broker = Broker(
            self.store,
            MessageLog(folder / "messages.sqlite"),
            _open_iam(),
            Pushers(lambda *_: None),
            faults,
            project_number="1",
        )
        self.run(self.broker.start)

    def run(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call something of the broker's on its loop."""

        async def call() -> Any:
            result = work(*args, **kwargs)
            return await result if asyncio.iscoroutine(result) else result

        return self.loop.run_until_complete(call())

    @property
    def backlog(self) -> Any:
        """The subscription's deliveries."""
        return self.broker.backlog(SUBSCRIPTION)

    @initialize(
        is_ordered=st.booleans(),
        is_exactly_once=st.booleans(),
        has_dead_letters=st.booleans(),
        min_backoff_s=st.sampled_from([0, 10]),
    )
    def subscribe(
        self,
        *,
        is_ordered: bool,
        is_exactly_once: bool,
        has_dead_letters: bool,
        min_backoff_s: int,
    ) -> None:
        """Make the topics and subscriptions."""
        self.is_ordered, self.is_exactly_once = is_ordered, is_exactly_once
        self.limit = ATTEMPTS if has_dead_letters else None
        self.min_backoff_s = min_backoff_s
        for topic in (TOPIC, DEAD_TOPIC):
            self.broker.topics.create(topic, {})
        body: dict[str, Any] = {
            "topic": TOPIC,
            "enableMessageOrdering": is_ordered,
            "enableExactlyOnceDelivery": is_exactly_once,
        }
        if has_dead_letters:
            policy = {"deadLetterTopic": DEAD_TOPIC, "maxDeliveryAttempts": ATTEMPTS}
            body["deadLetterPolicy"] = policy
        if min_backoff_s:
            body["retryPolicy"] = {"minimumBackoff": f"{min_backoff_s}s", "maximumBackoff": "25s"}
        self.run(self.broker.create_subscription, SUBSCRIPTION, body, "user:me")
        self.run(self.broker.create_subscription, DEAD, {"topic": DEAD_TOPIC}, "user:me")

    @rule(keys=st.lists(st.sampled_from(["", "a", "b"]), min_size=1, max_size=4))
    def publish(self, keys: list[str]) -> None:
        """Publish some messages."""
        drafts = [Draft(b"x", {}, key) for key in keys]
        for message_id, key in zip(self.run(self.broker.publish, TOPIC, drafts), keys, strict=True):
            self.owed[message_id] = Owed(message_id, key)

    @rule(limit=st.integers(1, 5))
    def pull(self, limit: int) -> None:
        """Get exactly what is available, oldest first, each with its attempt."""
        self.run(self.backlog._advance)
        expected = [one for one in self.owed.values() if self.is_available(one)][:limit]
        leases = self.run(self.backlog.pull, limit=limit)
        assert [lease.message.message_id for lease in leases] == [
            one.message_id for one in expected
        ]
        for one, lease in zip(expected, leases, strict=True):
            one.attempts += 1
            assert lease.attempt == one.attempts
            one.ack_id, one.leased_until = lease.ack_id, self.now + 10
            self.ack_ids.append(lease.ack_id)

    def is_available(self, one: Owed) -> bool:
        """Neither leased, nor at rest, nor behind an older message of its key."""
        if one.leased_until is not None or one.rests_until > self.now:
            return False
        if not (self.is_ordered and one.key):
            return True
        return next(other for other in self.owed.values() if other.key == one.key) is one

    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        """Settle a delivery, perhaps late or twice."""
        ack_id = data.draw(st.sampled_from([*self.ack_ids, "unknown:1:0"]))
        self.run(self.backlog._advance)
        one = next((one for one in self.owed.values() if one.ack_id == ack_id), None)
        is_late = one is not None and one.leased_until is None
        settles = one is not None and not (is_late and self.is_exactly_once)
        assert self.run(self.backlog.acknowledge, [ack_id]) == ([] if settles else [ack_id])
        if one is not None and settles:
            del self.owed[one.message_id]

    @rule(data=st.data(), seconds=st.sampled_from([0, 0, 30]))
    def modify_deadline(self, data: st.DataObject, seconds: int) -> None:
        """Refuse a delivery or extend it."""
        ack_id = data.draw(st.sampled_from([*self.ack_ids, "unknown:1:0"]))
        self.run(self.backlog._advance)
        one = next((one for one in self.owed.values() if one.ack_id == ack_id), None)
        holds = one is not None and one.leased_until is not None
        lost = self.run(self.backlog.modify_deadline, [ack_id], seconds)
        assert lost == ([] if holds else [ack_id])
        if one is not None and holds:
            one.leased_until = self.now + seconds
            if not seconds:
                self.fail(one)

    @rule(seconds=st.sampled_from([1, 9, 10, 26]))
    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.now += seconds
        self.run(self.backlog._advance)
        for one in list(self.owed.values()):
            if one.leased_until is not None and one.leased_until <= self.now:
                self.fail(one)

    def fail(self, one: Owed) -> None:
        """A delivery was in vain: the message rests, or is dead."""
        one.leased_until, one.failures = None, one.attempts
        if self.limit is not None and one.attempts >= self.limit:
            del self.owed[one.message_id]
            self.dead.add(one.message_id)
        elif self.min_backoff_s:
            backoff_s = min(25, self.min_backoff_s * 2 ** (one.attempts - 1))
            one.rests_until = self.now + backoff_s

    @rule()
    def restart(self) -> None:
        """End the process without a farewell to anybody, and begin anew."""
        self.run(self.broker.stop)
        self.store.close()
        self.start()
        for one in self.owed.values():
            one.attempts, one.ack_id, one.leased_until = one.failures, "", None
            one.rests_until = 0.0

    @invariant()
    def owes_what_the_model_owes(self) -> None:
        """Nothing is lost, and nothing settled comes back."""
        if hasattr(self, "limit"):
            assert len(self.backlog) == len(self.owed)
            assert len(self.broker.backlog(DEAD)) == len(self.dead)

    def teardown(self) -> None:
        """Everything still owed is delivered in the end."""
        try:
            if hasattr(self, "limit"):
                self.drain()
        finally:
            self.run(self.broker.stop)
            self.store.close()
            self.loop.close()
            for patch in self.patches:
                patch.stop()
            self.folder.cleanup()

    def drain(self) -> None:
        """Pull and settle until nothing is owed."""
        left = set(self.owed)
        for _ in range(len(left) + 2):
            self.now += 60
            self.run(self.backlog._advance)
            for one in list(self.owed.values()):
                if one.leased_until is not None:
                    self.fail(one)
            left -= self.dead
            leases = self.run(self.backlog.pull, limit=100)
            self.run(self.backlog.acknowledge, [lease.ack_id for lease in leases])
            for lease in leases:
                left.discard(lease.message.message_id)
                self.owed.pop(lease.message.message_id)
        assert not left


class TestPrograms(Programs.TestCase):
    """Some programs each time."""

    settings = settings(
        max_examples=60,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )


@pytest.mark.long
class TestManyPrograms(Programs.TestCase):
    """Many, and longer ones."""

    settings = settings(
        max_examples=1500,
        stateful_step_count=80,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
