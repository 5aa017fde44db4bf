"""The broker: topics, subscriptions and the messages between them, for every façade.

REST and gRPC call these methods with Google's JSON forms. Permissions on the resource a call
names are the façades' matter; those on further resources (the topic a subscription attaches to,
the account it pushes as, the dead letter topic) are checked here.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import ERROR_INFO, ApiError, invalid_argument
from rehearsal.cloud.pubsub import dead_letters
from rehearsal.cloud.pubsub.backlog import Backlog
from rehearsal.cloud.pubsub.fields import fields_of_mask
from rehearsal.cloud.pubsub.filters import compile_filter
from rehearsal.cloud.pubsub.message_faults import MessageFaults
from rehearsal.cloud.pubsub.message_log import MessageLog
from rehearsal.cloud.pubsub.messages import MAX_REQUEST_BYTES, Draft, Message, MessageIds
from rehearsal.cloud.pubsub.push import Pushers
from rehearsal.cloud.pubsub.subscriptions import Subscriptions, policy_of, time_to_live_s
from rehearsal.cloud.pubsub.topics import DELETED_TOPIC, Topics
from rehearsal.cloud.store import Store

SWEEP_INTERVAL_S = 60.0
_MAX_PUBLISH = 1000
_MAX_EXTENSION_S = 600


class AccessControl(Protocol):
    """What the broker needs of the cloud's IAM."""

    def require(self, principal: str, permission: str, resource: str) -> None:
        """Raise 403 where the principal lacks the permission."""

    def require_act_as(self, principal: str, email: str) -> None:
        """Raise 403 where the principal may not have a service account push for it."""

    def allows(self, principal: str, permission: str, resource: str) -> bool:
        """Return whether the principal has the permission."""

    def forget(self, resource: str) -> None:
        """Drop the policy of a deleted resource."""


def check_extension(seconds: int) -> None:
    """Refuse a deadline that no lease can have.

    Raises:
        ApiError: 400.
    """
    if not 0 <= seconds <= _MAX_EXTENSION_S:
        raise invalid_argument(
            f"Invalid ack deadline given (seconds={seconds}). "
            f"It must be between 0 and {_MAX_EXTENSION_S} seconds."
        )


