"""A PostgreSQL server of the tests' own: in a temporary folder, on a socket, without fsync."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

# The server refuses to run as root; Debian's package makes this user.
UNPRIVILEGED = "postgres"
START_TIMEOUT_S = 30.0


class PrivatePostgres:
    """A running server; every test makes a database of its own in it."""

    def __init__(self, socket_dir: Path) -> None:
        self._socket_dir = socket_dir

    def make_database(self) -> str:
        """Make an empty database and give its URL."""
        name = f"t{uuid.uuid4().hex}"
        with psycopg.connect(self._conninfo(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql://conductor@/{name}?host={self._socket_dir}"

    def is_ready(self) -> bool:
        """Say whether the server takes connections."""
        try:
            psycopg.connect(self._conninfo(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _conninfo(self) -> str:
        return f"host={self._socket_dir} user=conductor dbname=postgres"


def _program(name: str) -> Path | None:
    on_path = shutil.which(name)
    # Debian keeps the server's programs out of the path.
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return next(iter(versions), Path(on_path) if on_path else None)


@contextmanager
def running_postgres() -> Iterator[PrivatePostgres]:
    """Run a server while the block runs; skips the test where that is not possible."""
    initdb, server = _program("initdb"), _program("postgres")
    if initdb is None or server is None:
        pytest.skip("needs PostgreSQL's initdb and postgres (Debian: postgresql)")
    user = None
    if os.geteuid() == 0:
        try:
            user = pwd.getpwnam(UNPRIVILEGED)
        except KeyError:
            pytest.skip(f"PostgreSQL does not run as root, and there is no user {UNPRIVILEGED!r}")
    # Not pytest's own folder: a socket's path has at most some hundred characters.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    user_id, group_id, groups = None, None, None
    if user is not None:
        user_id, group_id, groups = user.pw_uid, user.pw_gid, [user.pw_gid]
        os.chown(folder, user_id, group_id)
    data = folder / "data"
    try:
        subprocess.run(
            [initdb, "-D", data, "-U", "conductor", "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=True,
            capture_output=True,
            cwd=folder,
            user=user_id,
            group=group_id,
            extra_groups=groups,
        )
        options = {"listen_addresses": "", "unix_socket_directories": folder, "fsync": "off"}
        arguments = [f"-c{name}={value}" for name, value in options.items()]
        with (
            (folder / "log").open("wb") as log,
            subprocess.Popen(
                [server, "-D", data, *arguments],
                stdout=log,
                stderr=log,
                cwd=folder,
                user=user_id,
                group=group_id,
                extra_groups=groups,
            ) as process,
        ):
            try:
                postgres = PrivatePostgres(folder)
                deadline = time.monotonic() + START_TIMEOUT_S
                while not postgres.is_ready():
                    is_hopeless = process.poll() is not None or time.monotonic() > deadline
                    assert not is_hopeless, (folder / "log").read_text()
                    time.sleep(0.05)
                yield postgres
            finally:
                process.terminate()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
