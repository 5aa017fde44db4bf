"""Notifications: signed, repeated until they arrive, and in the log."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from coordination_api import Received, Time, coordinate, listening, recommendation, served
from structlog.testing import capture_logs

from orchestration.api.backend import ServerSettings
from orchestration.coordination.service import Coordinator
from orchestration.coordination.storage import notifications, tables
from orchestration.coordination.storage.database import Database

Wait = Callable[[Callable[[], object]], None]
SECRET = "a secret that both know"


def told(database: Database) -> list[tuple[str, str, int]]:
    """Give event, status and attempts of every notification, the oldest first."""
    columns = tables.notifications.c
    query = sa.select(columns.event, columns.status, columns.attempts).order_by(columns.seq)
    with database.reading() as tx:
        return [(row.event, row.status, row.attempts) for row in tx.connection.execute(query)]


def is_signed(taken: Received, secret: str) -> bool:
    """Check a signature as the Standard Webhooks convention says, not as our code does."""
    headers = {name.lower(): value for name, value in taken.headers.items()}
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + taken.body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"


def test_a_webhook_is_signed_and_repeated_until_it_arrives(
    database: Database, clock: Time, wait_until: Wait
) -> None:
    """Item 4: a receiver that fails at first gets the same notification again, with one id."""
    answers = [(500, b""), (302, b""), (204, b"")]
    with listening(lambda _: answers.pop(0)) as receiver:
        settings = ServerSettings(
            webhook_url=f"http://127.0.0.1:{receiver.port}/hook",
            webhook_secret=SECRET,
            upkeep_interval_s=0.05,
        )
        with served(database, settings) as client:
            body = coordinate(client, recommendation("r", risk_level="high"))
            wait_until(lambda: len(receiver.received) == 1)
            wait_until(lambda: told(database) == [("approval.requested", "pending", 1)])
            clock.pass_by(seconds=2)
            wait_until(lambda: len(receiver.received) == 2)
            clock.pass_by(seconds=6)
            wait_until(lambda: told(database) == [("approval.requested", "delivered", 3)])
    assert all(is_signed(taken, SECRET) for taken in receiver.received)
    assert not any(is_signed(taken, "another secret") for taken in receiver.received)
    ids = {taken.headers["webhook-id"] for taken in receiver.received}
    assert len(ids) == 1
    sent = json.loads(receiver.received[0].body)
    assert (sent["type"], sent["customer_id"]) == ("approval.requested", "cust-1")
    assert sent["data"]["recommendation_id"] == "r"
    assert sent["data"]["approval_id"] == body["approvals"][0]["id"]


def test_a_notification_is_given_up_after_its_last_retry(
    database: Database, clock: Time, wait_until: Wait
) -> None:
    """Item 4: retries end; what was given up stays on record."""
    with listening(lambda _: (503, b"")) as receiver:
        settings = ServerSettings(
            webhook_url=f"http://127.0.0.1:{receiver.port}/hook",
            webhook_secret=SECRET,
            upkeep_interval_s=0.05,
        )
        with served(database, settings) as client:
            coordinate(client, recommendation("r", risk_level="high"))

            def is_over() -> bool:
                clock.pass_by(hours=7)
                return "abandoned" in {status for _, status, _ in told(database)}

            wait_until(is_over)
    (first, *_) = told(database)
    assert first == ("approval.requested", "abandoned", 9)


def test_notifications_are_in_the_log_too(
    database: Database, quick: ServerSettings, wait_until: Wait
) -> None:
    """Item 4: without a webhook the log alone has them; medium risk is told of when automatic."""
    with capture_logs() as logs, served(database, quick) as client:
        coordinate(client, recommendation("r", risk_level="medium"), auto_approve=True)
        wait_until(lambda: [status for _, status, _ in told(database)] == ["delivered"])
    (entry,) = [entry for entry in logs if entry["event"] == "notification"]
    assert entry["event_type"] == "recommendation.approved"
    assert json.loads(entry["body"])["data"] == {"recommendation_id": "r", "by": "auto_approve"}


@pytest.mark.parametrize("risk", ["low", "high"])
def test_what_is_low_is_approved_in_silence(
    client: httpx.Client, database: Database, risk: str
) -> None:
    """C4: low needs nobody and bothers nobody; high asks."""
    coordinate(client, recommendation("r", risk_level=risk), auto_approve=True)
    events = [event for event, _, _ in told(database)]
    assert events == ([] if risk == "low" else ["approval.requested"])


def test_expiry_is_noted_when_it_is_looked_at_and_without_being_looked_at(
    client: httpx.Client, database: Database, clock: Time, wait_until: Wait
) -> None:
    """Item 4: on the database's clock; 410 at once, then recorded, told and audited by itself."""
    asked: dict[str, Any] = coordinate(client, recommendation("r", risk_level="critical"))
    path = f"/coordination/approvals/{asked['approvals'][0]['id']}"
    clock.pass_by(hours=3, minutes=59)
    assert client.get(path).json()["status"] == "pending"
    clock.pass_by(minutes=2)
    assert client.get(path).json()["status"] == "expired"
    late = client.post(f"{path}/approve", json={"user_id": "alice"})
    assert (late.status_code, late.json()["code"]) == (410, "approval-expired")
    pending = client.get("/coordination/approvals", params={"customer_id": "cust-1"}).json()
    assert pending["count"] == 0
    wait_until(lambda: "approval.expired" in [event for event, _, _ in told(database)])
    log = client.get("/coordination/audit").json()["entries"]
    assert [entry["action"] for entry in log] == ["coordinate", "expire"]
    listed = {"customer_id": "cust-1", "status": "expired"}
    assert client.get("/coordination/approvals", params=listed).json()["count"] == 1


def test_ended_notifications_are_forgotten_and_waiting_ones_are_not(
    database: Database, clock: Time
) -> None:
    """What arrived or was given up goes after a week; what still waits stays however long."""
    fates = ("delivered", "abandoned", "pending")
    with database.transaction() as tx:
        messages = [notifications.Message(fate, {}) for fate in fates]
        notifications.enqueue(tx, customer_id="cust-1", messages=messages)
        for fate in fates:
            tx.connection.execute(
                tables.notifications.update()
                .where(tables.notifications.c.event == fate)
                .values(status=fate)
            )
    for days, left in ((6, list(fates)), (2, ["pending"])):
        clock.pass_by(days=days)
        with database.transaction() as tx:
            Coordinator().tidy_up(tx)
        assert [event for event, *_ in told(database)] == left
