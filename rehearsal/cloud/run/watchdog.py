"""Ends the service processes of a local cloud that can no longer do it itself.

Even `kill -9` of the cloud closes the pipe to this little process, which then ends every process
group and removes every container it was told of. Binding a process to its parent's life by the
kernel (Linux's `PR_SET_PDEATHSIG`) needs code between fork and exec, which is unsafe beside gRPC's
threads, covers no grandchildren and exists on Linux only.

Run as a script it is the watchdog and imports nothing of ours: it must start in milliseconds.
"""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from typing import IO

_DAEMON_TIMEOUT_S = 30.0


class Watchdog:
    """The cloud's end of the pipe."""

    def __init__(self) -> None:
        self._watched: set[str] = set()
        self._process: subprocess.Popen[bytes] | None = None

    def watch(self, group: int) -> None:
        """End this process group when the cloud dies."""
        self._watch(str(group))

    def release(self, group: int) -> None:
        """Forget a process group that has ended: its number may be used again."""
        self._release(str(group))

    def watch_container(self, daemon: str, name: str) -> None:
        """Remove this container when the cloud dies; `daemon` is its daemon's socket."""
        self._watch(f"{name} {daemon}")

    def release_container(self, daemon: str, name: str) -> None:
        """Forget a container that was removed."""
        self._release(f"{name} {daemon}")

    def _watch(self, what: str) -> None:
        self._watched.add(what)
        if self._process is not None and self._process.poll() is None:
            self._tell(f"+{what}\n")
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
        self._tell("".join(f"+{watched}\n" for watched in self._watched))

    def _release(self, what: str) -> None:
        self._watched.discard(what)
        if self._process is not None:
            self._tell(f"-{what}\n")

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
    watched: set[str] = set()
    for line in pipe:
        what = line[1:].decode().rstrip("\n")
        if line.startswith(b"+"):
            watched.add(what)
        else:
            watched.discard(what)
    for what in watched:
        name, _, daemon = what.partition(" ")
        if daemon:
            _remove_container(daemon, name)
        else:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(int(name), signal.SIGKILL)


def _remove_container(daemon: str, name: str) -> None:
    request = f"DELETE /containers/{name}?force=1&v=1 HTTP/1.0\r\nHost: docker\r\n\r\n"
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_DAEMON_TIMEOUT_S)
        connection.connect(daemon)
        connection.sendall(request.encode())
        # The answer comes when the container is gone.
        connection.recv(1)


if __name__ == "__main__":
    _keep_watch(sys.stdin.buffer)
