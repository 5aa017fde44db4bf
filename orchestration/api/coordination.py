"""Routes of the coordination engine: document 004's, and lists and single reads beside them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, StringConstraints

from orchestration.agents.model import Name
from orchestration.api.calls import JSON, CurrentCall, RepeatableCall, json_reply
from orchestration.api.messages import Message
from orchestration.api.paging import After, CustomerFilter, Identifier, Limit, next_place
from orchestration.coordination.identity import Caller
from orchestration.coordination.model import (
    Approval,
    ApprovalStatus,
    CoordinationRequest,
    CoordinationResponse,
    ExecutionPlan,
)
from orchestration.coordination.service import Decision
from orchestration.coordination.storage.approvals import StoredApproval, Verdict
from orchestration.coordination.storage.audit import AuditEntry
from orchestration.coordination.storage.database import Transaction

router = APIRouter(prefix="/coordination", tags=["coordination"])

ContentHash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=r"^[^\x00]+$")]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ApproveRequest(_Body):
    """Who approves, and optionally the hash of what they were shown."""

    user_id: Name
    content_hash: ContentHash | None = None


class RejectRequest(_Body):
    """Who rejects, and why."""

    user_id: Name
    reason: Reason
    content_hash: ContentHash | None = None


class ApprovalDetail(Approval):
    """An approval with what it is bound to and what came of it."""

    coordination_id: str
    content_hash: str
    approvers_required: int
    plan_id: str | None = None
    superseded_by: str | None = None


class ApprovalList(BaseModel):
    """Approvals, the oldest first."""

    approvals: list[ApprovalDetail]
    count: int
    next: int | None = None


class PlanList(BaseModel):
    """Plans, the oldest first."""

    plans: list[ExecutionPlan]
    count: int
    next: int | None = None


class AuditList(BaseModel):
    """Entries of the audit log, in order; `chain_length` is that of the whole, checked chain."""

    entries: list[AuditEntry]
    count: int
    next: int | None = None
    chain_length: int | None = None


@router.post("/coordinate", response_model=CoordinationResponse)
def coordinate(call: RepeatableCall, request: CoordinationRequest) -> Response:
    """Weigh recommendations: find conflicts, resolve them, ask for approvals, make plans."""
    reply = call.once(
        request,
        lambda tx, caller: call.backend.coordinator.coordinate(tx, caller, request).document,
    )
    call.upkeep.wake_notifications()
    if request.execute_now:
        call.upkeep.wake_plans()
    return reply


@router.get("/coordinations/{coordination_id}", response_model=CoordinationResponse)
def read_coordination(call: CurrentCall, coordination_id: Identifier) -> Response:
    """Read again what a coordination was answered with."""
    with call.reading() as (tx, caller):
        found = call.backend.coordinator.find_coordination(tx, caller, coordination_id)
    return Response(found.response, media_type=JSON)


@router.get("/approvals", response_model=ApprovalList)
def list_approvals(
    call: CurrentCall,
    customer_id: CustomerFilter,
    status: Annotated[ApprovalStatus, Query()] = ApprovalStatus.PENDING,
    after: After = 0,
    limit: Limit = 100,
) -> Response:
    """List a customer's approvals, those that wait unless another status is asked for."""
    with call.reading() as (tx, caller):
        found = call.backend.coordinator.list_approvals(
            tx, caller, customer_id=customer_id, status=status, after=after, limit=limit
        )
        details = [_detail(stored, tx) for stored in found]
    places = [stored.seq for stored in found]
    return json_reply(
        ApprovalList(approvals=details, count=len(details), next=next_place(places, limit))
    )


@router.get("/approvals/{approval_id}", response_model=ApprovalDetail)
def read_approval(call: CurrentCall, approval_id: Identifier) -> Response:
    """Read one approval."""
    with call.reading() as (tx, caller):
        found = call.backend.coordinator.find_approval(tx, caller, approval_id)
        return json_reply(_detail(found, tx))


@router.post("/approvals/{approval_id}/approve", response_model=Message)
def approve(call: RepeatableCall, approval_id: Identifier, body: ApproveRequest) -> Response:
    """Approve a recommendation; the last approval that it needs makes its plan."""
    decision = Decision(Verdict.APPROVED, body.user_id, content_hash=body.content_hash)
    return _decide(call, approval_id, body, decision)


