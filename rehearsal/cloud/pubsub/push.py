"""Push subscriptions: messages are posted to an endpoint, its answer acknowledges them.

Leases, backoff and dead letters are as for any subscription (`backlog`); here is what is posted,
how often at once, and as whom.
"""

import asyncio
import json
import re
from collections.abc import Callable

import aiohttp

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.pubsub.backlog import Backlog
from rehearsal.cloud.pubsub.delivery import Lease

# Any of these acknowledges a message.
_ACCEPTED = frozenset({102, 200, 201, 202, 204})
_MAX_IN_FLIGHT = 20
_IDLE_WAIT_S = 60.0

_HEADER = re.compile(r"[A-Za-z0-9_-]+")

# (account's e-mail, audience) -> identity token, or None for an account that is gone or disabled.
MintToken = Callable[[str, str], str | None]


class Pushers:
    """The workers of every push subscription."""

    def __init__(self, mint_token: MintToken) -> None:
        self._mint_token = mint_token
        self._workers: dict[str, asyncio.Task[None]] = {}

    def follow(self, subscription: JsonObject, backlog: Backlog) -> None:
        """Push as a subscription's settings now say, or not at all."""
        self.forget(subscription["name"])
        if subscription["pushConfig"].get("pushEndpoint"):
            worker = _PushWorker(subscription, backlog, self._mint_token)
            self._workers[subscription["name"]] = asyncio.create_task(worker.run())

    def forget(self, name: str) -> None:
        """Push for a subscription no longer; what is in flight comes back by its deadline."""
        worker = self._workers.pop(name, None)
        if worker is not None:
            worker.cancel()

    async def stop(self) -> None:
        """End every worker."""
        workers = list(self._workers.values())
        for name in list(self._workers):
            self.forget(name)
        await asyncio.gather(*workers, return_exceptions=True)


class _PushWorker:
    """Posts one subscription's messages, several at once."""

    def __init__(self, subscription: JsonObject, backlog: Backlog, mint_token: MintToken) -> None:
        self._name: str = subscription["name"]
        self._config: JsonObject = subscription["pushConfig"]
        self._backlog = backlog
        self._mint_token = mint_token
        self._room = asyncio.Semaphore(_MAX_IN_FLIGHT)

    async def run(self) -> None:
        """Push until cancelled or the subscription closes."""
        timeout = aiohttp.ClientTimeout(total=self._backlog.policy.ack_deadline_s)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            asyncio.TaskGroup() as deliveries,
        ):
            while self._backlog.is_open:
                await self._room.acquire()
                leases = await self._next()
                if leases:
                    deliveries.create_task(self._deliver(session, leases[0]))
                else:
                    self._room.release()

    async def _next(self) -> list[Lease]:
        await self._backlog.wait(self._backlog.has_ready, _IDLE_WAIT_S)
        return self._backlog.pull(limit=1) if self._backlog.is_open else []

    async def _deliver(self, session: aiohttp.ClientSession, lease: Lease) -> None:
        try:
            is_accepted = await self._post(session, lease)
        finally:
            self._room.release()
        if not self._backlog.is_open:
            return
        if is_accepted:
            self._backlog.acknowledge([lease.ack_id])
        else:
            self._backlog.modify_deadline([lease.ack_id], 0)

    async def _post(self, session: aiohttp.ClientSession, lease: Lease) -> bool:
        endpoint: str = self._config["pushEndpoint"]
        headers = {
            "User-Agent": "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)"
        }
        oidc = self._config.get("oidcToken")
        if oidc:
            token = self._mint_token(oidc["serviceAccountEmail"], oidc.get("audience") or endpoint)
            if token is None:
                return False
            headers["Authorization"] = f"Bearer {token}"
        unwrapped = self._config.get("noWrapper")
        if unwrapped is not None:
            body = lease.message.data
            headers |= self._metadata(lease) if unwrapped.get("writeMetadata") else {}
        else:
            body = json.dumps(self._envelope(lease)).encode()
            headers["Content-Type"] = "application/json"
        try:
            async with session.post(endpoint, data=body, headers=headers) as answer:
                return answer.status in _ACCEPTED
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    def _metadata(self, lease: Lease) -> dict[str, str]:
        """What the envelope would tell, as headers; attributes that can be headers are too."""
        message = lease.message.to_json()
        told = {
            "subscription-name": self._name,
            "message-id": message["messageId"],
            "publish-time": message["publishTime"],
            "ordering-key": message.get("orderingKey", ""),
        }
        if self._backlog.policy.max_attempts is not None:
            told["delivery-attempt"] = str(lease.attempt)
        attributes = {
            key: value
            for key, value in lease.message.attributes.items()
            if _HEADER.fullmatch(key) and value.isascii() and value.isprintable()
        }
        return attributes | {
            f"x-goog-pubsub-{name}": value for name, value in told.items() if value
        }

    def _envelope(self, lease: Lease) -> JsonObject:
        message = lease.message.to_json()
        # Google sends both spellings of these two.
        message |= {"message_id": message["messageId"], "publish_time": message["publishTime"]}
        envelope: JsonObject = {"message": message, "subscription": self._name}
        if self._backlog.policy.max_attempts is not None:
            envelope["deliveryAttempt"] = lease.attempt
        return envelope
