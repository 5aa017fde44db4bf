"""Random Pub/Sub programs, what Google documents of their outcome, and who runs them.

A program is a list of steps; a step's outcome is what its caller sees, without ids and times. The
model says what must come out, and how many messages a runner has to wait for. Left out is what the
official emulator is known not to have: filters, IAM, label updates, push details, seeking.
"""

from __future__ import annotations

import random
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.api_core.exceptions import GoogleAPICallError
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

PROJECT = "projects/local-proj"
# Nothing is delivered again but what the program refuses: no lease of it ever runs out.
DEADLINE_S = 600
# The emulator lists nothing where Google finds no topic.
UNSAID = "unsaid"
_TOPICS = ("orders", "bills")
_DEAD = "dead"
_WRONG_NAMES = ("ab", "goog-orders", "1st", "sp ace")
_KEYS = ("", "", "k1", "k2")
_TIMEOUT_S = 20.0
# After the fifth refusal a message goes where dead letters go.
_ATTEMPTS = 5


@dataclass(frozen=True)
class Step:
    """One call, or a few that belong together.

    Attributes:
        verb: What to do; runners and the model have a method of its name.
        words: Its arguments.
    """

    verb: str
    words: tuple[Any, ...]


def program(seed: int, length: int = 40) -> list[Step]:
    """Return a program; the same one for the same seed."""
    dice = random.Random(seed)  # noqa: S311 - no secret
    steps = [Step("create_topic", (name,)) for name in (*_TOPICS, _DEAD)]
    steps += [
        Step("subscribe", (f"{topic}-plain", topic, DEADLINE_S, False, ""))
        for topic in ("orders", _DEAD)
    ]
    steps.append(Step("subscribe", ("orders-doomed", "orders", DEADLINE_S, False, _DEAD)))
    steps += [Step(*_chosen(dice, number)) for number in range(length)]
    return steps


def _chosen(dice: random.Random, number: int) -> tuple[str, tuple[Any, ...]]:
    topic = dice.choice(_TOPICS)
    kind = dice.choice(("plain", "ordered", "doomed"))
    name = dice.choice((f"{topic}-{kind}", f"{topic}-{kind}", f"{_DEAD}-plain"))
    # The default lease is short: only for what is acknowledged at once. (Below 10 s the emulator is
    # kinder than Google.)
    deadline_s = dice.choice((0, 0, 601)) if kind == "ordered" else DEADLINE_S
    of_kind = (kind == "ordered", _DEAD if kind == "doomed" else "")
    verbs: dict[str, tuple[int, tuple[Any, ...]]] = {
        "create_topic": (2, (dice.choice((topic, topic, *_WRONG_NAMES)),)),
        "delete_topic": (1, (topic,)),
        "get_topic": (1, (topic,)),
        "list_topics": (1, ()),
        "subscribe": (5, (f"{topic}-{kind}", topic, deadline_s, *of_kind)),
        "unsubscribe": (1, (f"{topic}-{kind}",)),
        "get_subscription": (1, (name,)),
        "list_subscriptions": (1, (topic,)),
        "publish": (12, (topic, number, dice.choice(_KEYS))),
        "take": (6, (name,)),
        "acknowledge": (3, (name, dice.randrange(3))),
        "refuse": (6, (name, dice.randrange(3))),
        "consume": (3, (name,)),
    }
    weights = [weight for weight, _ in verbs.values()]
    (verb,) = dice.choices(list(verbs), weights)
    return verb, verbs[verb][1]


@dataclass
class _Subscription:
    """What the model knows of a subscription; messages by their data."""

    topic: str
    is_ordered: bool
    dead_topic: str
    waiting: dict[str, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)


