"""The messages of the coordination engine, with the names and shapes of its JSON.

Requests are read as they are meant or not at all: unknown fields, unknown values and NaN are
refused. Whether their items make sense together is the business of `validation`. Replies leave
out what is None (`exclude_none`), as the agents of document 004 expect.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Annotated, Final, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
)
from pydantic_core import PydanticUndefined

from orchestration.coordination.facts import Facts

MAX_PRIORITY: Final = 2**53 - 1  # The largest whole number that every JSON reader keeps exact.


class RecommendationType(StrEnum):
    """What kind of agent recommends."""

    COST = "cost"
    PERFORMANCE = "performance"
    RESOURCE = "resource"
    APPLICATION = "application"


class RiskLevel(StrEnum):
    """How much could go wrong."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Severity(StrEnum):
    """How much is at stake in a conflict."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class ApprovalStatus(StrEnum):
    """What has become of a request for approval."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"


class ExecutionStatus(StrEnum):
    """How far a plan or one of its steps is."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"


class UndoStatus(StrEnum):
    """What became of a step when its plan was rolled back."""

    UNDONE = "undone"
    FAILED = "failed"
    KEPT = "kept"
    IRREVERSIBLE = "irreversible"


class ConflictType(StrEnum):
    """Why recommendations cannot stand together."""

    RESOURCE = "resource"
    ACTION = "action"
    DEPENDENCY = "dependency"
    TIMING = "timing"


class Strategy(StrEnum):
    """How conflicts are resolved: by document 004's winner order, or for the greatest worth."""

    DOCUMENTED = "documented"
    OPTIMAL = "optimal"


def _written(value: object) -> object:
    """Refuse a moment given as a number: which unit it has would be a guess."""
    if isinstance(value, int | float):
        raise ValueError("a moment is a text such as 2026-01-31T12:00:00Z")  # noqa: TRY004 - pydantic wants it
    return value


# A Go program writes its empty lists and maps as null.
def _null_as_list(value: object) -> object:
    return [] if value is None else value


def _null_as_mapping(value: object) -> object:
    return {} if value is None else value


Identifier = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00]+$")]
Text = Annotated[str, StringConstraints(max_length=20_000, pattern=r"^[^\x00]*$")]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Moment = Annotated[AwareDatetime, BeforeValidator(_written)]
Identifiers = Annotated[tuple[Identifier, ...], BeforeValidator(_null_as_list)]
FactsOrNull = Annotated[Facts, BeforeValidator(_null_as_mapping)]


