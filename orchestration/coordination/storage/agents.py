"""Registered agents: one row each; one that has been silent for too long is there no more.

Its row stays for as long as an approval may wait: nobody may approve what their agent asked for,
and agents come and go faster than people decide.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from orchestration.agents.model import (
    EXPIRED_AFTER_S,
    OPEN_STATUSES,
    UNHEALTHY_AFTER_S,
    Agent,
    AgentStatus,
    Heartbeat,
    Registration,
)
from orchestration.coordination.storage.database import Transaction
from orchestration.coordination.storage.tables import agents, tasks

# Built once: every request asks it.
_OFFERED: Final = sa.select(agents.c.capabilities).where(
    agents.c.last_seen > sa.bindparam("alive_since"),
    sa.or_(agents.c.customer_id.is_(None), agents.c.customer_id == sa.bindparam("served")),
)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """An agent with what only we know of it; without a customer it serves all of them."""

    agent: Agent
    owner: str
    customer_id: str | None
    open_tasks: int = 0
    latest_task: int = 0


def enrol(
    tx: Transaction, registration: Registration, *, owner: str, customer_id: str | None
) -> Agent:
    """Add an agent; it replaces the one that the same owner had at the same address."""
    tx.connection.execute(
        agents.delete().where(
            agents.c.owner == owner,
            agents.c.name == registration.name,
            agents.c.host == registration.host,
            agents.c.port == registration.port,
            agents.c.customer_id.is_not_distinct_from(customer_id),
        )
    )
    agent_id = str(uuid.uuid4())
    tx.connection.execute(
        agents.insert().values(
            id=agent_id,
            owner=owner,
            customer_id=customer_id,
            name=registration.name,
            type=registration.type.value,
            host=registration.host,
            port=registration.port,
            capabilities=json.dumps(registration.capabilities),
            status=AgentStatus.HEALTHY.value,
            version=registration.version,
            metadata=_text(registration.metadata),
            registered_at=tx.now,
            last_seen=tx.now,
        )
    )
    return Agent(
        id=agent_id,
        status=AgentStatus.HEALTHY,
        registered_at=tx.now,
        last_seen=tx.now,
        **registration.model_dump(),
    )


def find(tx: Transaction, agent_id: str) -> Enrolled | None:
    """Read one agent; None when it is unknown or has expired."""
    row = tx.connection.execute(_living(tx).where(agents.c.id == agent_id)).one_or_none()
    return None if row is None else _enrolled(row, tx.now)


def list_living(
    tx: Transaction, *, customer_id: str | None, agent_type: str | None = None
) -> list[Enrolled]:
    """Read all agents that serve a customer (every agent, without one), the oldest first."""
    query = _living(tx).order_by(agents.c.seq)
    if customer_id is not None:
        query = query.where(
            sa.or_(agents.c.customer_id.is_(None), agents.c.customer_id == customer_id)
        )
    if agent_type is not None:
        query = query.where(agents.c.type == agent_type)
    return [_enrolled(row, tx.now) for row in tx.connection.execute(query)]


def offered_actions(tx: Transaction, customer_id: str) -> frozenset[str]:
    """Name everything that a customer's agents can do at this moment."""
    alive_since = tx.now - timedelta(seconds=EXPIRED_AFTER_S)
    rows = tx.connection.execute(_OFFERED, {"alive_since": alive_since, "served": customer_id})
    return frozenset(action for row in rows for action in json.loads(row.capabilities))


def owners_named(tx: Transaction, names: Sequence[str]) -> frozenset[str]:
    """Name the owners of the agents that have one of these ids or names."""
    rows = tx.connection.execute(
        sa.select(agents.c.owner).where(sa.or_(agents.c.id.in_(names), agents.c.name.in_(names)))
    )
    return frozenset(row.owner for row in rows)


def beat(tx: Transaction, agent_id: str, heartbeat: Heartbeat) -> None:
    """Note a sign of life."""
    values: dict[str, Any] = {"last_seen": tx.now, "status": heartbeat.status.value}
    if heartbeat.metadata is not None:
        values["metadata"] = _text(heartbeat.metadata)
    tx.connection.execute(agents.update().where(agents.c.id == agent_id).values(values))


def retire(tx: Transaction, agent_id: str) -> None:
    """Have an agent be there no more; whose it was stays known for a while."""
    silent_since = tx.now - timedelta(seconds=EXPIRED_AFTER_S)
    tx.connection.execute(
        agents.update().where(agents.c.id == agent_id).values(last_seen=silent_since)
    )


def forget_silent(tx: Transaction, silent_for: timedelta) -> None:
    """Drop agents that have been silent for a time, after which nobody asks whose they were."""
    tx.connection.execute(agents.delete().where(agents.c.last_seen <= tx.now - silent_for))


def _living(tx: Transaction) -> sa.Select[Any]:
    load = (
        sa.select(sa.func.count())
        .where(
            tasks.c.agent_id == agents.c.id,
            tasks.c.status.in_([status.value for status in OPEN_STATUSES]),
        )
        .scalar_subquery()
    )
    latest = (
        sa.select(sa.func.coalesce(sa.func.max(tasks.c.seq), 0))
        .where(tasks.c.agent_id == agents.c.id)
        .scalar_subquery()
    )
    return sa.select(agents, load.label("open_tasks"), latest.label("latest_task")).where(
        agents.c.last_seen > tx.now - timedelta(seconds=EXPIRED_AFTER_S)
    )


def _enrolled(row: sa.Row[Any], now: datetime) -> Enrolled:
    is_silent = now - row.last_seen > timedelta(seconds=UNHEALTHY_AFTER_S)
    agent = Agent(
        id=row.id,
        name=row.name,
        type=row.type,
        host=row.host,
        port=row.port,
        capabilities=json.loads(row.capabilities),
        status=AgentStatus.UNHEALTHY if is_silent else row.status,
        version=row.version,
        registered_at=row.registered_at,
        last_seen=row.last_seen,
        metadata=None if row.metadata is None else json.loads(row.metadata),
    )
    return Enrolled(
        agent=agent,
        owner=row.owner,
        customer_id=row.customer_id,
        open_tasks=row.open_tasks,
        latest_task=row.latest_task,
    )


def _text(document: object) -> str | None:
    return None if document is None else json.dumps(document)
