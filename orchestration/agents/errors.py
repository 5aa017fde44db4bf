"""What goes wrong with agents and tasks."""

from __future__ import annotations

from orchestration.errors import Blocked, ConductorError, UsageError


class AgentUnknown(UsageError):  # noqa: N818 - the house's tree names states, not mishaps
    """There is no such agent, or not for this caller."""

    code = "agent-not-found"
    default_hint = "agents that missed their heartbeats for a minute have to register again"


class TaskUnknown(UsageError):  # noqa: N818
    """There is no such task, or not for this caller."""

    code = "task-not-found"
    default_hint = "results are kept for an hour"


class TaskFinished(Blocked):
    """The task has ended already."""

    code = "task-finished"


class NoCapableAgent(Blocked):
    """No healthy agent offers what the task needs."""

    code = "no-capable-agent"
    retryable = True
    default_hint = "register an agent whose capabilities name the task's type"


class AgentIncapable(UsageError):  # noqa: N818
    """The agent that the task names does not offer it."""

    code = "agent-incapable"


class EndpointRefused(UsageError):  # noqa: N818
    """Tasks must not be sent to this address."""

    code = "endpoint-refused"
    default_hint = "allow the host or network with `conductor serve --allow-agent`"


class AgentUnreachable(ConductorError):  # noqa: N818
    """An agent did not answer, or not as agreed."""

    code = "agent-unreachable"
    retryable = True
