"""The delivery state machine, with time as a plain number."""

from __future__ import annotations

import math

from rehearsal.cloud.pubsub.delivery import Consumer, DeliveryPolicy, DeliveryQueue, Lease
from rehearsal.cloud.pubsub.messages import Message


def queue_of(*ids: str, key: str = "", **policy: float | bool | None) -> DeliveryQueue:
    """Return a queue that owes messages of these ids."""
    queue = DeliveryQueue(DeliveryPolicy(**policy))  # type: ignore[arg-type] # test shorthand
    for message_id in ids:
        queue.add(Message(message_id, 0.0, b"x", ordering_key=key))
    return queue


def pull(queue: DeliveryQueue, now_s: float, limit: int = 10) -> list[Lease]:
    """Pull without a byte limit."""
    return queue.pull(limit=limit, max_bytes=math.inf, now_s=now_s)


def ids(leases: list[Lease]) -> list[str]:
    """Return the messages of leases."""
    return [lease.message.message_id for lease in leases]


def test_a_leased_message_is_not_delivered_twice_before_its_deadline() -> None:
    """A lease is exclusive until it ends."""
    queue = queue_of("1", "2")
    assert ids(pull(queue, 0)) == ["1", "2"]
    queue.advance(9.9)
    assert pull(queue, 9.9) == []


def test_an_unacknowledged_message_comes_back_after_its_deadline() -> None:
    """Expiry is a failed delivery, and the attempt is counted."""
    queue = queue_of("1")
    pull(queue, 0)
    assert queue.next_event_at_s() == 10
    assert [failure.attempts for failure in queue.advance(10)] == [1]
    assert pull(queue, 10)[0].attempt == 2


def test_an_extended_lease_lasts_longer() -> None:
    """The last extension counts, also a shorter one."""
    queue = queue_of("1")
    (lease,) = pull(queue, 0)
    queue.modify_deadline([lease.ack_id], 60, 5)
    assert queue.advance(64) == []
    assert len(queue.advance(65)) == 1


def test_a_refused_message_is_ready_at_once_without_a_retry_policy() -> None:
    """Nack makes the message available again."""
    queue = queue_of("1")
    (lease,) = pull(queue, 0)
    queue.modify_deadline([lease.ack_id], 0, 1)
    assert ids(pull(queue, 1)) == ["1"]


def test_backoff_doubles_up_to_its_maximum() -> None:
    """A retry policy delays each further delivery."""
    queue = queue_of("1", min_backoff_s=10.0, max_backoff_s=25.0)
    now_s = 0.0
    for expected_s in (10, 20, 25, 25):
        (lease,) = pull(queue, now_s)
        queue.modify_deadline([lease.ack_id], 0, now_s)
        assert queue.next_event_at_s() == now_s + expected_s
        now_s += expected_s
        queue.advance(now_s)


def test_a_late_acknowledgement_counts_until_redelivery() -> None:
    """As in Pub/Sub, an expired ack id still settles a message that nobody else got."""
    queue = queue_of("1", "2")
    first, second = pull(queue, 0)
    queue.advance(10)
    assert queue.acknowledge([first.ack_id]) == (["1"], [])
    assert ids(pull(queue, 10)) == ["2"]
    assert queue.acknowledge([second.ack_id]) == ([], [second.ack_id])
    assert len(queue) == 1


def test_exhausted_attempts_wait_for_a_decision() -> None:
    """After the last attempt the message is neither delivered nor lost."""
    queue = queue_of("1", max_attempts=5)
    for attempt in range(1, 6):
        (lease,) = pull(queue, 0)
        ((failure,), _) = queue.modify_deadline([lease.ack_id], 0, 0)
        assert failure.is_exhausted == (attempt == 5)
    assert pull(queue, 0) == []
    queue.retry("1", 0)
    assert pull(queue, 0)[0].attempt == 6


def test_messages_of_one_key_are_delivered_in_order() -> None:
    """With ordering, the next message of a key waits until the one before is settled."""
    queue = queue_of("1", "2", key="customer", is_ordered=True)
    queue.add(Message("3", 0.0, b"x", ordering_key="other"))
    first, other = pull(queue, 0)
    assert ids([first, other]) == ["1", "3"]
    queue.modify_deadline([first.ack_id], 0, 0)
    (again,) = pull(queue, 0)
    assert again.message.message_id == "1"
    queue.acknowledge([again.ack_id])
    assert ids(pull(queue, 0)) == ["2"]


def test_flow_control_counts_what_a_consumer_holds() -> None:
    """A consumer's share grows with leases and shrinks with acks, nacks and expiry alike."""
    queue = queue_of("1", "2", "3")
    consumer = Consumer()
    leases = queue.pull(limit=3, max_bytes=math.inf, now_s=0, consumer=consumer)
    assert (consumer.messages, consumer.size) == (3, 3)
    queue.acknowledge([leases[0].ack_id])
    queue.modify_deadline([leases[1].ack_id], 0, 0)
    assert consumer.messages == 1
    queue.advance(10)
    assert (consumer.messages, consumer.size) == (0, 0)


def test_a_message_beyond_the_byte_limit_is_still_delivered_alone() -> None:
    """No message is too large to ever be delivered."""
    queue = queue_of("1", "2")
    assert ids(queue.pull(limit=10, max_bytes=0, now_s=0)) == ["1"]


def test_messages_beyond_their_retention_are_found() -> None:
    """Age counts from publishing."""
    queue = queue_of("1")
    queue.add(Message("2", 100.0, b"x"))
    assert queue.older_than(50.0) == ["1"]
