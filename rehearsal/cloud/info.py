"""Where a running local cloud is, as it tells in `cloud.json`, and the lock that proves it runs.

The server writes both, `rehearsal.cloud.control` reads them; nothing here imports a server.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

_INFO_FILE: Final = "cloud.json"
_LOCK_FILE: Final = "server.lock"
HOST: Final = "127.0.0.1"


class CloudError(Exception):
    """The local cloud cannot do what was asked of it."""


class PortTaken(CloudError):  # noqa: N818 - a fact about a port
    """Another process listens on a port that the local cloud needs."""

    def __init__(self, port: int) -> None:
        super().__init__(
            f"port {port} on {HOST} is taken by another process, and what is deployed is known at"
            " that address: end that process"
        )
        self.port = port


@dataclass(frozen=True, slots=True)
class CloudInfo:
    """A running local cloud.

    Attributes:
        pid: Its process.
        port: The port of the REST APIs and of the registry.
        pubsub_port: The port on which the deployer's Pub/Sub speaks gRPC.
        project_id: Its only project.
        project_number: That project's number.
        deployer: The member who owns the project.
        deployer_token: The deployer's access token; it does not expire.
        data_dir: The folder of all its state.
    """

    pid: int
    port: int
    pubsub_port: int
    project_id: str
    project_number: str
    deployer: str
    deployer_token: str
    data_dir: Path

    def write(self) -> None:
        """Record where the cloud is, for its owner's eyes only."""
        path = self.data_dir / _INFO_FILE
        draft = path.with_name(f"{_INFO_FILE}.{self.pid}")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(asdict(self) | {"data_dir": str(self.data_dir)}, indent=2))
        draft.replace(path)


def recorded(data_dir: Path) -> CloudInfo | None:
    """What a server last recorded in this folder, whether it still runs or not."""
    try:
        body = json.loads((data_dir / _INFO_FILE).read_text())
        return CloudInfo(**body | {"data_dir": data_dir})
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise CloudError(f"{data_dir / _INFO_FILE} is damaged: {error}; remove it") from error


class ServerLock:
    """Held by the one server of a data folder for as long as it lives, however it ends."""

    def __init__(self, data_dir: Path) -> None:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = os.open(data_dir / _LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)

    def acquire(self) -> bool:
        """Become the folder's server; False when another one is."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, str(os.getpid()).encode(), 0)
        return True

    def holder(self) -> int | None:
        """The process of the folder's server; None when there is none."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(os.pread(self._file, 20, 0) or 0) or None
        fcntl.flock(self._file, fcntl.LOCK_UN)
        return None

    def close(self) -> None:
        """Let go."""
        os.close(self._file)