class Model:
    """Pub/Sub as Google documents it, as far as the programs go; `UNSAID` where sources differ."""

    def __init__(self) -> None:
        self._topics: set[str] = set()
        self._subscriptions: dict[str, _Subscription] = {}

    def run(self, step: Step) -> Any:
        """Return the step's outcome."""
        return getattr(self, f"_{step.verb}")(*step.words)

    def _create_topic(self, name: str) -> Any:
        if name in _WRONG_NAMES:
            return "INVALID_ARGUMENT"
        if name in self._topics:
            return "ALREADY_EXISTS"
        self._topics.add(name)
        return name

    def _delete_topic(self, name: str) -> Any:
        if name not in self._topics:
            return "NOT_FOUND"
        self._topics.remove(name)
        for subscription in self._subscriptions.values():
            if subscription.topic == name:
                subscription.topic = "_deleted-topic_"
        return None

    def _get_topic(self, name: str) -> Any:
        return name if name in self._topics else "NOT_FOUND"

    def _list_topics(self) -> Any:
        return sorted(self._topics)

    def _subscribe(
        self, name: str, topic: str, deadline_s: int, is_ordered: bool, dead_topic: str
    ) -> Any:
        if deadline_s not in (0, DEADLINE_S):
            return "INVALID_ARGUMENT"
        if name in self._subscriptions:
            return "ALREADY_EXISTS"
        if topic not in self._topics:
            return "NOT_FOUND"
        self._subscriptions[name] = _Subscription(topic, is_ordered, dead_topic)
        return deadline_s or 10

    def _unsubscribe(self, name: str) -> Any:
        return None if self._subscriptions.pop(name, None) else "NOT_FOUND"

    def _get_subscription(self, name: str) -> Any:
        found = self._subscriptions.get(name)
        return "NOT_FOUND" if found is None else [found.topic, found.is_ordered]

    def _list_subscriptions(self, topic: str) -> Any:
        if topic not in self._topics:
            return UNSAID
        return sorted(n for n, s in self._subscriptions.items() if s.topic == topic)

    def _publish(self, topic: str, number: int, key: str) -> Any:
        if topic not in self._topics:
            return "NOT_FOUND"
        self._spread(topic, f"m{number:03}", key)
        return 1

    def _spread(self, topic: str, data: str, key: str) -> None:
        for subscription in self._subscriptions.values():
            if subscription.topic == topic:
                subscription.waiting[data] = 0
                subscription.keys[data] = key

    def _take(self, name: str) -> Any:
        """Everything that waits; of an ordered subscription messages are only consumed."""
        found = self._subscriptions.get(name)
        if found is None:
            return "NOT_FOUND"
        if found.is_ordered:
            return None
        taken = {data: attempts + 1 for data, attempts in found.waiting.items()}
        found.held |= taken
        found.waiting = {}
        return sorted([data, n if found.dead_topic else 0] for data, n in taken.items())

    def _acknowledge(self, name: str, share: int) -> Any:
        found = self._subscriptions.get(name)
        if found is None:
            return None
        chosen = _share(found.held, share)
        found.held = {data: n for data, n in found.held.items() if data not in chosen}
        return chosen

    def _refuse(self, name: str, share: int) -> Any:
        found = self._subscriptions.get(name)
        if found is None:
            return None
        chosen = _share(found.held, share)
        for data in chosen:
            attempts = found.held.pop(data)
            if found.dead_topic and attempts >= _ATTEMPTS:
                self._spread(found.dead_topic, data, found.keys[data])
            else:
                found.waiting[data] = attempts
        return chosen

    def _consume(self, name: str) -> Any:
        found = self._subscriptions.get(name)
        if found is None:
            return "NOT_FOUND"
        if not found.is_ordered:
            return None
        consumed = [(data, found.keys[data]) for data in found.waiting]
        found.waiting = {}
        return by_key(consumed)