class Broker:
    """All Pub/Sub state of one local cloud."""

    def __init__(
        self,
        store: Store,
        log: MessageLog,
        iam: AccessControl,
        pushers: Pushers,
        faults: MessageFaults,
        *,
        project_number: str,
    ) -> None:
        self.topics = Topics(store)
        self.subscriptions = Subscriptions(store)
        self.iam = iam
        self._service_agent = dead_letters.service_agent(project_number)
        self._log = log
        self._pushers = pushers
        self._faults = faults
        self._ids = MessageIds()
        self._backlogs: dict[str, Backlog] = {}
        self._subscribers: dict[str, set[str]] = {}
        self._sweeper: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Take up every subscription in the store, with what it is still owed."""
        for subscription in self.subscriptions.all():
            self._open(subscription)
        self._schedule_sweep()

    async def stop(self) -> None:
        """Let every subscriber go; what is owed stays on disk."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        await self._pushers.stop()
        for backlog in self._backlogs.values():
            backlog.close(is_deleted=False)
        self._backlogs.clear()
        self._subscribers.clear()
        self._log.close()

    def delete_topic(self, name: str) -> None:
        """Delete a topic; its subscriptions stay, detached."""
        self.topics.delete(name)
        self.subscriptions.detach_all(name)
        self._subscribers.pop(name, None)
        self.iam.forget(name)

    def create_subscription(self, name: str, body: JsonObject, principal: str) -> JsonObject:
        """Create a subscription and begin to collect messages for it.

        Raises:
            ApiError: 400, 403, 404 (topic) or 409.
        """
        topic = body.get("topic")
        if not topic:
            raise invalid_argument("You have passed an invalid argument to the service (topic=).")
        proposed = self.subscriptions.proposed(name, body)
        self.topics.get(topic)
        self.iam.require(principal, "pubsub.topics.attachSubscription", topic)
        self._check_referenced(body, principal)
        subscription = self.subscriptions.keep(proposed)
        self._open(subscription)
        return subscription

    def patch_subscription(
        self, name: str, body: JsonObject, mask: Sequence[str] | None, principal: str
    ) -> JsonObject:
        """Change a subscription; messages it is owed follow the new settings.

        Raises:
            ApiError: 400, 403 or 404.
        """
        changed = {field: body.get(field) for field in fields_of_mask(mask or ())}
        self._check_referenced(changed, principal)
        subscription = self.subscriptions.patch(name, body, mask)
        backlog = self.backlog(name)
        backlog.policy = policy_of(subscription)
        self._pushers.follow(subscription, backlog)
        return subscription

    def delete_subscription(self, name: str) -> None:
        """Delete a subscription with everything it is owed."""
        topic = self.subscriptions.get(name)["topic"]
        self.subscriptions.delete(name)
        self._subscribers.get(topic, set()).discard(name)
        self._pushers.forget(name)
        self._backlogs.pop(name).close(is_deleted=True)
        self.iam.forget(name)

    def subscriptions_of(self, topic: str) -> list[str]:
        """Return the names of a topic's subscriptions.

        Raises:
            ApiError: 404.
        """
        self.topics.get(topic)
        return sorted(self._subscribers.get(topic, ()))

    def publish(self, topic: str, drafts: Sequence[Draft]) -> list[str]:
        """Publish messages; they are on disk for every subscription when this returns.

        Raises:
            ApiError: 400 or 404.
        """
        self.topics.get(topic)
        if not drafts:
            raise invalid_argument("The request contains no messages.")
        if len(drafts) > _MAX_PUBLISH:
            raise invalid_argument(
                f"The value for message_count is too large. You passed {len(drafts)} in the "
                f"request, but the maximum value is {_MAX_PUBLISH}."
            )
        for draft in drafts:
            draft.check()
        if sum(draft.size for draft in drafts) > MAX_REQUEST_BYTES:
            raise invalid_argument(
                f"Request payload size exceeds the limit: {MAX_REQUEST_BYTES} bytes."
            )
        now_s = time.time()
        messages = [
            Message(self._ids.next(), now_s, draft.data, draft.attributes, draft.ordering_key)
            for draft in drafts
        ]
        backlogs = [self._backlogs[name] for name in self._subscribers.get(topic, ())]
        owed = {
            backlog.subscription: self._faults.arrivals(
                backlog.subscription,
                [message for message in messages if backlog.accepts(message.attributes)],
            )
            for backlog in backlogs
        }
        self._log.append(
            {name: [one.message for one in arrivals] for name, arrivals in owed.items()}
        )
        for backlog in backlogs:
            backlog.receive(owed[backlog.subscription])
        return [message.message_id for message in messages]

    def backlog(self, subscription: str) -> Backlog:
        """Return a subscription's deliveries.

        Raises:
            ApiError: 404.
        """
        self.subscriptions.get(subscription)
        return self._backlogs[subscription]

    def acknowledge(self, subscription: str, ack_ids: Sequence[str]) -> None:
        """Settle deliveries.

        Raises:
            ApiError: 404; 400 for lost leases, where exactly-once delivery promises to tell.
        """
        self._refuse_lost(subscription, self.backlog(subscription).acknowledge(ack_ids))

    def modify_ack_deadline(self, subscription: str, ack_ids: Sequence[str], seconds: int) -> None:
        """Extend (or with 0 refuse) deliveries.

        Raises:
            ApiError: 400 or 404; 400 for lost leases as `acknowledge`.
        """
        check_extension(seconds)
        lost = self.backlog(subscription).modify_deadline(ack_ids, seconds)
        self._refuse_lost(subscription, lost)

    def sweep(self, now_s: float) -> None:
        """Drop messages beyond their retention and subscriptions nobody used for too long."""
        for subscription in self.subscriptions.all():
            backlog = self._backlogs[subscription["name"]]
            backlog.drop_older_than(now_s - backlog.policy.retention_s)
            ttl_s = time_to_live_s(subscription)
            if ttl_s is not None and now_s - backlog.active_at_s > ttl_s:
                self.delete_subscription(subscription["name"])

    def _refuse_lost(self, subscription: str, ack_ids: Sequence[str]) -> None:
        if not ack_ids or not self.backlog(subscription).policy.is_exactly_once:
            return
        raise ApiError(
            400,
            "FAILED_PRECONDITION",
            "Some acknowledgement ids in the request were invalid. This could be because the "
            "acknowledgement ids have expired or the acknowledgement ids were malformed.",
            details=(
                {
                    "@type": ERROR_INFO,
                    "reason": "EXACTLY_ONCE_ACKID_FAILURE",
                    "domain": "pubsub.googleapis.com",
                    "metadata": dict.fromkeys(ack_ids, "PERMANENT_FAILURE_INVALID_ACK_ID"),
                },
            ),
        )

    def _open(self, subscription: JsonObject) -> None:
        name = subscription["name"]
        self._backlogs[name] = Backlog(
            name,
            policy_of(subscription),
            compile_filter(subscription.get("filter", "")),
            self._log,
            lambda message, attempts: self._dead_letter(name, message, attempts),
        )
        self._pushers.follow(subscription, self._backlogs[name])
        if subscription["topic"] != DELETED_TOPIC:
            self._subscribers.setdefault(subscription["topic"], set()).add(name)

    def _dead_letter(self, name: str, message: Message, attempts: int) -> bool:
        """Hand an exhausted message to the dead letter topic; return whether that took it."""
        subscription = self.subscriptions.get(name)
        topic = subscription.get("deadLetterPolicy", {}).get("deadLetterTopic", "")
        if not dead_letters.may_forward(self.iam, self._service_agent, topic, name):
            return False
        if not self.topics.exists(topic):
            return False
        self.publish(topic, [dead_letters.forwarded(message, name, attempts)])
        return True

    def _check_referenced(self, body: JsonObject, principal: str) -> None:
        dead_letter_topic = (body.get("deadLetterPolicy") or {}).get("deadLetterTopic")
        if dead_letter_topic:
            self.topics.get(dead_letter_topic)
        account = ((body.get("pushConfig") or {}).get("oidcToken") or {}).get("serviceAccountEmail")
        if account:
            self.iam.require_act_as(principal, account)

    def _schedule_sweep(self) -> None:
        def sweep() -> None:
            self.sweep(time.time())
            self._schedule_sweep()

        self._sweeper = asyncio.get_running_loop().call_later(SWEEP_INTERVAL_S, sweep)
