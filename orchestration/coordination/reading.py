"""What is kept, as its callers may see it: nobody finds what belongs to another customer."""

from __future__ import annotations

from dataclasses import dataclass

from orchestration.coordination.identity import Caller, Permission
from orchestration.coordination.model import ApprovalStatus
from orchestration.coordination.refusals import ApprovalUnknown, CoordinationUnknown, PlanUnknown
from orchestration.coordination.storage import approvals, audit, coordinations, plans
from orchestration.coordination.storage.approvals import StoredApproval
from orchestration.coordination.storage.audit import AuditEntry
from orchestration.coordination.storage.coordinations import CoordinationRow
from orchestration.coordination.storage.database import Transaction
from orchestration.coordination.storage.plans import StoredPlan


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Entries of the audit log; `chain_length` where the whole chain was checked."""

    entries: list[AuditEntry]
    chain_length: int | None = None


class Reading:
    """Reads coordinations, approvals, plans and the audit log."""

    def find_coordination(
        self, tx: Transaction, caller: Caller, coordination_id: str
    ) -> CoordinationRow:
        """Read a coordination.

        Raises:
            CoordinationUnknown: there is none for this caller.
        """
        caller.require(Permission.READ)
        found = coordinations.find(tx, coordination_id)
        if found is None or not caller.sees(found.customer_id):
            raise CoordinationUnknown(f"coordination not found: {coordination_id}")
        return found

    def find_approval(self, tx: Transaction, caller: Caller, approval_id: str) -> StoredApproval:
        """Read an approval.

        Raises:
            ApprovalUnknown: there is none for this caller.
        """
        caller.require(Permission.READ)
        found = approvals.find(tx, approval_id)
        if found is None or not caller.sees(found.approval.customer_id):
            raise ApprovalUnknown(f"approval not found: {approval_id}")
        return found

    def list_approvals(
        self,
        tx: Transaction,
        caller: Caller,
        *,
        customer_id: str,
        status: ApprovalStatus,
        after: int,
        limit: int,
    ) -> list[StoredApproval]:
        """Read a customer's approvals in one status, the oldest first."""
        caller.require(Permission.READ)
        caller.require_customer(customer_id)
        return approvals.list_page(
            tx, customer_id=customer_id, status=status, after=after, limit=limit
        )

    def find_plan(self, tx: Transaction, caller: Caller, plan_id: str) -> StoredPlan:
        """Read a plan.

        Raises:
            PlanUnknown: there is none for this caller.
        """
        caller.require(Permission.READ)
        found = plans.find(tx, plan_id)
        if found is None or not caller.sees(found.plan.customer_id):
            raise PlanUnknown(f"Plan not found: {plan_id}")
        return found

    def list_plans(
        self, tx: Transaction, caller: Caller, *, customer_id: str, after: int, limit: int
    ) -> list[StoredPlan]:
        """Read a customer's plans, the oldest first."""
        caller.require(Permission.READ)
        caller.require_customer(customer_id)
        return plans.list_page(tx, customer_id=customer_id, after=after, limit=limit)

    def read_audit_log(
        self, tx: Transaction, caller: Caller, *, after: int, limit: int, verify: bool
    ) -> AuditPage:
        """Read who did what; with `verify`, after checking the whole chain.

        Raises:
            StorageDamaged: the log was changed.
        """
        caller.require(Permission.AUDIT)
        length = audit.verify(tx) if verify else None
        found = audit.list_entries(tx, customer_id=caller.customer_id, after=after, limit=limit)
        return AuditPage(found, length)
