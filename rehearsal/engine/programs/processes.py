"""Programs in processes of their own: started, listened to, stopped.

A program is forked by the zygote where that works; otherwise it gets a fresh interpreter.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final, Protocol

from rehearsal.engine.programs.runner import ProgramSpec
from rehearsal.engine.programs.zygote import ENTRY

# What the stacks of this project import; importing it takes most of a program's time.
PRELOAD: Final = (
    "pulumi",
    "pulumi.runtime",
    "rehearsal.engine.programs.runner",
    "pulumi_gcp.Provider",
    "pulumi_gcp.artifactregistry.Repository",
    "pulumi_gcp.cloudrunv2.Service",
    "pulumi_gcp.cloudrunv2.ServiceIamMember",
    "pulumi_gcp.projects.Service",
    "pulumi_gcp.projects.IAMMember",
    "pulumi_gcp.projects.IAMCustomRole",
    "pulumi_gcp.pubsub.Topic",
    "pulumi_gcp.pubsub.Subscription",
    "pulumi_gcp.pubsub.TopicIAMMember",
    "pulumi_gcp.pubsub.SubscriptionIAMMember",
    "pulumi_gcp.serviceaccount.Account",
    "pulumi_gcp.serviceaccount.IAMMember",
    "pulumi_gcp.storage.Bucket",
    "pulumi_gcp.storage.BucketIAMMember",
    "pulumi_gcp.bigquery.Dataset",
    "pulumi_docker.Image",
    "yaml",
    "pydantic",
)
_DRAIN_S: Final = 2.0
_CLOSING_S: Final = 0.5
_CHUNK: Final = 1 << 16
_LONGEST_LINE: Final = 1 << 20
_ROOT: Final = Path(__file__).resolve().parents[3]
OnLine = Callable[[str, str], Awaitable[None]]


class Launcher(Protocol):
    """Starts programs."""

    def warm_up(self) -> object:
        """Get ready ahead of the first program."""
        ...

    async def start(
        self, spec: ProgramSpec, environ: Mapping[str, str], on_line: OnLine
    ) -> Program:
        """Start a program; its lines go to `on_line` with their severity."""
        ...


class Program:
    """A running program."""

    def __init__(
        self, pid: int, exited: Awaitable[int], output: Sequence[asyncio.Task[None]]
    ) -> None:
        self._pid = pid
        self._exited = asyncio.ensure_future(exited)
        self._output = output

    async def wait(self) -> int:
        """Return the exit code once the program has ended and its output is read.

        A process it left behind may hold the output open; that is waited for only briefly.
        """
        code = await asyncio.shield(self._exited)
        if self._output:
            _, hanging = await asyncio.wait(self._output, timeout=_DRAIN_S)
            for task in hanging:
                task.cancel()
        return code

    def kill(self) -> None:
        """End the program and whatever it started, at once."""
        if not self._exited.done():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, signal.SIGKILL)


class FreshInterpreter:
    """Starts each program in a new interpreter."""

    def warm_up(self) -> None:
        """Nothing can be done ahead."""

    async def start(
        self, spec: ProgramSpec, environ: Mapping[str, str], on_line: OnLine
    ) -> Program:
        """Start a program."""
        code = (
            "import sys; sys.path.insert(0, sys.argv[1]);"
            "from rehearsal.engine.programs.runner import main;"
            "sys.path.remove(sys.argv[1]); sys.exit(main())"
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-u",
            "-P",
            "-c",
            code,
            str(_ROOT),
            env=dict(environ),
            cwd=spec.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(spec.to_json().encode())
        process.stdin.close()
        output = [
            asyncio.create_task(_pump(process.stdout, "info", on_line)),
            asyncio.create_task(_pump(process.stderr, "info#err", on_line)),
        ]
        return Program(process.pid, process.wait(), output)


class ZygoteLauncher:
    """Starts programs through one zygote process, which starts with the first of them."""

    def __init__(self, preload: Sequence[str] = PRELOAD) -> None:
        self._preload = tuple(preload)
        self._orders: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def warm_up(self) -> socket.socket:
        """Start the zygote unless it runs; return the socket that takes orders."""
        with self._lock:
            if self._orders is None or self._process is None or self._process.poll() is not None:
                if self._orders is not None:
                    self._orders.close()
                self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                with theirs:
                    self._process = self._spawn(theirs)
            return self._orders

    def _spawn(self, orders: socket.socket) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-P", "-c", ENTRY, str(_ROOT), str(orders.fileno()), *self._preload],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[orders.fileno()],
            cwd="/",
            start_new_session=True,
        )

    def close(self) -> None:
        """End the zygote and every program it runs."""
        with self._lock:
            if self._orders is not None:
                self._orders.close()
            if self._process is not None:
                try:
                    self._process.wait(_CLOSING_S)
                except subprocess.TimeoutExpired:
                    # Still importing, so it has no programs.
                    self._process.kill()
                    self._process.wait()
            self._orders = self._process = None

    async def start(
        self, spec: ProgramSpec, environ: Mapping[str, str], on_line: OnLine
    ) -> Program:
        """Start a program; in a fresh interpreter when the zygote is out of order."""
        orders = await asyncio.to_thread(self.warm_up)
        ours, theirs = socket.socketpair()
        pipes = [os.pipe(), os.pipe()]
        ends = [write for _, write in pipes]
        try:
            socket.send_fds(orders, [b"+"], [*ends, theirs.fileno()])
        except OSError:
            ours.close()
            for end, _ in pipes:
                os.close(end)
            return await FreshInterpreter().start(spec, environ, on_line)
        finally:
            theirs.close()
            for end in ends:
                os.close(end)
        output = [
            asyncio.create_task(_pump(await _reader_of(pipe[0]), severity, on_line))
            for pipe, severity in zip(pipes, ("info", "info#err"), strict=True)
        ]
        ours.setblocking(False)  # noqa: FBT003 (the socket's own interface)
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        writer.write(json.dumps({"environ": dict(environ), "spec": asdict(spec)}).encode())
        writer.write_eof()
        pid = await reader.readline()
        if not pid:
            writer.close()
            return await FreshInterpreter().start(spec, environ, on_line)
        return Program(int(pid), _exit_code(reader, writer), output)


async def _exit_code(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    answer = await reader.readline()
    writer.close()
    # The zygote itself was killed: so were its programs.
    return int(answer) if answer else -signal.SIGKILL


async def _reader_of(descriptor: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb")
    )
    return reader


async def _pump(stream: asyncio.StreamReader, severity: str, on_line: OnLine) -> None:
    """Hand on what a program prints, but no blank lines; one without end comes in pieces."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    rest = ""
    is_open = True
    while is_open:
        chunk = await stream.read(_CHUNK)
        is_open = bool(chunk)
        *lines, rest = (rest + decoder.decode(chunk, final=not is_open)).split("\n")
        # A line's end belongs to it: the real engine's messages have it, too.
        lines = [f"{line}\n" for line in lines]
        if rest and (len(rest) > _LONGEST_LINE or not is_open):
            lines.append(rest)
            rest = ""
        for line in lines:
            if line.strip():
                await on_line(line, severity)
