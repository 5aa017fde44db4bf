"""Bearer tokens at rest: only their hashes, so that a stolen database opens no door."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from orchestration.coordination.identity import Role
from orchestration.coordination.storage import audit
from orchestration.coordination.storage.database import Transaction
from orchestration.coordination.storage.tables import tokens

PREFIX = "conductor_"

# Built once: every request asks them.
_HOLDER: Final = sa.select(tokens.c.subject, tokens.c.role, tokens.c.customer_id).where(
    tokens.c.secret_hash == sa.bindparam("secret")
)
_ANY: Final = sa.select(tokens.c.seq).limit(1)


@dataclass(frozen=True, slots=True)
class TokenHolder:
    """Whom a token stands for; without a customer it may act for all of them."""

    subject: str
    role: Role
    customer_id: str | None


def create(tx: Transaction, holder: TokenHolder, *, actor: str) -> str:
    """Make a token and give its text, which nobody can read again later."""
    # 256 random bits: a plain hash cannot be reversed by guessing, unlike a password's.
    text = PREFIX + secrets.token_urlsafe(32)
    token_id = str(uuid.uuid4())
    tx.connection.execute(
        tokens.insert().values(
            id=token_id,
            subject=holder.subject,
            role=holder.role.value,
            customer_id=holder.customer_id,
            secret_hash=_hash(text),
            created_at=tx.now,
        )
    )
    audit.record(
        tx,
        actor=actor,
        action="token_created",
        object_id=token_id,
        customer_id=holder.customer_id,
        detail={"subject": holder.subject, "role": holder.role.value},
    )
    return text


def find(tx: Transaction, text: str) -> TokenHolder | None:
    """Say whom a token stands for; None when there is no such token."""
    row = tx.connection.execute(_HOLDER, {"secret": _hash(text)}).one_or_none()
    if row is None:
        return None
    return TokenHolder(subject=row.subject, role=Role(row.role), customer_id=row.customer_id)


def any_exists(tx: Transaction) -> bool:
    """Say whether a token was ever created: from then on every caller needs one."""
    return tx.connection.execute(_ANY).first() is not None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
