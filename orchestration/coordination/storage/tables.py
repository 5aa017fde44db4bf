"""The tables of the coordination engine, of the agents and of the tokens.

`migrations/` makes them; a test compares the two. Documents are the JSON texts that callers see,
kept byte for byte, so that what was approved can be hashed again.
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

metadata = sa.MetaData()


class Instant(TypeDecorator[datetime]):
    """A moment in UTC; SQLite forgets the zone, so it is given back on the way out."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store in UTC."""
        del dialect
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Read as an aware moment in UTC."""
        del dialect
        if value is None or value.tzinfo is None:
            return None if value is None else value.replace(tzinfo=UTC)
        return value.astimezone(UTC)


# Counts up in the order of insertion: lists are paged by it.
_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _sequence() -> sa.Column[int]:
    return sa.Column("seq", _SEQUENCE, primary_key=True, autoincrement=True)


tokens = sa.Table(
    "tokens",
    metadata,
    _sequence(),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("customer_id", sa.Text),
    sa.Column("secret_hash", sa.Text, nullable=False, unique=True),
    sa.Column("created_at", Instant, nullable=False),
)

coordinations = sa.Table(
    "coordinations",
    metadata,
    _sequence(),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("customer_id", sa.Text, nullable=False),
    sa.Column("submitted_by", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("response", sa.Text, nullable=False),
    # Whether plans that later approvals make are to run at once, too.
    sa.Column("execute_now", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index("coordinations_of_customer", "customer_id", "seq"),
)

recommendations = sa.Table(
    "recommendations",
    metadata,
    sa.Column("coordination_id", sa.Text, sa.ForeignKey("coordinations.id"), primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    sa.Index("recommendations_by_id", "id"),
)

approvals = sa.Table(
    "approvals",
    metadata,
    _sequence(),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("coordination_id", sa.Text, sa.ForeignKey("coordinations.id"), nullable=False),
    sa.Column("recommendation_id", sa.Text, nullable=False),
    sa.Column("customer_id", sa.Text, nullable=False),
    sa.Column("risk_level", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("requested_by", sa.Text, nullable=False),
    sa.Column("submitted_by", sa.Text, nullable=False),
    sa.Column("requested_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("approvers_required", sa.Integer, nullable=False),
    sa.Column("content_hash", sa.Text, nullable=False),
    sa.Column("approved_by", sa.Text),
    sa.Column("approved_at", Instant),
    sa.Column("rejected_by", sa.Text),
    sa.Column("rejected_at", Instant),
    sa.Column("rejection_reason", sa.Text),
    sa.Column("notes", sa.Text),
    # The approval that replaced this one, when the content was changed before a decision.
    sa.Column("superseded_by", sa.Text),
    sa.Column("plan_id", sa.Text),
    sa.Index("approvals_of_customer", "customer_id", "status", "seq"),
    sa.Index("approvals_of_recommendation", "customer_id", "recommendation_id", "status"),
    sa.Index("approvals_by_expiry", "status", "expires_at"),
)

# One row per person and approval: nobody counts twice.
decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("approval_id", sa.Text, sa.ForeignKey("approvals.id"), primary_key=True),
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("decided_at", Instant, nullable=False),
)

plans = sa.Table(
    "plans",
    metadata,
    _sequence(),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("coordination_id", sa.Text, sa.ForeignKey("coordinations.id"), nullable=False),
    sa.Column("recommendation_id", sa.Text, nullable=False),
    sa.Column("customer_id", sa.Text, nullable=False),
    sa.Column("approval_id", sa.Text, sa.ForeignKey("approvals.id"), unique=True),
    sa.Column("status", sa.Text, nullable=False),
    # The hash of the recommendation that was approved; execution checks it again.
    sa.Column("content_hash", sa.Text, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    # What is to be done with it (`Wish`), by whom it was asked for, and which of several servers
    # can: the one of this environment. Cleared when it is done.
    sa.Column("wish", sa.Text),
    sa.Column("wished_by", sa.Text),
    sa.Column("environment", sa.Text),
    # Each attempt is a workflow of its own; it begins at this step.
    sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
    sa.Column("first_step", sa.Integer, nullable=False, server_default="0"),
    sa.Index("plans_of_customer", "customer_id", "seq"),
    sa.Index("plans_wished", "wish", "seq"),
)

# Append-only: triggers refuse every change and every deletion.
audit_log = sa.Table(
    "audit_log",
    metadata,
    sa.Column("seq", _SEQUENCE, primary_key=True, autoincrement=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("object_id", sa.Text, nullable=False),
    sa.Column("customer_id", sa.Text),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("previous_hash", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
)

notifications = sa.Table(
    "notifications",
    metadata,
    _sequence(),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("customer_id", sa.Text, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("last_error", sa.Text),
    sa.Index("notifications_due", "status", "due_at"),
)

# Replies that were given to requests with an idempotency key.
replies = sa.Table(
    "replies",
    metadata,
    sa.Column("caller", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("request_digest", sa.Text, nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Index("replies_by_age", "created_at"),
)

agents = sa.Table(
    "agents",
    metadata,
    _sequence(),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("customer_id", sa.Text),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("port", sa.Integer, nullable=False),
    sa.Column("capabilities", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("metadata", sa.Text),
    sa.Column("registered_at", Instant, nullable=False),
    sa.Column("last_seen", Instant, nullable=False),
    sa.Index("agents_by_beat", "last_seen"),
)

tasks = sa.Table(
    "tasks",
    metadata,
    _sequence(),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("submitted_by", sa.Text, nullable=False),
    sa.Column("customer_id", sa.Text),
    sa.Column("task_type", sa.Text, nullable=False),
    sa.Column("agent_type", sa.Text),
    # The agent that the request named; `agent_id` is the one that has the task now.
    sa.Column("wanted_agent_id", sa.Text),
    sa.Column("agent_id", sa.Text, nullable=False),
    # Kept here, since an agent may be gone when its result arrives.
    sa.Column("agent_owner", sa.Text, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("parameters", sa.Text, nullable=False),
    sa.Column("metadata", sa.Text),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("started_at", Instant),
    sa.Column("completed_at", Instant),
    sa.Column("timeout_s", sa.Integer, nullable=False),
    sa.Column("retry_count", sa.Integer, nullable=False),
    sa.Column("max_retries", sa.Integer, nullable=False),
    # When something must happen next: the next attempt, or the end of this one.
    sa.Column("due_at", Instant),
    sa.Column("result", sa.Text),
    sa.Column("error", sa.Text),
    sa.Index("tasks_due", "status", "due_at"),
    sa.Index("tasks_of_agent", "agent_id", "status"),
    sa.Index("tasks_of_customer", "customer_id", "seq"),
)
