"""A docker daemon of the tests' own, with its own folder and socket, and a base image in it."""

from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

BASE = "conductor.test/base:1"
_STARTS_WITHIN_S = 20.0
_OPTIONS = ("--bridge=none", "--iptables=false", "--storage-driver=overlay2")


class Daemon:
    """A running docker daemon."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "docker.sock"
        self.host = f"unix://{self.socket}"
        self.base = BASE
        self.client = httpx.Client(
            base_url="http://docker",
            transport=httpx.HTTPTransport(uds=str(self.socket)),
            timeout=30,
        )

    def containers(self) -> list[dict[str, Any]]:
        """List every container, running or not."""
        found: list[dict[str, Any]] = self.client.get("/containers/json?all=1").json()
        return found

    def container(self, name: str) -> dict[str, Any]:
        """Inspect a container."""
        found: dict[str, Any] = self.client.get(f"/containers/{name}/json").json()
        return found

    def build(self, files: Mapping[str, bytes], tag: str) -> None:
        """Build an image of files; one of them is a Dockerfile."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for name, content in files.items():
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(content), 0o755
                archive.addfile(entry, io.BytesIO(content))
        answer = self.client.post(f"/build?t={tag}&forcerm=1", content=packed.getvalue())
        assert answer.is_success, answer.text
        assert '"error"' not in answer.text, answer.text


def _obstacle() -> str:
    """Say why no daemon can be started here; nothing when one can."""
    if shutil.which("dockerd") is None:
        return "there is no dockerd (Debian: docker.io)"
    if os.geteuid() != 0:
        return "dockerd needs root"
    if shutil.which("busybox") is None:
        return "there is no busybox to make a base image of (Debian: busybox-static)"
    return ""


@pytest.fixture(scope="session")
def docker() -> Iterator[Daemon]:
    """A private daemon, gone with all it holds at the end; skips where there can be none."""
    obstacle = _obstacle()
    if obstacle:
        pytest.skip(obstacle)
    program = str(shutil.which("dockerd"))
    # A socket's path has at most 108 bytes, which pytest's own folders exceed.
    folder = Path(tempfile.mkdtemp(prefix="conductor-docker-"))
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                program,
                *_OPTIONS,
                f"--data-root={folder / 'data'}",
                f"--exec-root={folder / 'exec'}",
                f"--pidfile={folder / 'pid'}",
                f"--host=unix://{folder / 'docker.sock'}",
            ],
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    daemon = Daemon(folder)
    try:
        if not _answers(daemon, process):
            pytest.skip(f"dockerd does not start here: {_last_line(log)}")
        daemon.build(
            {
                "busybox": Path(str(shutil.which("busybox"))).read_bytes(),
                "Dockerfile": b"FROM scratch\nCOPY busybox /bin/busybox\n"
                b'RUN ["/bin/busybox", "--install", "-s", "/bin"]\n',
            },
            BASE,
        )
        yield daemon
    finally:
        daemon.client.close()
        process.terminate()
        process.wait()
        _unmount_below(folder)
        shutil.rmtree(folder)


def _unmount_below(folder: Path) -> None:
    """Unmount what the daemon leaves mounted: the network that containers shared with it."""
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for point in reversed(mounted):
        if Path(point).is_relative_to(folder):
            subprocess.run([str(shutil.which("umount")), "--lazy", point], check=True)


def _answers(daemon: Daemon, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + _STARTS_WITHIN_S
    while process.poll() is None and time.monotonic() < deadline:
        # A client that cannot connect would leave its socket open.
        with socket.socket(socket.AF_UNIX) as connection:
            if connection.connect_ex(str(daemon.socket)) == 0:
                return daemon.client.get("/_ping").is_success
        time.sleep(0.02)
    return False


def _last_line(log: Path) -> str:
    return next(iter(reversed(log.read_text(errors="replace").splitlines())), "no reason given")