class Message(BaseModel):
    """Part of a request or a reply."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def trusted(cls, fields: Mapping[str, object]) -> Self:
        """Make a message of values that were checked when they came in, or are the engine's own.

        What `model_construct` does, without its search for aliases: a decision on thousands of
        recommendations spends most of its time there. Every field that has no default is given.
        """
        made = cls.__new__(cls)
        attributes = object.__setattr__
        attributes(made, "__dict__", {**_defaults(cls), **fields})
        # One set for all: nobody changes a frozen message, and a copy gets its own.
        attributes(made, "__pydantic_fields_set__", _names(cls))
        attributes(made, "__pydantic_extra__", None)
        attributes(made, "__pydantic_private__", None)
        return made


@cache
def _names(kind: type[BaseModel]) -> set[str]:
    return set(kind.model_fields)


@cache
def _defaults(kind: type[BaseModel]) -> Mapping[str, object]:
    return {
        name: field.default
        for name, field in kind.model_fields.items()
        if field.default is not PydanticUndefined
    }


class Recommendation(Message):
    """What an agent recommends to do."""

    id: Identifier
    agent_id: Identifier
    agent_type: Text = ""
    customer_id: Identifier
    type: RecommendationType
    title: Text = ""
    description: Text = ""
    action: Identifier
    risk_level: RiskLevel
    estimated_savings: Number = 0.0
    estimated_impact: Text = ""
    affected_resources: Identifiers = ()
    parameters: FactsOrNull = Field(default_factory=dict)
    dependencies: Identifiers = Field(default=(), description="Ids of those that must run first.")
    priority: Annotated[int, Field(strict=True, ge=-MAX_PRIORITY, le=MAX_PRIORITY)] = 0
    confidence: Annotated[Number, Field(ge=0, le=1)] = 0.0
    created_at: Moment | None = None
    expires_at: Moment | None = None
    status: Text = ""
    metadata: Facts | None = None


class WouldFlip(Message):
    """A change that would turn the outcome around, everything else as it is."""

    text: str
    set_priority: dict[str, int] | None = Field(
        default=None, description="Recommendations that would need these priorities."
    )
    without_dependencies: tuple[str, ...] | None = Field(
        default=None, description="Dependencies that it would have to do without."
    )
    without_schedule: bool | None = Field(
        default=None, description="True when it would have to do without its window."
    )
    rival_on: str | None = Field(
        default=None, description="A resource on which one more recommendation would beat it."
    )
    rival_priority: int | None = Field(default=None, description="That one's priority.")


class WeighedRecommendation(Recommendation):
    """A recommendation and what came of it."""

    reason: str
    would_flip: WouldFlip | None = None
    blocked_by: tuple[str, ...] | None = None
    plan_id: str | None = None
    impact_score: float


class Conflict(Message):
    """Recommendations that cannot stand together, with all the reasons in `kinds`."""

    id: str
    type: ConflictType
    recommendation_ids: tuple[str, ...]
    description: str
    severity: Severity
    conflicting_field: str
    detected_at: Moment
    resolved: bool = False
    resolution: str | None = None
    resolved_at: Moment | None = None
    kinds: tuple[ConflictType, ...] = ()


class Approval(Message):
    """A request to people to agree."""

    id: str
    recommendation_id: str
    customer_id: str
    risk_level: RiskLevel
    status: ApprovalStatus = ApprovalStatus.PENDING
    requested_by: str
    requested_at: Moment
    approved_by: str | None = None
    approved_at: Moment | None = None
    rejected_by: str | None = None
    rejected_at: Moment | None = None
    rejection_reason: str | None = None
    expires_at: Moment
    notes: str | None = None


class ExecutionStep(Message):
    """One action of a plan."""

    id: str
    action: str
    agent_id: str
    parameters: FactsOrNull
    critical: bool
    reversible: bool
    retain_on_rollback: bool = False
    status: ExecutionStatus = ExecutionStatus.PENDING
    result: Facts | None = None
    error: str | None = None
    started_at: Moment | None = None
    completed_at: Moment | None = None
    duration_ms: int = 0
    rollback_data: Facts | None = None
    undo: UndoStatus | None = Field(
        default=None, description="What became of it when the plan was rolled back."
    )
    undo_error: str | None = None


class ExecutionPlan(Message):
    """How a recommendation is carried out; `metadata.after` names those that come first."""

    id: str
    recommendation_id: str
    customer_id: str
    steps: tuple[ExecutionStep, ...]
    status: ExecutionStatus = ExecutionStatus.PENDING
    current_step: int = 0
    created_at: Moment
    started_at: Moment | None = None
    completed_at: Moment | None = None
    rolled_back_at: Moment | None = None
    total_duration_ms: int = 0
    metadata: Facts | None = None
    queued_at: Moment | None = Field(default=None, description="When it was asked to run.")
    waiting_for: str | None = Field(default=None, description="Why it does not run yet.")
    error: str | None = Field(default=None, description="Why it did not complete.")
    stuck: tuple[str, ...] | None = Field(
        default=None, description="Ids of the steps that could not be undone."
    )


class CoordinationRequest(Message):
    """Recommendations of one customer to weigh together."""

    customer_id: Identifier
    recommendations: tuple[Recommendation, ...]
    auto_approve: StrictBool = False
    execute_now: StrictBool = False
    strategy: Identifier = Strategy.DOCUMENTED.value
    idempotency_key: Identifier | None = None


class Gain(Message):
    """What the best compatible set saves, and what the documented order would have saved."""

    savings: float
    documented_savings: float
    gained_savings: float
    kept: int
    documented_kept: int
    is_proved: bool = Field(description="Whether nothing better can be; else time was over first.")


class CoordinationResponse(Message):
    """What came of a request; what is empty and optional is None."""

    id: str
    total_recommendations: int
    conflicts_detected: int
    conflicts_resolved: int
    recommendations_kept: int
    approvals_required: int
    auto_approved: int
    conflicts: tuple[Conflict, ...] | None = None
    recommendations: tuple[WeighedRecommendation, ...]
    dropped: tuple[WeighedRecommendation, ...] | None = None
    approvals: tuple[Approval, ...]
    execution_plans: tuple[ExecutionPlan, ...] | None = None
    not_executed: str | None = Field(
        default=None, description="Why plans stay pending although `execute_now` was asked for."
    )
    gain: Gain | None = Field(
        default=None, description="With the strategy `optimal`: what that is worth."
    )
    created_at: Moment
