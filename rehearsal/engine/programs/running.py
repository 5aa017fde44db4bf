"""Runs the program of an operation: from its start to the last deletion it leads to."""

from __future__ import annotations

import asyncio
import json

from rehearsal.engine.backend.folder import ORGANIZATION
from rehearsal.engine.errors import DeclinedError
from rehearsal.engine.executor.executor import Executor
from rehearsal.engine.planner.deployment import Deployment
from rehearsal.engine.programs.monitor import Monitor
from rehearsal.engine.programs.processes import Launcher, Program
from rehearsal.engine.programs.registrar import Registrar
from rehearsal.engine.programs.runner import EXIT_REPORTED, ProgramSpec


async def run_program(deployment: Deployment, executor: Executor, launcher: Launcher) -> None:
    """Run the program, do what it asks for, and delete what it no longer asks for.

    However this ends, the program has ended, too.

    Raises:
        DeclinedError: the program is not written in Python.
    """
    progress = deployment.progress
    registrar = Registrar(deployment, executor)
    async with Monitor(deployment, registrar) as monitor:
        program = await _start(deployment, launcher, monitor.address)
        ended = asyncio.create_task(program.wait())
        stopping = asyncio.create_task(progress.stopping.wait())
        try:
            await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
            await executor.drain()
        finally:
            stopping.cancel()
            program.kill()
        code = await ended
        if progress.stopping.is_set():
            return
        if code:
            if code != EXIT_REPORTED:
                deployment.events.diagnostic(
                    f"an unhandled error occurred: program exited with non-zero exit code: {code}"
                )
            progress.fail()
            return
        await registrar.delete_unwanted()
        await executor.drain()


async def _start(deployment: Deployment, launcher: Launcher, address: str) -> Program:
    spec, environ = _described(deployment, address)

    async def tell(line: str, severity: str) -> None:
        deployment.events.diagnostic(line, severity)
        await deployment.events.keep_pace()

    starting = asyncio.ensure_future(launcher.start(spec, environ, tell))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        starting.add_done_callback(_kill_late)
        raise


def _kill_late(starting: asyncio.Future[Program]) -> None:
    """End a program that nobody waits for any more when it starts."""
    if not starting.cancelled() and starting.exception() is None:
        starting.result().kill()


def _described(deployment: Deployment, address: str) -> tuple[ProgramSpec, dict[str, str]]:
    """Say what the program needs to know, and its environment."""
    project = deployment.project
    if project.runtime != "python":
        raise DeclinedError(f"the runtime '{project.runtime}'", "write the program in Python")
    folder, entry = project.program()
    config = {key: value.text for key, value in deployment.config.items()}
    secret_keys = [key for key, value in deployment.config.items() if value.secret]
    spec = ProgramSpec(
        address=address,
        project=project.name,
        stack=deployment.ref.name,
        organization=ORGANIZATION,
        root=str(project.root),
        folder=str(folder),
        entry=entry,
        dry_run=deployment.dry_run,
        parallel=deployment.parallel,
        config=config,
        secret_keys=secret_keys,
    )
    environ = {
        **deployment.environ,
        "PULUMI_CONFIG": json.dumps(config),
        "PULUMI_CONFIG_SECRET_KEYS": json.dumps(secret_keys),
        "PULUMI_PROJECT": project.name,
        "PULUMI_STACK": deployment.ref.name,
    }
    return spec, environ
