"""Who may change an environment now: its folder's lock and its lease, held while plans run in it.

`conductor up` takes the same two. Plans of one server share them.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack

from orchestration.automation.stacks import StackOperations
from orchestration.conductor.records import RunStatus, last_run
from orchestration.durable.holding import held_environment
from orchestration.environments import Environment
from orchestration.execution.errors import EnvironmentUnsettled
from orchestration.execution.live import LiveEnvironment
from orchestration.releases.store import ReleaseStore
from orchestration.targets.target import Target

# After these the stacks are as the live release says.
SETTLED = frozenset({RunStatus.SUCCEEDED, RunStatus.ROLLED_BACK})


class EnvironmentSeat:
    """The environment that a server acts on."""

    def __init__(
        self,
        environment: Environment,
        target: Target,
        operations: StackOperations,
        *,
        runs_database: str | None = None,
    ) -> None:
        self.environment = environment
        self._target = target
        self._operations = operations
        self._runs_database = runs_database
        self._turn = threading.Lock()
        self._users = 0
        self._held = ExitStack()
        self._live: LiveEnvironment | None = None

    def take(self) -> LiveEnvironment:
        """Hold the environment for one more plan.

        Raises:
            EnvironmentBusy: somebody else runs in it.
            EnvironmentUnsettled: its last run failed, or it has no release.
            CloudUnreachable: the target cannot be used.
        """
        with self._turn:
            if self._live is None:
                with ExitStack() as opening:
                    self._live = self._open(opening)
                    self._held = opening.pop_all()
            self._users += 1
            return self._live

    def leave(self) -> None:
        """Hold it for one plan less; the last one lets others have it."""
        with self._turn:
            self._users -= 1
            if not self._users:
                self._live = None
                self._held.close()

    def _open(self, opening: ExitStack) -> LiveEnvironment:
        environment = self.environment
        doing = f"conductor serve --env {environment.name}"
        lease = opening.enter_context(held_environment(environment, doing, self._runs_database))
        self._require_settled()
        self._target.prepare()
        return LiveEnvironment(environment, self._target, self._operations, lease.require)

    def _require_settled(self) -> None:
        """See to it that bringing a stack up brings nothing up but what a plan says."""
        environment = self.environment
        releases = ReleaseStore(environment)
        live = releases.current()
        run = last_run(environment.runs_dir)
        if live is None or run is None or run.status not in SETTLED:
            how = (
                "has no release" if live is None or run is None else f"had a run that {run.status}"
            )
            raise EnvironmentUnsettled(
                f"environment {environment.name!r} {how}",
                hint=f"`conductor up` or `conductor rollback --env {environment.name}` settles it",
            )
        if not releases.is_in_place(live):
            # Somebody has previewed another file since.
            releases.restore(live)
