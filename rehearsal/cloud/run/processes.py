"""One process of a revision: started with its own process group and log, and surely ended."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Mapping

from rehearsal.cloud.run.images import Program
from rehearsal.cloud.run.logs import InstanceOutput
from rehearsal.cloud.run.watchdog import Watchdog

# Cloud Run's own grace between SIGTERM and SIGKILL.
STOP_GRACE_S = 10.0
_LAST_WORDS_S = 1.0
_READ_BYTES = 64 * 1024


class ServiceProcess:
    """A running process and its whole group."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        port: int,
        watchdog: Watchdog,
        reading: asyncio.Task[None],
    ) -> None:
        self._process = process
        self._watchdog = watchdog
        self._reading = reading
        self.port = port

    @classmethod
    async def start(
        cls,
        program: Program,
        *,
        port: int,
        environment: Mapping[str, str],
        output: InstanceOutput,
        watchdog: Watchdog,
    ) -> "ServiceProcess":
        """Start a program.

        Raises:
            OSError: there is no such program.
        """
        # A pipe of our own: asyncio's would keep `wait` from returning while a grandchild has it.
        reading_end, writing_end = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *program.argv,
                cwd=program.folder,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing_end,
                stderr=writing_end,
                start_new_session=True,
            )
        except BaseException:
            os.close(reading_end)
            raise
        finally:
            os.close(writing_end)
        watchdog.watch(process.pid)
        reading = asyncio.create_task(_read(reading_end, output))
        return cls(process, port, watchdog, reading)

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
        # With every writer gone the rest is there to be read; one that left the group may stay.
        _, unread = await asyncio.wait([self._reading], timeout=_LAST_WORDS_S)
        for reading in unread:
            reading.cancel()
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


async def _read(pipe: int, output: InstanceOutput) -> None:
    """Read what a process and its children write until the last of them has closed the pipe."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(pipe, "rb", buffering=0)
    )
    try:
        while data := await reader.read(_READ_BYTES):
            output.feed(data)
    finally:
        output.end()
        transport.close()


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
