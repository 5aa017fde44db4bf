"""One process of a revision: started with its own process group and log, and surely ended."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Mapping
from pathlib import Path

from rehearsal.cloud.run.images import Program
from rehearsal.cloud.run.watchdog import Watchdog

# Cloud Run's own grace between SIGTERM and SIGKILL.
STOP_GRACE_S = 10.0


class ServiceProcess:
    """A running process and its whole group."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, watchdog: Watchdog) -> None:
        self._process = process
        self._watchdog = watchdog
        self.port = port

    @classmethod
    async def start(
        cls,
        program: Program,
        *,
        port: int,
        environment: Mapping[str, str],
        log: Path,
        watchdog: Watchdog,
    ) -> "ServiceProcess":
        """Start a program.

        Raises:
            OSError: there is no such program.
        """
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *program.argv,
                cwd=program.folder,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        watchdog.watch(process.pid)
        return cls(process, port, watchdog)

    @property
    def pid(self) -> int:
        """Return the process id, which is also its group's."""
        return self._process.pid

    def has_ended(self) -> bool:
        """Return whether the process has ended."""
        return self._process.returncode is not None

    async def wait(self) -> int:
        """Wait until the process ends, whoever ends it; return its exit code."""
        code = await self._process.wait()
        # What it started must not outlive it.
        self._signal(signal.SIGKILL)
        self._watchdog.release(self.pid)
        return code

    async def stop(self) -> None:
        """Ask the process to end; make it end when it does not."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._process.wait()), STOP_GRACE_S)
        self._signal(signal.SIGKILL)
        await self.wait()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


def free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_taken(port: int) -> bool:
    """Return whether somebody uses a port."""
    with socket.socket() as probe:
        # What merely lingers after a closed connection does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
