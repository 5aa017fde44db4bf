"""Does the steps: calls providers, keeps the record, tells what happened."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from enum import Enum, auto

from rehearsal.engine import clock
from rehearsal.engine.errors import CommandFailedError, DeploymentError, StateNotSavedError
from rehearsal.engine.executor.recovery import find_existing
from rehearsal.engine.planner.deployment import Deployment
from rehearsal.engine.planner.replacement import protected_message
from rehearsal.engine.plugins.hosting import Host, secretive
from rehearsal.engine.provider import (
    OutcomeUnknownError,
    ProviderError,
    ProviderPanicError,
    ResourceInitFailedError,
)
from rehearsal.engine.state.states import ResourceState
from rehearsal.engine.state.steps import DELETIONS, Op, Step
from rehearsal.engine.values import urns
from rehearsal.engine.values.property_values import (
    UNKNOWN_TEXT,
    EngineProperties,
    has_unknowns,
    plain_properties,
)

_AFTER_STEP = "post-step event returned an error"
_CREATIONS = frozenset({Op.CREATE, Op.CREATE_REPLACEMENT})
_FORGETTING = frozenset({Op.DISCARD, Op.DISCARD_REPLACED, Op.REMOVE_PENDING_REPLACE})
_DONE_BY_PLANNING = frozenset({Op.IMPORT, Op.IMPORT_REPLACEMENT, Op.REPLACE})
_CONTINUATIONS = frozenset({Op.SAME, Op.UPDATE, Op.READ})


class Result(Enum):
    """How a chain of steps ended."""

    DONE = auto()
    FAILED = auto()
    # Not begun, because something it needs has failed.
    SKIPPED = auto()
    # Not begun, because the operation ends.
    STOPPED = auto()


class Executor:
    """Runs chains of steps, as many at a time as the user allows."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._slots = asyncio.Semaphore(deployment.parallel)
        self._running: set[asyncio.Task[Result]] = set()

    async def run(self, steps: Sequence[Step]) -> Result:
        """Run steps one after the other.

        They go on when the caller is cancelled: a provider call under way must be recorded.
        """
        task = asyncio.create_task(self._run_chain(steps))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def drain(self) -> None:
        """Wait for the steps under way."""
        while self._running:
            await asyncio.wait(self._running)

    def abandon(self) -> None:
        """Leave the steps under way to themselves; nobody hears of their outcome."""
        for task in self._running:
            task.cancel()

    async def _run_chain(self, steps: Sequence[Step]) -> Result:
        async with self._slots:
            for step in steps:
                if self._deployment.progress.stopping.is_set():
                    return Result.STOPPED
                if not await self._run_step(step):
                    return Result.FAILED
        return Result.DONE

    async def _run_step(self, step: Step) -> bool:
        if step.skipped:
            return True
        if not self._begin(step) or not await self._attempt(step):
            return False
        try:
            self._deployment.recorder.finish(step)
        except StateNotSavedError as error:
            self._deployment.complain_unsaved(_AFTER_STEP, error)
            return False
        self._announce(step)
        return True

    def _begin(self, step: Step) -> bool:
        """Say that a step begins and put it on record, unless it must not begin."""
        deployment = self._deployment
        if deployment.noted is not None:
            deployment.noted.note(step)
        deployment.events.step_started(step)
        try:
            if deployment.plan is not None:
                deployment.plan.refuse_unplanned(step)
            deployment.recorder.begin(step)
        except DeploymentError as error:
            self._refuse(step, str(error))
            return False
        except StateNotSavedError as error:
            deployment.complain_unsaved("pre-step event returned an error", error)
            return False
        return True

    async def _attempt(self, step: Step) -> bool:
        """Do what a step is about; a failure is told and recorded."""
        try:
            await self._perform(step)
        except ResourceInitFailedError as error:
            self._fail(step, [*error.reasons], _partial(step, error))
        except (ProviderError, DeploymentError, CommandFailedError) as error:
            if isinstance(error, ProviderPanicError):
                self._deployment.progress.maybe_corrupt = True
            is_in_doubt = isinstance(error, OutcomeUnknownError) and step.op in _CREATIONS
            self._fail(step, [str(error)], is_in_doubt=is_in_doubt)
        except Exception as error:  # noqa: BLE001 (a senseless answer must not lose the record)
            self._deployment.progress.maybe_corrupt = True
            self._fail(step, [f"{type(error).__name__}: {error}"])
        else:
            return True
        return False

    def _refuse(self, step: Step, message: str) -> None:
        """Give up on a step that was never begun: there is nothing to record."""
        deployment = self._deployment
        deployment.events.failure([message], step)
        deployment.failed_urns.add(step.urn)
        deployment.progress.step_failed = True
        deployment.progress.fail()

    def _fail(
        self,
        step: Step,
        messages: list[str],
        partial: ResourceState | None = None,
        *,
        is_in_doubt: bool = False,
    ) -> None:
        deployment = self._deployment
        try:
            deployment.recorder.fail(step, partial, is_in_doubt=is_in_doubt)
        except StateNotSavedError as error:
            deployment.complain_unsaved(_AFTER_STEP, error)
        deployment.events.failure(messages, step)
        deployment.failed_urns.add(step.urn)
        # All protected resources are to be named in one run.
        refused = step.op is Op.DELETE and step.subject.protect
        deployment.progress.step_failed = True
        deployment.progress.fail(stop=not (deployment.continue_on_error or refused))

    def _announce(self, step: Step) -> None:
        deployment = self._deployment
        if step.is_logical and not step.is_internal and not _is_unchanged_read(step):
            deployment.events.count(step.op)
        # A component's outputs come later, when the program registers them.
        if step.subject.custom or step.new is None or deployment.dry_run:
            deployment.events.step_finished(step)

    async def _perform(self, step: Step) -> None:
        if step.op in _CONTINUATIONS and step.new is not None and step.old is not None:
            # What another engine has recorded of the resource stays true of it.
            step.new.extra = step.old.extra
        if step.op in DELETIONS:
            await self._delete(step)
        elif step.new is None or step.op in _DONE_BY_PLANNING:
            return
        elif step.op is Op.SAME:
            await self._keep(step.new, step.old)
        elif step.op in (Op.READ, Op.READ_REPLACEMENT):
            await self._read(step.new, step.old)
        elif not step.new.custom:
            self._change_component(step)
        elif step.new.is_provider:
            await self._change_provider(step.op, step.new, step.old)
        elif step.op in _CREATIONS:
            await self._create(step.new)
        elif step.old is not None:
            await self._update(step.new, step.old)

    async def _keep(self, new: ResourceState, old: ResourceState | None) -> None:
        if old is None:
            return
        new.id, new.outputs = old.id, old.outputs
        if new.custom and old.additional_secret_outputs != new.additional_secret_outputs:
            new.outputs = secretive(new, old.outputs)
        new.created, new.modified = old.created, old.modified
        if new.is_provider:
            await self._deployment.hosts.configure(new)

    def _change_component(self, step: Step) -> None:
        assert step.new is not None
        step.new.modified = clock.rfc3339()
        step.new.created = (step.old.created if step.old else "") or step.new.modified
        if step.old is not None:
            step.new.outputs = step.old.outputs

    async def _change_provider(self, op: Op, new: ResourceState, old: ResourceState | None) -> None:
        if op in _CREATIONS or old is None:
            new.id = UNKNOWN_TEXT if self._deployment.dry_run else str(uuid.uuid4())
            new.created = new.modified = clock.rfc3339()
        else:
            new.id, new.modified = old.id, clock.rfc3339()
        new.outputs = {key: value for key, value in new.inputs.items() if key != "__internal"}
        await self._deployment.hosts.configure(new)

    async def _create(self, new: ResourceState) -> None:
        preview = self._deployment.dry_run
        if not preview:
            _refuse_unknowns(new)
        host = await self._deployment.hosts.of(new)
        try:
            created, outputs = await host.create(new, preview=preview)
        except ProviderError:
            found = None if preview else await self._left_by_a_crash(host, new)
            if found is None:
                raise
            created, outputs = found
        new.id, new.outputs = "" if preview else created, outputs
        new.created = new.modified = clock.rfc3339()

    async def _left_by_a_crash(
        self, host: Host, new: ResourceState
    ) -> tuple[str, EngineProperties] | None:
        """Take over what an earlier run made and, being killed, could not record.

        Only where the state has that run's creation as pending, and only what can be made into
        what is wanted by an update: anything else is somebody else's.
        """
        if not self._deployment.recorder.is_in_doubt(new.urn):
            return None
        existing = await find_existing(host, new)
        if existing is None:
            return None
        diff = await host.diff(existing, new.inputs, ())
        if diff.replaces:
            return None
        if not diff.changes:
            return existing.id, existing.outputs
        return existing.id, await host.update(existing, new, preview=False)

    async def _update(self, new: ResourceState, old: ResourceState) -> None:
        preview = self._deployment.dry_run
        if not preview:
            _refuse_unknowns(new)
        host = await self._deployment.hosts.of(new)
        new.outputs = await host.update(old, new, preview=preview)
        new.id, new.created, new.modified = old.id, old.created, clock.rfc3339()

    async def _read(self, new: ResourceState, old: ResourceState | None) -> None:
        if new.id == UNKNOWN_TEXT:
            return
        host = await self._deployment.hosts.of(new)
        wanted = new.id
        probe = ResourceState(
            urn=new.urn,
            type=new.type,
            custom=True,
            id=wanted,
            inputs=new.inputs,
            outputs=new.inputs,
            provider=new.provider,
            additional_secret_outputs=new.additional_secret_outputs,
        )
        found = await host.read(probe)
        if found is None:
            raise DeploymentError(f"resource '{wanted}' does not exist", new.urn)
        new.id, new.outputs = found[0] or wanted, found[1]
        if old is not None:
            new.created, new.modified = old.created, old.modified
            if _differ(old.outputs, new.outputs) or _differ(old.inputs, new.inputs):
                new.modified = clock.rfc3339()

    async def _delete(self, step: Step) -> None:
        old = step.subject
        if step.op in _FORGETTING:
            return
        # What is replaced was allowed to go when its replacement was planned.
        if old.protect and step.op is Op.DELETE:
            raise DeploymentError(protected_message(old.urn), old.urn)
        gone_with = old.deleted_with in self._deployment.doomed
        if self._deployment.dry_run or not old.is_managed or old.retain_on_delete or gone_with:
            return
        host = await self._deployment.hosts.of(old)
        await host.delete(old)


def _partial(step: Step, error: ResourceInitFailedError) -> ResourceState | None:
    """Return what is known of a resource that was made or changed, but is not healthy."""
    new = step.new
    if new is None or not error.id:
        return None
    new.id = error.id
    new.outputs = dict(error.outputs)
    new.init_errors = list(error.reasons)
    new.modified = clock.rfc3339()
    new.created = new.created or new.modified
    if step.op is Op.UPDATE and step.old is not None:
        new.inputs = step.old.inputs
    return new


def _refuse_unknowns(state: ResourceState) -> None:
    unknown = [key for key, value in state.inputs.items() if has_unknowns(value)]
    if unknown:
        raise DeploymentError(
            f"resource {urns.parse(state.urn).name}'s property '{unknown[0]}' is not known",
            state.urn,
        )


def _is_unchanged_read(step: Step) -> bool:
    if step.op is not Op.READ:
        return False
    return step.old is None or step.new is None or not _differ(step.old.outputs, step.new.outputs)


def _differ(one: EngineProperties, other: EngineProperties) -> bool:
    return plain_properties(one) != plain_properties(other)
