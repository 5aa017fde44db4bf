"""Decides what is to happen to each resource a program registers: the steps, not their doing."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rehearsal.engine import clock
from rehearsal.engine.errors import DeploymentError
from rehearsal.engine.planner.deployment import Deployment
from rehearsal.engine.planner.goals import Goal
from rehearsal.engine.planner.replacement import deletions_before
from rehearsal.engine.plugins.hosting import Host
from rehearsal.engine.provider import CheckFailure, DiffResult, ProviderError
from rehearsal.engine.state import states
from rehearsal.engine.state.states import ResourceState
from rehearsal.engine.state.steps import Op, Step
from rehearsal.engine.values import paths, urns
from rehearsal.engine.values.property_values import (
    EngineProperties,
    differing_keys,
    has_secrets,
    plain,
)


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps for one registration, to be run one after the other."""

    state: ResourceState
    steps: tuple[Step, ...]
    old_urn: str = ""


class Planner:
    """Plans registrations, one at a time."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._seen: set[str] = set()
        self._claimed: dict[str, str] = {}

    @property
    def seen(self) -> frozenset[str]:
        """The URNs registered so far, under their old names too."""
        return frozenset(self._seen | self._claimed.keys())

    async def plan(self, goal: Goal) -> Plan:
        """Compare a goal with what is recorded.

        Raises:
            DeploymentError: the goal breaks a rule or is refused by the provider.
        """
        state = goal.state
        if state.urn in self._seen:
            raise DeploymentError(
                f"Duplicate resource URN '{state.urn}'; try giving it a unique name", state.urn
            )
        self._seen.add(state.urn)
        old = self._find_old(goal)
        old_urn = old.urn if old is not None and old.urn != state.urn else ""
        self._refuse_missing_dependencies(state)
        if self._is_left_out(state):
            return self._plan_left_out(state, old, old_urn)
        try:
            if not state.custom:
                steps = self._plan_component(state, old)
            elif state.is_provider:
                steps = await self._plan_provider(state, old)
            else:
                steps = await self._plan_resource(goal, old)
        except ProviderError as error:
            raise DeploymentError(str(error), state.urn) from error
        return Plan(state, tuple(steps), old_urn)

    def plan_read(self, state: ResourceState) -> list[Step]:
        """Plan the reading of a resource that something else manages."""
        if state.urn in self._seen:
            raise DeploymentError(
                f"Duplicate resource URN '{state.urn}'; try giving it a unique name", state.urn
            )
        self._seen.add(state.urn)
        old = self._deployment.recorder.old(state.urn)
        if old is None or old.external or old.id == state.id:
            return [Step(Op.READ, old=old, new=state)]
        # What the stack itself has made under this name goes; the same thing is only let go.
        return [
            Step(Op.READ_REPLACEMENT, old=old, new=state),
            Step(Op.REPLACE, old=old, new=state),
        ]

    def leave_out(self, urn: str) -> None:
        """Note a registration that is not carried out, so that what it had is not deleted."""
        self._seen.add(urn)

    def _find_old(self, goal: Goal) -> ResourceState | None:
        recorder = self._deployment.recorder
        for urn in (goal.urn, *goal.alias_urns):
            old = recorder.old(urn)
            if old is None:
                continue
            if urn in self._claimed:
                raise DeploymentError(
                    f"resource {goal.urn} and {self._claimed[urn]} both claim to have been {urn}",
                    goal.urn,
                )
            self._claimed[urn] = goal.urn
            if urn != goal.urn:
                goal.state.aliases = [urn]
                recorder.rename(urn, goal.urn)
            return old
        return None

    def _is_left_out(self, state: ResourceState) -> bool:
        targets = self._deployment.targets
        always = state.type == urns.ROOT_TYPE or state.is_provider
        return not always and not targets.allows(state.urn, state.required())

    def _plan_left_out(self, state: ResourceState, old: ResourceState | None, old_urn: str) -> Plan:
        if old is None:
            self._deployment.skipped_urns.add(state.urn)
            return Plan(state, (Step(Op.SAME, new=state, skipped=True),))
        kept = states.copy_of(old)
        kept.urn, kept.parent, kept.aliases = state.urn, state.parent, state.aliases
        # As any step of its kind it gets the id when it is done.
        kept.id = ""
        if not self._deployment.registered.get(kept.provider_urn):
            kept.provider = state.provider or kept.provider
        return Plan(kept, (Step(Op.SAME, old=old, new=kept),), old_urn)

    def _refuse_missing_dependencies(self, state: ResourceState) -> None:
        for required in state.required():
            if required in self._deployment.skipped_urns and not self._is_left_out(state):
                raise DeploymentError(
                    f"Resource '{state.urn}' depends on '{required}' which was not specified in"
                    " --target list.",
                    state.urn,
                )

    async def _plan_resource(self, goal: Goal, old: ResourceState | None) -> list[Step]:
        state = goal.state
        host = await self._deployment.hosts.of(state)
        if state.import_id and (
            old is None or old.external or state.import_id not in (old.import_id, old.id)
        ):
            return await self._plan_import(state, old, host)
        if old is not None and not old.external:
            self._ignore_changes(state, old)
        wanted = state.inputs
        await self._check(state, old if old and not old.external else None, host)
        if state.urn in self._deployment.deleted:
            return self._plan_recreation(state, old)
        if old is not None and not old.external:
            return await self._plan_managed(goal, old, host, wanted)
        if old is not None:
            return self._create_then_replace(state, old, DiffResult(changes=True))
        return [Step(Op.CREATE, new=state)]

    def _plan_component(self, state: ResourceState, old: ResourceState | None) -> list[Step]:
        if old is None:
            return [Step(Op.CREATE, new=state)]
        _keep_times(state, old)
        if differing_keys(old.inputs, state.inputs):
            return [Step(Op.UPDATE, old=old, new=state)]
        return [Step(Op.SAME, old=old, new=state)]

    async def _plan_provider(self, state: ResourceState, old: ResourceState | None) -> list[Step]:
        result = await self._deployment.hosts.check_config(state)
        self._refuse_failures(state, result.failures)
        if old is None:
            return [Step(Op.CREATE, new=state)]
        _keep_times(state, old)
        diffs = differing_keys(
            old.outputs,
            {key: value for key, value in state.inputs.items() if key != "__internal"},
        )
        if diffs:
            return [Step(Op.UPDATE, old=old, new=state, diffs=diffs)]
        return [Step(Op.SAME, old=old, new=state)]

    def _ignore_changes(self, state: ResourceState, old: ResourceState) -> None:
        if not state.ignore_changes:
            return
        state.inputs, unresolvable = paths.reset(state.inputs, old.inputs, state.ignore_changes)
        for path in unresolvable:
            self._deployment.events.diagnostic(
                f'cannot ignore changes in added or removed elements of the path: "{path}"',
                "info",
                state.urn,
            )

    async def _check(self, state: ResourceState, old: ResourceState | None, host: Host) -> None:
        recreated = state.urn in self._deployment.deleted or (old is not None and old.taint)
        olds = None if old is None or recreated else old.inputs
        inputs, result = await host.check(state, olds)
        self._refuse_failures(state, result.failures)
        state.inputs = inputs

    def _refuse_failures(self, state: ResourceState, failures: tuple[CheckFailure, ...]) -> None:
        if not failures:
            return
        name = urns.parse(state.urn).name
        texts = []
        for failure in failures:
            about = ""
            if failure.property:
                value = state.inputs.get(failure.property)
                shown = "[secret]" if has_secrets(value) else f"{{{plain(value)}}}"
                about = f": property {failure.property} value {shown}"
            texts.append(f"{state.type} resource '{name}'{about} has a problem: {failure.reason}")
        for text in texts[:-1]:
            self._deployment.events.diagnostic(text, urn=state.urn)
        raise DeploymentError(texts[-1], state.urn)

    def _plan_recreation(self, state: ResourceState, old: ResourceState | None) -> list[Step]:
        keys = self._deployment.deleted[state.urn]
        return [
            Step(Op.REPLACE, old=old, new=state),
            Step(Op.CREATE_REPLACEMENT, old=old, new=state, keys=keys, deleted_before=True),
        ]

    async def _plan_managed(
        self, goal: Goal, old: ResourceState, host: Host, wanted: EngineProperties
    ) -> list[Step]:
        state = goal.state
        diff = await self._diff(state, old, host)
        if not diff.replaces and not old.pending_replacement:
            _keep_times(state, old)
            if diff.changes or old.init_errors:
                return [_step(Op.UPDATE, old, state, diff)]
            return [Step(Op.SAME, old=old, new=state)]
        _refuse_protected(state, old)
        # Names chosen by the provider must be chosen anew: the old ones are still taken.
        state.inputs = wanted
        inputs, result = await host.check(state, None)
        self._refuse_failures(state, result.failures)
        state.inputs = inputs
        self._deployment.replaced.add(state.urn)
        first = diff.delete_before_replace
        if goal.delete_before_replace is not None:
            first = goal.delete_before_replace
        if old.pending_replacement:
            self._deployment.deleted[state.urn] = diff.replaces
            return self._plan_recreation(state, old)
        if not first:
            return self._create_then_replace(state, old, diff)
        return [
            *await deletions_before(self._deployment, old),
            _step(Op.REPLACE, old, state, diff),
            _step(Op.CREATE_REPLACEMENT, old, state, diff, deleted_before=True),
        ]

    def _create_then_replace(
        self, state: ResourceState, old: ResourceState, diff: DiffResult
    ) -> list[Step]:
        return [
            _step(Op.CREATE_REPLACEMENT, old, state, diff),
            _step(Op.REPLACE, old, state, diff),
        ]

    async def _diff(self, state: ResourceState, old: ResourceState, host: Host) -> DiffResult:
        deployment = self._deployment
        forced = deployment.replace_targets.is_named(state.urn) or old.taint
        diff = await host.diff(old, state.inputs, state.ignore_changes)
        if forced:
            return replace(diff, changes=True, replaces=("id",))
        if state.deleted_with in deployment.replaced:
            return replace(diff, changes=True, replaces=("deletedWith",))
        if (
            old.provider
            and urns.parse(old.provider_urn).type != urns.parse(state.provider_urn).type
        ):
            return DiffResult(changes=True, replaces=("provider",), diffs=("provider",))
        if diff.changes and state.replace_on_changes:
            changed = tuple(diff.detailed or ()) or diff.diffs
            hit = tuple(
                path
                for path in changed
                if any(paths.touches(pattern, path) for pattern in state.replace_on_changes)
            )
            return replace(diff, replaces=tuple(dict.fromkeys((*diff.replaces, *hit))))
        return diff

    async def _plan_import(
        self, state: ResourceState, old: ResourceState | None, host: Host
    ) -> list[Step]:
        if old is not None:
            _refuse_protected(state, old)
        imported = states.copy_of(state)
        imported.id, imported.inputs, imported.outputs = state.import_id, {}, {}
        found = await host.read(imported)
        if found is None:
            raise DeploymentError(f"resource '{state.import_id}' does not exist", state.urn)
        imported.id, imported.outputs, imported.inputs = found
        imported.created = imported.modified = clock.rfc3339()
        self._ignore_changes(state, imported)
        await self._check(state, imported, host)
        diff = await self._diff(state, imported, host)
        if diff.replaces:
            raise DeploymentError(
                "inputs to import do not match the existing resource: " + ", ".join(diff.replaces),
                state.urn,
            )
        steps = [Step(Op.IMPORT, new=imported)]
        if old is not None:
            steps = [
                Step(Op.IMPORT_REPLACEMENT, old=old, new=imported),
                Step(Op.REPLACE, old=old, new=imported),
            ]
        if diff.changes:
            _keep_times(state, imported)
            return [*steps, _step(Op.UPDATE, imported, state, diff)]
        imported.inputs = state.inputs
        return steps


def _step(
    op: Op,
    old: ResourceState,
    new: ResourceState,
    diff: DiffResult,
    *,
    deleted_before: bool = False,
) -> Step:
    return Step(
        op,
        old=old,
        new=new,
        keys=diff.replaces,
        diffs=diff.diffs,
        detailed=diff.detailed or None,
        deleted_before=deleted_before,
    )


def _refuse_protected(state: ResourceState, old: ResourceState) -> None:
    """Refuse to replace what is protected, and is to stay so."""
    if old.protect and state.protect:
        raise DeploymentError(
            f'unable to replace resource "{state.urn}"\nas it is currently marked for'
            " protection. To unprotect the resource, remove the `protect` flag from the"
            " resource in your Pulumi program and run `pulumi up`",
            state.urn,
        )


def _keep_times(state: ResourceState, old: ResourceState) -> None:
    state.created, state.modified = old.created, old.modified
