"""Routes of the agent registry."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body
from fastapi.responses import Response
from pydantic import AwareDatetime, BaseModel, ConfigDict

from orchestration.agents.model import (
    HEARTBEAT_INTERVAL_S,
    Agent,
    AgentType,
    Heartbeat,
    Registration,
)
from orchestration.api.calls import CurrentCall, RepeatableCall, json_reply
from orchestration.api.messages import Message
from orchestration.api.paging import Identifier
from orchestration.coordination.identity import Caller
from orchestration.coordination.storage.database import Transaction

router = APIRouter(tags=["agents"])


class Registered(BaseModel):
    """What an agent is told when it has registered."""

    model_config = ConfigDict(frozen=True)

    agent_id: str
    registered_at: AwareDatetime
    heartbeat_url: str
    heartbeat_interval_seconds: int


class HeartbeatReceived(BaseModel):
    """What an agent is told after a heartbeat."""

    model_config = ConfigDict(frozen=True)

    received: bool
    next_interval_seconds: int
    timestamp: AwareDatetime


class AgentList(BaseModel):
    """Agents, the oldest first."""

    model_config = ConfigDict(frozen=True)

    agents: list[Agent]
    count: int


@router.post("/agents/register", status_code=201, response_model=Registered)
def register(call: RepeatableCall, registration: Registration) -> Response:
    """Register an agent; it replaces the one that its owner had at the same address."""

    def act(tx: Transaction, caller: Caller) -> Registered:
        agent = call.backend.registry.register(tx, caller, registration)
        return Registered(
            agent_id=agent.id,
            registered_at=agent.registered_at,
            heartbeat_url=f"/agents/{agent.id}/heartbeat",
            heartbeat_interval_seconds=HEARTBEAT_INTERVAL_S,
        )

    return call.once(registration, act, HTTPStatus.CREATED)


@router.post("/agents/{agent_id}/heartbeat", response_model=HeartbeatReceived)
def heartbeat(
    call: CurrentCall,
    agent_id: Identifier,
    beat: Annotated[Heartbeat | None, Body()] = None,
) -> Response:
    """Show that an agent lives; without a body it is healthy."""
    with call.writing() as (tx, caller):
        call.backend.registry.heartbeat(tx, caller, agent_id, beat or Heartbeat())
    return json_reply(
        HeartbeatReceived(
            received=True, next_interval_seconds=HEARTBEAT_INTERVAL_S, timestamp=tx.now
        )
    )


@router.post("/agents/{agent_id}/unregister", response_model=Message)
def unregister(call: CurrentCall, agent_id: Identifier) -> Response:
    """Let an agent leave."""
    with call.writing() as (tx, caller):
        call.backend.registry.unregister(tx, caller, agent_id)
    return json_reply(Message(message="Agent unregistered successfully"))


@router.get("/agents", response_model=AgentList)
def list_agents(call: CurrentCall) -> Response:
    """List the agents that have shown themselves in the last minute."""
    return _list(call, None)


@router.get("/agents/type/{agent_type}", response_model=AgentList)
def list_agents_of_type(call: CurrentCall, agent_type: AgentType) -> Response:
    """List the agents of one type."""
    return _list(call, agent_type)


@router.get("/agents/{agent_id}", response_model=Agent)
def read_agent(call: CurrentCall, agent_id: Identifier) -> Response:
    """Read one agent."""
    with call.reading() as (tx, caller):
        return json_reply(call.backend.registry.find(tx, caller, agent_id))


def _list(call: CurrentCall, agent_type: AgentType | None) -> Response:
    with call.reading() as (tx, caller):
        found = call.backend.registry.list_living(tx, caller, agent_type)
    return json_reply(AgentList(agents=found, count=len(found)))
