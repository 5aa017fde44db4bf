"""What the application works with: one database and the parts that act on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from orchestration.agents.dispatch import TaskDispatcher
from orchestration.agents.endpoints import LOOPBACK_ONLY, EndpointRules
from orchestration.agents.model import RETRY_DELAY_S
from orchestration.agents.registry import AgentRegistry
from orchestration.agents.routing import TaskRouter
from orchestration.coordination.executing import Execution
from orchestration.coordination.notifying import WebhookDelivery
from orchestration.coordination.rules import Rules
from orchestration.coordination.service import Coordinator
from orchestration.coordination.storage import tokens
from orchestration.coordination.storage.database import Database, Transaction


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What `conductor serve` is told."""

    # Whether others than this machine can reach the server.
    is_exposed: bool = False
    allowed_agents: Sequence[str] = LOOPBACK_ONLY
    webhook_url: str | None = None
    webhook_secret: str = field(default="", repr=False)
    rules: Rules = field(default_factory=Rules)
    retry_delay_s: float = RETRY_DELAY_S
    # How often due work is looked for when nothing announces it.
    upkeep_interval_s: float = 1.0


class Executor(Protocol):
    """What runs queued plans."""

    def start_due(self) -> None:
        """Begin those whose turn has come."""
        ...

    def announce_to(self, *, plans: Callable[[], None], tasks: Callable[[], None]) -> None:
        """Have `plans` called when another plan's turn may have come, `tasks` for a new task."""
        ...


class Backend:
    """The parts behind the routes."""

    def __init__(
        self, database: Database, settings: ServerSettings, execution: Execution | None = None
    ) -> None:
        endpoints = EndpointRules(settings.allowed_agents)
        self.settings = settings
        self.database = database
        self.coordinator = Coordinator(settings.rules, execution)
        # What runs the plans that the coordinator queues, where something does.
        self.executor: Executor | None = None
        self.registry = AgentRegistry(endpoints)
        self.router = TaskRouter(retry_delay_s=settings.retry_delay_s)
        self.dispatcher = TaskDispatcher(database, self.router, endpoints)
        self.webhook = WebhookDelivery(
            database, url=settings.webhook_url, secret=settings.webhook_secret
        )
        self._tokens_exist = False

    def requires_tokens(self, tx: Transaction) -> bool:
        """Say whether callers have to prove who they are.

        Tokens are never deleted, so once there is one the answer stays.
        """
        if not self._tokens_exist:
            self._tokens_exist = tokens.any_exists(tx)
        return self._tokens_exist or self.settings.is_exposed
