"""The registry: agents present themselves, show that they live, and leave.

Whether an agent is healthy follows from when it was last seen, on the database's clock.
"""

from __future__ import annotations

from orchestration.agents.endpoints import EndpointRules
from orchestration.agents.errors import AgentUnknown
from orchestration.agents.model import Agent, AgentType, Heartbeat, Registration
from orchestration.coordination.identity import Caller, Permission
from orchestration.coordination.refusals import Forbidden
from orchestration.coordination.storage import agents, audit
from orchestration.coordination.storage.agents import Enrolled
from orchestration.coordination.storage.database import Transaction


class AgentRegistry:
    """Who is there and what they offer."""

    def __init__(self, endpoints: EndpointRules) -> None:
        self._endpoints = endpoints

    def register(self, tx: Transaction, caller: Caller, registration: Registration) -> Agent:
        """Add an agent for the caller, who owns it from then on.

        Raises:
            EndpointRefused: tasks must not be sent to its address.
        """
        caller.require(Permission.SERVE)
        self._endpoints.refuse_unlisted(registration.host)
        owner = caller.subject or registration.name
        agent = agents.enrol(tx, registration, owner=owner, customer_id=caller.customer_id)
        audit.record(
            tx,
            actor=owner,
            action="agent_registered",
            object_id=agent.id,
            customer_id=caller.customer_id,
            detail={"name": agent.name, "endpoint": f"{agent.host}:{agent.port}"},
        )
        return agent

    def heartbeat(
        self, tx: Transaction, caller: Caller, agent_id: str, heartbeat: Heartbeat
    ) -> None:
        """Note that an agent lives, and how it says it is."""
        self._own(tx, caller, agent_id)
        agents.beat(tx, agent_id, heartbeat)

    def unregister(self, tx: Transaction, caller: Caller, agent_id: str) -> None:
        """Let an agent leave; tasks that it has are sent to others when they are retried."""
        enrolled = self._own(tx, caller, agent_id)
        agents.retire(tx, agent_id)
        audit.record(
            tx,
            actor=caller.subject or enrolled.owner,
            action="agent_unregistered",
            object_id=agent_id,
            customer_id=enrolled.customer_id,
            detail={"name": enrolled.agent.name},
        )

    def find(self, tx: Transaction, caller: Caller, agent_id: str) -> Agent:
        """Read one agent.

        Raises:
            AgentUnknown: there is none, or it serves another customer.
        """
        return self._visible(tx, caller, agent_id).agent

    def list_living(
        self, tx: Transaction, caller: Caller, agent_type: AgentType | None = None
    ) -> list[Agent]:
        """Read the agents that serve the caller's customer."""
        caller.require(Permission.READ)
        found = agents.list_living(tx, customer_id=caller.customer_id, agent_type=agent_type)
        return [enrolled.agent for enrolled in found]

    def _visible(self, tx: Transaction, caller: Caller, agent_id: str) -> Enrolled:
        caller.require(Permission.READ)
        enrolled = agents.find(tx, agent_id)
        if enrolled is None or not (
            enrolled.customer_id is None or caller.sees(enrolled.customer_id)
        ):
            raise AgentUnknown(f"agent not found: {agent_id}")
        return enrolled

    def _own(self, tx: Transaction, caller: Caller, agent_id: str) -> Enrolled:
        caller.require(Permission.SERVE)
        enrolled = self._visible(tx, caller, agent_id)
        if not caller.is_operator and caller.subject != enrolled.owner:
            raise Forbidden(f"agent {agent_id} belongs to somebody else")
        return enrolled