def by_key(messages: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """Return messages (data and key) in their order, a list for each key; any order without one."""
    keys = sorted({key for _, key in messages})
    lists = {key: [data for data, its in messages if its == key] for key in keys}
    return lists | ({"": sorted(lists[""])} if "" in lists else {})


def _share(held: Any, share: int) -> list[str]:
    return sorted(data for data in held if int(data[1:]) % 3 == share)


class Runner:
    """Runs programs over gRPC, as Google's client does.

    Args:
        port: Where Pub/Sub listens on this machine.
    """

    def __init__(self, port: int) -> None:
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self._publisher = PublisherClient(transport=PublisherGrpcTransport(channel=self._channel))
        self._subscriber = SubscriberClient(
            transport=SubscriberGrpcTransport(channel=self._channel)
        )
        # The lease of each held message, by subscription and data.
        self._held: dict[str, dict[str, str]] = {}
        self._is_ordered: dict[str, bool] = {}

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()

    def clear(self) -> None:
        """Delete every topic and subscription."""
        for subscription in self._subscriber.list_subscriptions(project=PROJECT):
            self._subscriber.delete_subscription(subscription=subscription.name)
        for topic in self._publisher.list_topics(project=PROJECT):
            self._publisher.delete_topic(topic=topic.name)
        self._held.clear()
        self._is_ordered.clear()

    def run(self, step: Step, expected: Any) -> Any:
        """Return the step's outcome; for messages it waits until as many are there as expected."""
        try:
            outcome = getattr(self, f"_{step.verb}")(*step.words, expected)
        except GoogleAPICallError as error:
            return error.grpc_status_code.name if error.grpc_status_code else str(error)
        return outcome

    def _create_topic(self, name: str, _expected: Any) -> Any:
        return _last(self._publisher.create_topic(name=_topic(name)).name)

    def _delete_topic(self, name: str, _expected: Any) -> Any:
        self._publisher.delete_topic(topic=_topic(name))

    def _get_topic(self, name: str, _expected: Any) -> Any:
        return _last(self._publisher.get_topic(topic=_topic(name)).name)

    def _list_topics(self, _expected: Any) -> Any:
        return sorted(_last(found.name) for found in self._publisher.list_topics(project=PROJECT))

    def _subscribe(
        self,
        name: str,
        topic: str,
        deadline_s: int,
        is_ordered: bool,
        dead_topic: str,
        _expected: Any,
    ) -> Any:
        request: dict[str, Any] = {
            "name": _subscription(name),
            "topic": _topic(topic),
            "ack_deadline_seconds": deadline_s,
            "enable_message_ordering": is_ordered,
        }
        if dead_topic:
            dead = {"dead_letter_topic": _topic(dead_topic), "max_delivery_attempts": _ATTEMPTS}
            request["dead_letter_policy"] = dead
        created = self._subscriber.create_subscription(request=request)
        self._held[name] = {}
        self._is_ordered[name] = is_ordered
        return created.ack_deadline_seconds

    def _unsubscribe(self, name: str, _expected: Any) -> Any:
        self._subscriber.delete_subscription(subscription=_subscription(name))
        self._held.pop(name, None)

    def _get_subscription(self, name: str, _expected: Any) -> Any:
        found = self._subscriber.get_subscription(subscription=_subscription(name))
        return [_last(found.topic), found.enable_message_ordering]

    def _list_subscriptions(self, topic: str, _expected: Any) -> Any:
        found = self._publisher.list_topic_subscriptions(topic=_topic(topic))
        return sorted(_last(name) for name in found)

    def _publish(self, topic: str, number: int, key: str, _expected: Any) -> Any:
        message = {"data": f"m{number:03}".encode(), "ordering_key": key}
        return len(self._publisher.publish(topic=_topic(topic), messages=[message]).message_ids)

    def _take(self, name: str, expected: Any) -> Any:
        if self._is_ordered.get(name) and expected is None:
            return None
        count = len(expected) if isinstance(expected, list) else 0
        taken = list(self._pulled(name, count))
        for received in taken:
            self._held[name][received.message.data.decode()] = received.ack_id
        return sorted([r.message.data.decode(), r.delivery_attempt] for r in taken)

    def _acknowledge(self, name: str, share: int, _expected: Any) -> Any:
        return self._settle(name, share, self._subscriber.acknowledge)

    def _refuse(self, name: str, share: int, _expected: Any) -> Any:
        def refuse(**request: Any) -> None:
            self._subscriber.modify_ack_deadline(**request, ack_deadline_seconds=0)

        return self._settle(name, share, refuse)

    def _settle(self, name: str, share: int, settle: Any) -> Any:
        if name not in self._held:
            return None
        held = self._held[name]
        chosen = _share(held, share)
        if chosen:
            leases = [held.pop(data) for data in chosen]
            settle(subscription=_subscription(name), ack_ids=leases)
        return chosen

    def _consume(self, name: str, expected: Any) -> Any:
        if not self._is_ordered.get(name, True) and expected is None:
            return None
        consumed = []
        count = sum(map(len, expected.values())) if isinstance(expected, dict) else 0
        for received in self._pulled(name, count):
            self._subscriber.acknowledge(
                subscription=_subscription(name), ack_ids=[received.ack_id]
            )
            consumed.append((received.message.data.decode(), received.message.ordering_key))
        return by_key(consumed)

    def _pulled(self, name: str, count: int) -> Iterator[Any]:
        """Pull as many as are expected, and look once more whether there is one too many."""
        left = count
        ends_at = time.monotonic() + _TIMEOUT_S
        request = {
            "subscription": _subscription(name),
            "max_messages": 100,
            "return_immediately": True,
        }
        while True:
            is_last = left <= 0 or time.monotonic() > ends_at
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                found = self._subscriber.pull(request=request).received_messages
            yield from found
            left -= len(found)
            if is_last:
                return


def _topic(name: str) -> str:
    return f"{PROJECT}/topics/{name}"


def _subscription(name: str) -> str:
    return f"{PROJECT}/subscriptions/{name}"


def _last(name: str) -> str:
    return name.rpartition("/")[2]
