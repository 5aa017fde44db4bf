"""What the parts of one running operation share."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from rehearsal.engine.backend.folder import StackRef
from rehearsal.engine.configuration.project import Project
from rehearsal.engine.configuration.stack_configuration import ConfigValue
from rehearsal.engine.errors import StateNotSavedError
from rehearsal.engine.events.stream import EventLog
from rehearsal.engine.planner.targets import Targets
from rehearsal.engine.planner.update_plan import UpdatePlan
from rehearsal.engine.plugins.hosting import Hosts
from rehearsal.engine.state.recorder import Recorder
from rehearsal.engine.state.states import ResourceState
from rehearsal.engine.state.steps import Step
from rehearsal.engine.values.property_values import EngineProperties


@dataclass(slots=True)
class Progress:
    """How an operation is going.

    `stopping` is set when no new step may begin: after a failure, or when the user interrupts.
    What is `unsaved` has happened and is not on record.
    """

    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    failed: bool = False
    step_failed: bool = False
    cancelled: bool = False
    maybe_corrupt: bool = False
    unsaved: bool = False

    def cancel(self) -> None:
        """Let the steps under way end and begin no other."""
        self.cancelled = True
        self.stopping.set()

    def fail(self, *, stop: bool = True) -> None:
        """Note a failure; without `stop` what does not depend on it goes on."""
        self.failed = True
        if stop:
            self.stopping.set()

    @property
    def result(self) -> str:
        """The result as the summary names it."""
        if self.cancelled:
            return "canceled"
        return "failed" if self.failed else "succeeded"


@dataclass(slots=True)
class Deployment:
    """One preview, up, refresh or destroy of a stack."""

    project: Project
    ref: StackRef
    config: Mapping[str, ConfigValue]
    environ: Mapping[str, str]
    events: EventLog
    recorder: Recorder
    hosts: Hosts
    targets: Targets
    replace_targets: Targets
    dry_run: bool
    parallel: int
    # A preview writes its steps down in the one; an update keeps to the other.
    noted: UpdatePlan | None = None
    plan: UpdatePlan | None = None
    continue_on_error: bool = False
    progress: Progress = field(default_factory=Progress)
    registered: dict[str, ResourceState] = field(default_factory=dict)
    steps: dict[str, Step] = field(default_factory=dict)
    deleted: dict[str, tuple[str, ...]] = field(default_factory=dict)
    replaced: set[str] = field(default_factory=set)
    failed_urns: set[str] = field(default_factory=set)
    skipped_urns: set[str] = field(default_factory=set)
    doomed: set[str] = field(default_factory=set)
    root_outputs: EngineProperties | None = None

    def find_provider(self, reference: str) -> ResourceState | None:
        """Look up a provider resource among the new states, then among the old ones."""
        urn, _, id_ = reference.rpartition("::")
        state = self.registered.get(urn)
        if state is not None and state.id == id_:
            return state
        return next(
            (item for item in self.recorder.base if item.urn == urn and item.id == id_), None
        )

    def complain(self, message: str, urn: str = "") -> None:
        """Report an error of the engine's own and stop."""
        self.events.diagnostic(message, urn=urn)
        self.progress.fail()

    def complain_unsaved(self, when: str, error: StateNotSavedError) -> None:
        """Report, once, that the state could not be saved, and stop."""
        if not self.progress.unsaved:
            self.complain(f"{when}: {error}")
        self.progress.unsaved = True
