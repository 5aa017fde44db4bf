"""Deliver notifications: to a webhook, signed and retried, and to the log.

The signature is that of the Standard Webhooks convention: headers `webhook-id`,
`webhook-timestamp` and `webhook-signature`, the latter an HMAC-SHA256 over
`ID.TIMESTAMP.BODY`. A receiver may get a notification twice, under one id.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import timedelta

import httpx
import structlog

from orchestration.coordination.storage import notifications
from orchestration.coordination.storage.database import Database
from orchestration.coordination.storage.notifications import Notification

log = structlog.get_logger(__name__)

BATCH = 100
TIMEOUT_S = 10.0
# Somebody else may try after this time; the process that claimed them has died then.
LEASE = timedelta(seconds=60)
# Some nine hours altogether.
RETRY_DELAYS = tuple(
    timedelta(seconds=seconds) for seconds in (1, 5, 30, 120, 600, 1800, 7200, 21600)
)


class WebhookDelivery:
    """Brings notifications to where people look; without a URL that is the log alone."""

    def __init__(
        self,
        database: Database,
        *,
        url: str | None,
        secret: str,
        retry_delays: tuple[timedelta, ...] = RETRY_DELAYS,
    ) -> None:
        self._database = database
        self._url = url
        self._secret = secret
        self._retry_delays = retry_delays

    async def deliver_due(self) -> int:
        """Deliver what is due and say how many notifications that were."""
        due = await asyncio.to_thread(self._claim)
        if due:
            for item in due:
                if item.attempts == 1:
                    log.info("notification", event_type=item.event, body=item.body)
            errors = await self._post_all(due)
            await asyncio.to_thread(self._note, due, errors)
        return len(due)

    def _claim(self) -> list[Notification]:
        with self._database.reading() as tx:
            if not notifications.any_due(tx):
                return []
        with self._database.transaction() as tx:
            return notifications.claim_due(tx, limit=BATCH, lease=LEASE)

    async def _post_all(self, due: Sequence[Notification]) -> list[str | None]:
        if self._url is None:
            return [None] * len(due)
        async with httpx.AsyncClient(
            trust_env=False, follow_redirects=False, timeout=TIMEOUT_S
        ) as client:
            return await asyncio.gather(*(self._post(client, item) for item in due))

    async def _post(self, client: httpx.AsyncClient, item: Notification) -> str | None:
        assert self._url is not None
        timestamp = str(int(item.claimed_at.timestamp()))
        try:
            response = await client.post(
                self._url,
                content=item.body.encode(),
                headers={
                    "content-type": "application/json",
                    "webhook-id": item.id,
                    "webhook-timestamp": timestamp,
                    "webhook-signature": sign(self._secret, item.id, timestamp, item.body),
                },
            )
        except httpx.HTTPError as error:
            return f"{type(error).__name__}: {error}"
        return None if response.is_success else f"the webhook answered {response.status_code}"

    def _note(self, due: Sequence[Notification], errors: Sequence[str | None]) -> None:
        """Note what became of each, in one transaction: one each would cost one sync each."""
        failed = [(item, error) for item, error in zip(due, errors, strict=True) if error]
        arrived = [item.id for item, error in zip(due, errors, strict=True) if not error]
        with self._database.transaction() as tx:
            notifications.mark_delivered(tx, arrived)
            for item, error in failed:
                notifications.mark_failed(tx, item.id, error, retry_in=self._delay(item))
        for item, error in failed:
            is_last = self._delay(item) is None
            event = "notification_abandoned" if is_last else "notification_failed"
            log.warning(event, notification_id=item.id, attempts=item.attempts, error=error)

    def _delay(self, item: Notification) -> timedelta | None:
        is_last = item.attempts > len(self._retry_delays)
        return None if is_last else self._retry_delays[item.attempts - 1]


def sign(secret: str, message_id: str, timestamp: str, body: str) -> str:
    """Sign a notification, as its receiver does to check it."""
    signed = f"{message_id}.{timestamp}.{body}".encode()
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
