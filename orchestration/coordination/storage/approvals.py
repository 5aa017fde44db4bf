"""Approvals and the decisions of people on them.

An approval is decided by one conditional change of its row: of any number of racing decisions
the first one counts, on both databases.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from orchestration.coordination.model import Approval, ApprovalStatus
from orchestration.coordination.storage.database import Transaction
from orchestration.coordination.storage.tables import approvals, decisions


@dataclass(frozen=True, slots=True)
class ApprovalTerms:
    """What an approval is bound to: the content, and how many people have to agree."""

    coordination_id: str
    submitted_by: str
    approvers_required: int
    content_hash: str


@dataclass(frozen=True, slots=True)
class StoredApproval:
    """An approval with its terms and what came of it."""

    seq: int
    approval: Approval
    terms: ApprovalTerms
    superseded_by: str | None
    plan_id: str | None

    def is_lapsed(self, now: datetime) -> bool:
        """Say whether the time to decide is over, whether or not that was noted yet."""
        is_expired = self.approval.status is ApprovalStatus.EXPIRED
        is_open = self.approval.status is ApprovalStatus.PENDING
        return is_expired or (is_open and self.approval.expires_at <= now)
