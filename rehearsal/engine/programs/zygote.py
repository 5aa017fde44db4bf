"""A fork server for programs: it has imported what programs import, and forks one in 0.1 s.

It is single-threaded and never opens a channel, so that forking is safe. Orders come over the
inherited socket, each a datagram with three descriptors: the program's standard output and
error, and a socket for this program alone. On the latter the zygote reads the environment and
the spec and answers with the process id and, later, the exit code. When the order socket closes
its owner is gone: every program is killed and the zygote ends.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import pkgutil
import select
import signal
import socket
import sys
import traceback
from typing import Final

ENTRY: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]);"
    "from rehearsal.engine.programs.zygote import serve;"
    "sys.path.remove(sys.argv[1]); serve(int(sys.argv[2]), sys.argv[3:])"
)
_FDS_PER_ORDER: Final = 3
_READ_SIZE: Final = 65536


def serve(descriptor: int, preload: list[str]) -> None:
    """Import what programs need and fork programs until the owner is gone.

    Args:
        descriptor: the socket on which orders come.
        preload: what to import, as dotted names.
    """
    for name in preload:
        with contextlib.suppress(ImportError, AttributeError):
            pkgutil.resolve_name(name)
    gc.collect()
    gc.freeze()
    orders = socket.socket(fileno=descriptor)
    wake_read, wake_write = socket.socketpair()
    wake_read.setblocking(False)  # noqa: FBT003 (the socket's own interface)
    wake_write.setblocking(False)  # noqa: FBT003
    signal.set_wakeup_fd(wake_write.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    programs: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([orders, wake_read], [], [])
        if wake_read in ready:
            with contextlib.suppress(BlockingIOError):
                wake_read.recv(_READ_SIZE)
            _reap(programs)
        if orders in ready and not _take_order(orders, programs):
            break
    for pid in programs:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    os._exit(0)


def _reap(programs: dict[int, socket.socket]) -> None:
    for pid in list(programs):
        done, status = os.waitpid(pid, os.WNOHANG)
        if not done:
            continue
        channel = programs.pop(pid)
        with contextlib.suppress(OSError):
            channel.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
        channel.close()


def _take_order(orders: socket.socket, programs: dict[int, socket.socket]) -> bool:
    """Fork one program; return False when the owner is gone."""
    data, descriptors, _, _ = socket.recv_fds(orders, 1, _FDS_PER_ORDER)
    if not data:
        return False
    stdout, stderr, private = descriptors
    channel = socket.socket(fileno=private)
    pid = os.fork()
    if pid == 0:
        orders.close()
        _become_program(channel, stdout, stderr)
    os.close(stdout)
    os.close(stderr)
    with contextlib.suppress(OSError):
        # Both sides do it, so that the group exists as soon as anyone knows its id.
        os.setpgid(pid, pid)
    programs[pid] = channel
    with contextlib.suppress(OSError):
        channel.sendall(f"{pid}\n".encode())
    return True


def _become_program(channel: socket.socket, stdout: int, stderr: int) -> None:
    """Turn this forked process into the program; never returns."""
    code = 1
    try:
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", closefd=False)
        order = json.loads(_read_all(channel))
        channel.close()
        os.environ.clear()
        os.environ.update(order["environ"])
        for folder in reversed(order["environ"].get("PYTHONPATH", "").split(os.pathsep)):
            if folder and folder not in sys.path:
                sys.path.insert(0, folder)
        # Imported here: the zygote itself must start without it when preloading fails.
        from rehearsal.engine.programs.runner import ProgramSpec, run  # noqa: PLC0415

        code = run(ProgramSpec(**order["spec"]))
    except BaseException:  # noqa: BLE001 (the process ends here, whatever happens)
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _read_all(channel: socket.socket) -> bytes:
    """Read until the sender shuts its side down."""
    parts = []
    while part := channel.recv(_READ_SIZE):
        parts.append(part)
    return b"".join(parts)
