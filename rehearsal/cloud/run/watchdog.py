"""Ends the service processes of a local cloud that can no longer do it itself.

Even `kill -9` of the cloud closes the pipe to this little process, which then ends every process
group it was told of. Binding a process to its parent's life by the kernel (Linux's
`PR_SET_PDEATHSIG`) needs code between fork and exec, which is unsafe beside gRPC's threads, covers
no grandchildren and exists on Linux only.

Run as a script it is the watchdog and imports nothing of ours: it must start in milliseconds.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from typing import IO


class Watchdog:
    """The cloud's end of the pipe."""

    def __init__(self) -> None:
        self._groups: set[int] = set()
        self._process: subprocess.Popen[bytes] | None = None

    def watch(self, group: int) -> None:
        """End this process group when the cloud dies."""
        self._groups.add(group)
        if self._process is not None and self._process.poll() is None:
            self._tell(f"+{group}\n")
            return
        self._close_pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        # One that somebody ended is replaced, and told everything.
        self._tell("".join(f"+{watched}\n" for watched in self._groups))

    def release(self, group: int) -> None:
        """Forget a process group that has ended: its number may be used again."""
        self._groups.discard(group)
        if self._process is not None:
            self._tell(f"-{group}\n")

    async def stop(self) -> None:
        """End the watchdog, which ends whatever it still watches."""
        self._close_pipe()
        if self._process is not None:
            await asyncio.to_thread(self._process.wait)
            self._process = None

    def _tell(self, lines: str) -> None:
        # A watchdog that is gone is replaced by the next `watch`.
        with contextlib.suppress(BrokenPipeError):
            self._pipe().write(lines.encode())
            self._pipe().flush()

    def _close_pipe(self) -> None:
        if self._process is not None:
            with contextlib.suppress(BrokenPipeError):
                self._pipe().close()

    def _pipe(self) -> IO[bytes]:
        assert self._process is not None
        assert self._process.stdin is not None
        return self._process.stdin


def _keep_watch(pipe: IO[bytes]) -> None:
    groups: set[int] = set()
    for line in pipe:
        group = int(line[1:])
        if line.startswith(b"+"):
            groups.add(group)
        else:
            groups.discard(group)
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    _keep_watch(sys.stdin.buffer)
