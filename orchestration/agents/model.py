"""What agents say about themselves, and the tasks that they are given.

Names and shapes are those that the agents of document 004 already send and read.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
)

from orchestration.coordination.facts import Facts

HEARTBEAT_INTERVAL_S = 30
UNHEALTHY_AFTER_S = 45
EXPIRED_AFTER_S = 60

DEFAULT_TIMEOUT_S = 30
LONGEST_TIMEOUT_S = 300
MAX_RETRIES = 3
RETRY_DELAY_S = 5
RESULTS_KEPT_S = 3600

# Control characters have no place in names, and PostgreSQL cannot store all of them.
Name = Annotated[
    str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")
]
Version = Annotated[str, StringConstraints(max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")]


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AgentStatus(StrEnum):
    """How an agent is."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


class AgentType(StrEnum):
    """What an agent optimises."""

    COST = "cost"
    PERFORMANCE = "performance"
    RESOURCE = "resource"
    APPLICATION = "application"


class Registration(_Message):
    """An agent that presents itself, and where it takes tasks."""

    name: Name
    type: AgentType
    host: Name
    port: int = Field(ge=1, le=65535)
    capabilities: tuple[Name, ...] = Field(default=(), max_length=200)
    version: Version = ""
    metadata: Facts | None = None


class Heartbeat(_Message):
    """An agent's sign of life."""

    status: AgentStatus = AgentStatus.HEALTHY
    metadata: Facts | None = None


class Agent(_Message):
    """A registered agent as others see it."""

    id: str
    name: str
    type: AgentType
    host: str
    port: int
    capabilities: tuple[str, ...]
    status: AgentStatus
    version: str
    registered_at: AwareDatetime
    last_seen: AwareDatetime
    metadata: Facts | None = None


class TaskStatus(StrEnum):
    """Where a task is on its way."""

    PENDING = "pending"
    SENT = "sent"
    RUNNING = "running"
    RETRYING = "retrying"
    COMPLETED = "completed"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"


OPEN_STATUSES = frozenset(
    {TaskStatus.PENDING, TaskStatus.SENT, TaskStatus.RUNNING, TaskStatus.RETRYING}
)


class TaskSubmission(_Message):
    """A task for any capable agent, or for the one that is named."""

    task_type: Name
    agent_type: AgentType | None = None
    agent_id: Name | None = None
    parameters: Facts = Field(default_factory=dict)
    priority: int = Field(default=5, ge=0, le=100)
    timeout_seconds: int = Field(default=DEFAULT_TIMEOUT_S, ge=1, le=LONGEST_TIMEOUT_S)
    max_retries: int = Field(default=MAX_RETRIES, ge=0, le=MAX_RETRIES)
    metadata: Facts | None = None


class Outcome(StrEnum):
    """How an agent's work ended."""

    COMPLETED = "completed"
    FAILED = "failed"


class TaskResult(_Message):
    """What an agent answers, at once or later."""

    status: Outcome
    result: Facts | None = None
    error: Annotated[str, StringConstraints(max_length=10_000, pattern=r"^[^\x00]*$")] | None = None


class TaskOrder(_Message):
    """What an agent is sent."""

    task_id: str
    task_type: str
    parameters: Facts
    timeout_seconds: int


class Task(_Message):
    """A task and where it stands."""

    task_id: str
    task_type: str
    agent_id: str
    agent_type: AgentType | None
    priority: int
    parameters: Facts
    status: TaskStatus
    created_at: AwareDatetime
    started_at: AwareDatetime | None = None
    completed_at: AwareDatetime | None = None
    timeout_seconds: int
    retry_count: int
    max_retries: int
    result: Facts | None = None
    error: str | None = None
    metadata: Facts | None = None

    @property
    def is_open(self) -> bool:
        """Say whether something can still happen to the task."""
        return self.status in OPEN_STATUSES