@router.post("/approvals/{approval_id}/reject", response_model=Message)
def reject(call: RepeatableCall, approval_id: Identifier, body: RejectRequest) -> Response:
    """Reject a recommendation; one rejection is enough."""
    decision = Decision(
        Verdict.REJECTED, body.user_id, reason=body.reason, content_hash=body.content_hash
    )
    return _decide(call, approval_id, body, decision)


@router.get("/plans", response_model=PlanList)
def list_plans(
    call: CurrentCall, customer_id: CustomerFilter, after: After = 0, limit: Limit = 100
) -> Response:
    """List a customer's plans."""
    with call.reading() as (tx, caller):
        found = call.backend.coordinator.list_plans(
            tx, caller, customer_id=customer_id, after=after, limit=limit
        )
    plans = [stored.plan for stored in found]
    places = [stored.seq for stored in found]
    return json_reply(PlanList(plans=plans, count=len(plans), next=next_place(places, limit)))


@router.get("/plans/{plan_id}", response_model=ExecutionPlan)
def read_plan(call: CurrentCall, plan_id: Identifier) -> Response:
    """Read one plan with its steps."""
    with call.reading() as (tx, caller):
        return json_reply(call.backend.coordinator.find_plan(tx, caller, plan_id).plan)


@router.post("/plans/{plan_id}/execute", response_model=Message, status_code=202)
def execute_plan(call: CurrentCall, plan_id: Identifier) -> Response:
    """Run a plan; answers 503 with `executor-not-available` where nobody can do its steps."""
    with call.writing() as (tx, caller):
        call.backend.coordinator.execute_plan(tx, caller, plan_id)
    call.upkeep.wake_plans()
    return json_reply(Message(message="Execution started", plan_id=plan_id), HTTPStatus.ACCEPTED)


@router.post("/plans/{plan_id}/rollback", response_model=Message, status_code=202)
def roll_back_plan(call: CurrentCall, plan_id: Identifier) -> Response:
    """Undo a plan that has completed, or go on undoing one that is stuck."""
    with call.writing() as (tx, caller):
        call.backend.coordinator.roll_back_plan(tx, caller, plan_id)
    call.upkeep.wake_plans()
    return json_reply(Message(message="Rollback started", plan_id=plan_id), HTTPStatus.ACCEPTED)


@router.get("/audit", response_model=AuditList)
def read_audit_log(
    call: CurrentCall,
    after: After = 0,
    limit: Limit = 100,
    verify: Annotated[bool, Query(description="Check the whole chain first.")] = False,  # noqa: FBT002 - FastAPI reads it by its name
) -> Response:
    """Read who did what; entries are chained by hashes, so that no change stays unseen."""
    with call.reading() as (tx, caller):
        log = call.backend.coordinator.read_audit_log(
            tx, caller, after=after, limit=limit, verify=verify
        )
    places = [entry.seq for entry in log.entries]
    return json_reply(
        AuditList(
            entries=log.entries,
            count=len(log.entries),
            next=next_place(places, limit),
            chain_length=log.chain_length,
        )
    )


def _decide(
    call: RepeatableCall, approval_id: str, body: BaseModel, decision: Decision
) -> Response:
    def act(tx: Transaction, caller: Caller) -> Message:
        decided = call.backend.coordinator.process_approval(tx, caller, approval_id, decision)
        if decided.still_needed:
            agreed = decided.needed - decided.still_needed
            return Message(message=f"Approval recorded: {agreed} of {decided.needed}")
        return Message(
            message=f"Recommendation {decision.verdict.value}",
            plan_id=decided.plan_id,
            blocked_by=decided.blocked_by or None,
        )

    reply = call.once(body, act)
    call.upkeep.wake_notifications()
    call.upkeep.wake_plans()
    return reply


def _detail(stored: StoredApproval, tx: Transaction) -> ApprovalDetail:
    fields = stored.approval.model_dump()
    if stored.is_lapsed(tx.now):
        fields["status"] = ApprovalStatus.EXPIRED
    return ApprovalDetail(
        **fields,
        coordination_id=stored.terms.coordination_id,
        content_hash=stored.terms.content_hash,
        approvers_required=stored.terms.approvers_required,
        plan_id=stored.plan_id,
        superseded_by=stored.superseded_by,
    )
