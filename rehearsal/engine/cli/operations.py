"""The operations that touch resources: preview, up, refresh and destroy, from start to history."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from rehearsal.engine.backend.folder import StackRef
from rehearsal.engine.cli.flags import (
    parallelism,
    refuse_declined,
    refuse_unknown_targets,
    targets_of,
)
from rehearsal.engine.cli.records import history_entry
from rehearsal.engine.cli.workplace import Workplace
from rehearsal.engine.configuration import stack_configuration
from rehearsal.engine.configuration.stack_configuration import ConfigValue
from rehearsal.engine.errors import (
    EXIT_CHANGES,
    EXIT_FAILED,
    CommandFailedError,
    DeploymentError,
    StateNotSavedError,
)
from rehearsal.engine.events import stream
from rehearsal.engine.events.digest import Digest
from rehearsal.engine.events.display import Display
from rehearsal.engine.events.stream import EventLog, Listener
from rehearsal.engine.executor.deletion import destroy
from rehearsal.engine.executor.executor import Executor
from rehearsal.engine.executor.refresh import refresh
from rehearsal.engine.planner.deployment import Deployment
from rehearsal.engine.planner.targets import Targets
from rehearsal.engine.planner.update_plan import UpdatePlan
from rehearsal.engine.plugins.builtin import BuiltinHost
from rehearsal.engine.plugins.hosting import Hosts
from rehearsal.engine.programs.processes import Launcher
from rehearsal.engine.programs.running import run_program
from rehearsal.engine.provider import ProviderFactory
from rehearsal.engine.secrets.codec import StateCodec
from rehearsal.engine.state import checkpoint, integrity
from rehearsal.engine.state.checkpoint import Snapshot
from rehearsal.engine.state.recorder import Recorder
from rehearsal.engine.state.states import ResourceState
from rehearsal.engine.state.steps import Op
from rehearsal.engine.state.writer import CheckpointWriter
from rehearsal.engine.values.gojson import JsonObject
from rehearsal.engine.values.property_values import EngineProperties

# How long what was ended has time to close its connections.
_UNWINDING_S: Final = 2.0
_ORPHANS_NOTE: Final = (
    "\nNote that terminating immediately may lead to orphaned resources and other inconsistencies."
)
_UNCHANGING: Final = frozenset({Op.SAME, Op.READ, Op.READ_REPLACEMENT, Op.DISCARD})


@dataclass(frozen=True, slots=True)
class Loaded:
    """What an operation needs from disk."""

    config: Mapping[str, ConfigValue]
    codec: StateCodec
    file: JsonObject
    snapshot: Snapshot


class Operation:
    """One run of one of the four commands; made, run once, thrown away."""

    def __init__(
        self,
        work: Workplace,
        *,
        kind: str,
        preview: bool,
        factories: Mapping[str, ProviderFactory],
        launcher: Launcher,
    ) -> None:
        """Take what to do.

        Args:
            work: the command line in its folder and environment.
            kind: `update`, `refresh` or `destroy`.
            preview: only say what would happen.
            factories: the providers there are.
            launcher: starts the program.
        """
        self._work = work
        self._kind = kind
        self._preview = preview
        self._factories = factories
        self._launcher = launcher
        self._deployment: Deployment | None = None
        self._executor: Executor | None = None
        self._is_cancelled = False
        self._terminated = asyncio.Event()
        self._name = "preview" if preview else "update"

    def interrupt(self) -> None:
        """Take a Ctrl-C. Call it in the engine's loop.

        The first lets what is under way end and begins nothing new. The second ends at once: what
        is under way stays on record as pending, and its outcome is written down nowhere.
        """
        if self._is_cancelled:
            self._terminated.set()
            return
        self._is_cancelled = True
        if self._deployment is not None:
            self._cancel(self._deployment)

    def _cancel(self, deployment: Deployment) -> None:
        note = "" if self._preview else _ORPHANS_NOTE
        deployment.events.stdout(
            "^C received; cancelling. If you would like to terminate immediately,"
            f" press ^C again.{note}"
        )
        deployment.progress.cancel()

    async def run(self) -> int:
        """Carry the operation out and return the exit code.

        Raises:
            CommandFailedError: it could not begin, or expected no changes and found some.
        """
        refuse_declined(self._work)
        parallelism(self._work)
        ref = await asyncio.to_thread(lambda: self._work.stack)
        with nullcontext() if self._preview else self._work.backend.lock(ref):
            started = time.time()
            await self._until_terminated(asyncio.create_task(self._run_on(ref)))
            # While the lock is held: whoever has it next finds nothing of this operation running.
            if self._deployment is None:
                return EXIT_FAILED
            self._record(ref, self._deployment, started)
        return self._exit_code(self._deployment)

    async def _until_terminated(self, working: asyncio.Task[None]) -> None:
        """Wait for the work's end, or put an end to it on the second Ctrl-C."""
        terminated = asyncio.create_task(self._terminated.wait())
        await asyncio.wait({working, terminated}, return_when=asyncio.FIRST_COMPLETED)
        terminated.cancel()
        if working.done():
            working.result()
            return
        if self._deployment is not None:
            # From here on not even a step that ends after all writes to the state.
            self._deployment.recorder.close()
            self._deployment.events.stdout("^C received; terminating")
            self._sum_up(self._deployment)
        if self._executor is not None:
            self._executor.abandon()
        working.cancel()
        await asyncio.wait({working}, timeout=_UNWINDING_S)

    async def _run_on(self, ref: StackRef) -> None:
        loaded = await asyncio.to_thread(self._load, ref)
        deployment = self._deployment = self._prepare(ref, loaded)
        try:
            await self._run_in(deployment)
        finally:
            try:
                await deployment.hosts.close()
            finally:
                await deployment.events.close()
        saved = self._work.arguments.get("save-plan")
        if deployment.noted is not None and saved and deployment.progress.result == "succeeded":
            deployment.noted.write(Path(saved), loaded.codec)

    def _record(self, ref: StackRef, deployment: Deployment, started: float) -> None:
        if self._preview:
            return
        entry = history_entry(
            self._work,
            ref,
            kind=self._kind,
            started=started,
            result="succeeded" if deployment.progress.result == "succeeded" else "failed",
            changes=deployment.events.changes,
        )
        self._work.backend.record(ref, entry)

    def _exit_code(self, deployment: Deployment) -> int:
        if deployment.progress.result != "succeeded":
            return EXIT_FAILED
        changed = any(op not in _UNCHANGING for op in deployment.events.changes)
        if changed and self._work.arguments.has("expect-no-changes"):
            raise CommandFailedError(
                f"no changes were expected for {self._kind} but changes were proposed",
                EXIT_CHANGES,
            )
        return 0

    def _load(self, ref: StackRef) -> Loaded:
        work = self._work
        # Derives the key, which must not happen in the loop.
        work.crypter(ref)
        codec = work.codec(ref)
        file = work.backend.read(ref)
        snapshot = checkpoint.read(checkpoint.deployment_of(file), codec)
        if work.checks_integrity:
            integrity.refuse_broken(snapshot, work.backend.file_of(ref))
        snapshot.salt = snapshot.salt or work.salt(ref)
        settings = work.settings(ref)
        if self._kind == "destroy" and "config" not in settings.document:
            history = work.backend.history(ref, stop=1)
            settings.document["config"] = history[0].get("config") if history else {}
        config = stack_configuration.effective(
            settings, work.project, ref.name, lambda: work.crypter(ref)
        )
        return Loaded(config, codec, file, snapshot)

    def _prepare(self, ref: StackRef, loaded: Loaded) -> Deployment:
        work, arguments = self._work, self._work.arguments
        log = EventLog(
            sink=stream.open_sink(arguments.get("event-log")),
            listeners=[self._listener(ref)],
            is_preview=self._preview,
        )

        writer = CheckpointWriter(
            loaded.codec,
            partial(work.backend.save, ref, before=loaded.file),
            command=work.command_line,
            is_checked=work.checks_integrity,
        )
        recorder = Recorder(loaded.snapshot, None if self._preview else writer)

        def find_resource(urn: str) -> ResourceState | None:
            return deployment.registered.get(urn)

        def find_provider(reference: str) -> ResourceState | None:
            return deployment.find_provider(reference)

        deployment = Deployment(
            project=work.project,
            ref=ref,
            config=loaded.config,
            environ=work.environ,
            events=log,
            recorder=recorder,
            hosts=Hosts(
                self._factories,
                work.environ,
                BuiltinHost(self._outputs_of, find_resource),
                find_provider,
            ),
            targets=targets_of(work, loaded.snapshot),
            replace_targets=Targets((*arguments.all("replace"), *arguments.all("target-replace"))),
            dry_run=self._preview,
            parallel=parallelism(work),
            noted=UpdatePlan() if arguments.get("save-plan") else None,
            plan=self._plan_to_keep(loaded.codec),
            continue_on_error=arguments.has("continue-on-error")
            or work.environ.get("PULUMI_CONTINUE_ON_ERROR", "").lower() in {"1", "true"},
        )
        return deployment

    def _plan_to_keep(self, codec: StateCodec) -> UpdatePlan | None:
        path = self._work.arguments.get("plan")
        return UpdatePlan.read(Path(path), codec) if path and not self._preview else None

    def _listener(self, ref: StackRef) -> Listener:
        work, arguments = self._work, self._work.arguments
        if arguments.has("json"):
            return Digest(work.out)
        return Display(
            work.out,
            kind=self._kind,
            stack=ref.name,
            project=ref.project,
            is_preview=self._preview,
            show_outputs=not arguments.has("suppress-outputs"),
            show_progress=not arguments.has("suppress-progress"),
        )

    def _outputs_of(self, name: str) -> EngineProperties:
        ref = StackRef.parse(name, self._work.project.name)
        if not self._work.backend.exists(ref):
            raise CommandFailedError(f'unknown stack "{name}"')
        deployment = self._work.backend.load(ref)
        salt = checkpoint.salt_of(deployment)
        codec = StateCodec(lambda: self._work.unlock(salt))
        root = checkpoint.read(deployment, codec).root()
        return root.outputs if root else {}

    async def _run_in(self, deployment: Deployment) -> None:
        log = deployment.events
        log.prelude(deployment.config)
        if self._is_cancelled:
            # Ctrl-C came while the state was loaded.
            self._cancel(deployment)
        try:
            if not self._preview and deployment.recorder.leftover:
                count = len(deployment.recorder.leftover)
                log.diagnostic(
                    f"Attempting to deploy or update resources with {count} pending operations"
                    " from previous deployment.",
                    "warning",
                )
            await self._carry_out(deployment)
        except (DeploymentError, CommandFailedError) as error:
            deployment.complain(str(error), error.urn if isinstance(error, DeploymentError) else "")
        self._settle(deployment)
        self._sum_up(deployment)

    def _sum_up(self, deployment: Deployment) -> None:
        """Say how it ended."""
        log, progress = deployment.events, deployment.progress
        if progress.cancelled:
            log.diagnostic(f"{self._name} canceled")
        elif progress.step_failed:
            log.diagnostic(f"{self._name} failed")
        log.summary(progress.result, maybe_corrupt=progress.maybe_corrupt)

    async def _carry_out(self, deployment: Deployment) -> None:
        arguments = self._work.arguments
        wants_refresh = arguments.has("refresh") or deployment.project.refresh_always
        if self._kind == "refresh" or wants_refresh:
            refuse_unknown_targets(deployment, self._kind)
            await refresh(
                deployment,
                counted=self._kind == "refresh",
                drop_pending_creates=arguments.has("clear-pending-creates"),
            )
        if self._kind == "refresh" or deployment.progress.result != "succeeded":
            return
        executor = self._executor = Executor(deployment)
        if self._kind == "destroy":
            refuse_unknown_targets(deployment, self._kind)
            await destroy(deployment, executor)
            return
        await run_program(deployment, executor, self._launcher)
        if deployment.progress.result == "succeeded":
            refuse_unknown_targets(deployment, self._kind)

    def _settle(self, deployment: Deployment) -> None:
        """Give the stack its outputs and write the last checkpoint."""
        recorder = deployment.recorder
        root = recorder.snapshot().root()
        outputs = deployment.root_outputs
        if outputs is not None and root is not None and root.urn in deployment.steps:
            root.outputs = {**root.outputs, **outputs} if deployment.progress.failed else outputs
            deployment.events.step_finished(deployment.steps[root.urn])
        try:
            recorder.write()
        except StateNotSavedError as error:
            deployment.complain_unsaved("writing snapshot", error)
