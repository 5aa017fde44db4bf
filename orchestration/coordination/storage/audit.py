"""The audit log: who did what, in an order that nobody can change unseen.

Every entry carries the hash of the one before it. The database refuses changes and deletions;
`verify` finds out whether somebody made them all the same, with the database's own tools.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa
from pydantic import AwareDatetime, BaseModel, ConfigDict

from orchestration.coordination.storage.database import Transaction, take_turns
from orchestration.coordination.storage.errors import StorageDamaged
from orchestration.coordination.storage.tables import audit_log

# Before the first entry there is nothing to hash.
_GENESIS = "0" * 64

# Built once: every request that changes something needs them.
_LAST: Final = (
    sa.select(audit_log.c.seq, audit_log.c.hash).order_by(audit_log.c.seq.desc()).limit(1)
)
_ADD: Final = audit_log.insert()

Detail = str | int | bool | None | list[str]


class AuditEntry(BaseModel):
    """One thing that happened."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seq: int
    at: AwareDatetime
    actor: str
    action: str
    object_id: str
    customer_id: str | None
    detail: dict[str, Detail]
    previous_hash: str
    hash: str


def record(
    tx: Transaction,
    *,
    actor: str,
    action: str,
    object_id: str,
    customer_id: str | None,
    detail: Mapping[str, Detail],
) -> None:
    """Append an entry; call it last in a transaction, since others wait for it to end."""
    # Two entries with one predecessor would be a fork of the chain.
    take_turns(tx, "audit log")
    last = tx.connection.execute(_LAST).one_or_none()
    seq, previous = (last.seq + 1, last.hash) if last else (1, _GENESIS)
    text = json.dumps(detail, sort_keys=True, ensure_ascii=False)
    tx.connection.execute(
        _ADD,
        {
            "seq": seq,
            "at": tx.now,
            "actor": actor,
            "action": action,
            "object_id": object_id,
            "customer_id": customer_id,
            "detail": text,
            "previous_hash": previous,
            "hash": _hash(
                previous, seq, tx.now.isoformat(), actor, action, object_id, customer_id, text
            ),
        },
    )


def list_entries(
    tx: Transaction, *, customer_id: str | None, after: int, limit: int
) -> list[AuditEntry]:
    """Read entries in order, those of one customer where one is given."""
    query = sa.select(audit_log).where(audit_log.c.seq > after)
    if customer_id is not None:
        query = query.where(audit_log.c.customer_id == customer_id)
    rows = tx.connection.execute(query.order_by(audit_log.c.seq).limit(limit))
    return [_entry(row) for row in rows]


def verify(tx: Transaction) -> int:
    """Check the whole chain and say how many entries it has.

    Raises:
        StorageDamaged: an entry is missing or is not what it was when it was written.
    """
    previous, count = _GENESIS, 0
    chain = sa.select(audit_log).order_by(audit_log.c.seq).execution_options(yield_per=1000)
    with tx.connection.execute(chain) as rows:
        for row in rows:
            count += 1
            expected = _hash(
                previous,
                count,
                row.at.isoformat(),
                row.actor,
                row.action,
                row.object_id,
                row.customer_id,
                row.detail,
            )
            if (row.seq, row.previous_hash, row.hash) != (count, previous, expected):
                raise StorageDamaged(f"the audit log was changed at entry {count}")
            previous = row.hash
    return count


def _hash(*fields: str | int | None) -> str:
    # A JSON list keeps the fields apart: no two entries give the same text.
    return hashlib.sha256(json.dumps(fields).encode()).hexdigest()


def _entry(row: sa.Row[Any]) -> AuditEntry:
    fields = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
    fields["detail"] = json.loads(fields["detail"])
    return AuditEntry.model_validate(fields)
