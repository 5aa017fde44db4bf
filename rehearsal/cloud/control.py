"""Start, find and stop the local cloud of a data folder, from another process.

Synchronous and light to import: the command line pays for it on every call.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from rehearsal.cloud.info import HOST, CloudError, CloudInfo, PortTaken, ServerLock, recorded

__all__ = ["CloudError", "CloudInfo", "PortTaken", "recorded", "start", "status", "stop"]

LOG_FILE: Final = "server.log"
# `__main__` ends with it when one of its ports is taken.
PORT_TAKEN_CODE: Final = 98
PORT_TAKEN_LINE: Final = "port taken: {port}"
_TAKEN: Final = re.compile(rf"^{PORT_TAKEN_LINE.format(port='([0-9]+)')}$", re.MULTILINE)
_START_TIMEOUT_S: Final = 60.0
_STOP_TIMEOUT_S: Final = 30.0
_POLL_S: Final = 0.02


def start(data_dir: Path, *, project_id: str, propagation: str = "", seed: int = 0) -> CloudInfo:
    """Start the local cloud of a folder unless it runs, and return once it serves.

    Ports are chosen once; a restart takes the same ones.

    Args:
        data_dir: The folder.
        project_id: The project that it serves.
        propagation: How long changes of grants take from now on; nothing for as before, which is
            `seeded` at first.
        seed: What it draws from when it is started.

    Raises:
        PortTaken: another process has one of the recorded ports.
        CloudError: it ended at once, or the running one is for another project.
    """
    with _control_of(data_dir):
        running = status(data_dir)
        if running is not None:
            if running.project_id != project_id:
                raise CloudError(
                    f"the local cloud in {data_dir} serves project {running.project_id},"
                    f" not {project_id}"
                )
            if propagation:
                _propagate(running, propagation)
            return running
        arguments = [str(data_dir.resolve()), "--project", project_id]
        arguments += ["--seed", str(seed)]
        if propagation:
            arguments += ["--propagation", propagation]
        return _started(data_dir, arguments)


def status(data_dir: Path) -> CloudInfo | None:
    """Tell where the local cloud of a folder is; None when it does not run."""
    if not data_dir.is_dir():
        return None
    holder = _holder(data_dir)
    info = recorded(data_dir) if holder is not None else None
    # Until it serves, a starting server leaves the record of the one before it.
    return info if info is not None and info.pid == holder else None


def stop(data_dir: Path) -> bool:
    """End the local cloud of a folder and every process it started; False when none ran.

    Raises:
        CloudError: it survived.
    """
    if not data_dir.is_dir():
        return False
    with _control_of(data_dir):
        pid = _holder(data_dir)
        if pid is None:
            return False
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            if _wait_until(lambda: _holder(data_dir) != pid, _STOP_TIMEOUT_S):
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, 0)  # It is our child if we started it.
                return True
        raise CloudError(f"the local cloud (process {pid}) does not end")


def _started(data_dir: Path, arguments: list[str]) -> CloudInfo:
    log_path = data_dir / LOG_FILE
    with log_path.open("ab") as log:
        begins_at = log.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "rehearsal.cloud", *arguments],
            # Where `rehearsal` is found, installed or not.
            cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def is_serving_or_gone() -> bool:
        info = status(data_dir)
        return (info is not None and info.pid == process.pid) or process.poll() is not None

    _wait_until(is_serving_or_gone, _START_TIMEOUT_S)
    info = status(data_dir)
    if process.poll() is None and info is not None:
        # It outlives us: nobody here will ever wait for it.
        process.returncode = 0
        return info
    process.kill()
    code = process.wait()
    said = log_path.read_bytes()[begins_at:].decode(errors="replace").strip()
    if code == PORT_TAKEN_CODE and (port := _TAKEN.search(said)):
        raise PortTaken(int(port[1]))
    reason = said.splitlines()[-1] if said else f"exit code {code}"
    raise CloudError(f"the local cloud did not start: {reason}")


def _propagate(running: CloudInfo, propagation: str) -> None:
    """Have a cloud that runs take up another propagation."""
    import http.client  # noqa: PLC0415 - commands that only look need none

    connection = http.client.HTTPConnection(HOST, running.port, timeout=_START_TIMEOUT_S)
    headers = {"Authorization": f"Bearer {running.deployer_token}"}
    try:
        connection.request("PUT", "/_local/propagation", propagation, headers)
        answer = connection.getresponse()
        if answer.status != http.HTTPStatus.OK:
            said = answer.read().decode(errors="replace")
            raise CloudError(f"the local cloud refuses the propagation {propagation!r}: {said}")
    except (OSError, http.client.HTTPException) as error:
        raise CloudError(f"the local cloud does not answer: {error}") from error
    finally:
        connection.close()


def _holder(data_dir: Path) -> int | None:
    with contextlib.closing(ServerLock(data_dir)) as lock:
        return lock.holder()


@contextlib.contextmanager
def _control_of(data_dir: Path) -> Iterator[None]:
    """One at a time: two commands must not start two servers."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (data_dir / "control.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _wait_until(is_so: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if is_so():
            return True
        time.sleep(_POLL_S)
    return is_so()
