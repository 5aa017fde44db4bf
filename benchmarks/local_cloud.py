"""How fast the local cloud starts and creates, and what it needs while idle.

    python benchmarks/local_cloud.py

Prints one line; ends with 1 where a promise of step 8, item 8 is broken: a start under 1.5 s, 500
resources in under 10 s, idle under 150 MB. The start is the best of three: other programs on the
machine only ever add to it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import httpx

from rehearsal.cloud import control
from rehearsal.cloud.info import CloudInfo

_START_S: Final = 1.5
_CREATIONS: Final = 500
_CREATIONS_S: Final = 10.0
_IDLE_MB: Final = 150.0
_STARTS: Final = 3
_PROJECT: Final = "local-proj"


def main() -> int:
    """Measure, print, and compare with what is promised."""
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "cloud"
        try:
            start_s = min(_start_s(data_dir) for _ in range(_STARTS))
            info = control.start(data_dir, project_id=_PROJECT, propagation="none")
            idle_mb = _resident_mb(info.pid)
            creations_s = _creations_s(info)
        finally:
            control.stop(data_dir)
    sys.stdout.write(
        f"start {start_s:.2f} s, idle {idle_mb:.0f} MB,"
        f" {_CREATIONS} creations {creations_s:.2f} s\n"
    )
    kept = start_s < _START_S and creations_s < _CREATIONS_S and idle_mb < _IDLE_MB
    return 0 if kept else 1


def _start_s(data_dir: Path) -> float:
    """Seconds from no process to one that serves; it is stopped again."""
    begun = time.perf_counter()
    control.start(data_dir, project_id=_PROJECT, propagation="none")
    taken = time.perf_counter() - begun
    control.stop(data_dir)
    return taken


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def _creations_s(info: CloudInfo) -> float:
    """Seconds of as many topics, one after another, each on disk when it is answered."""
    headers = {"Authorization": f"Bearer {info.deployer_token}"}
    base = f"http://127.0.0.1:{info.port}"
    with httpx.Client(base_url=base, headers=headers, trust_env=False) as client:
        services = f"/serviceusage/v1/projects/{_PROJECT}/services"
        client.post(f"{services}/pubsub.googleapis.com:enable").raise_for_status()
        begun = time.perf_counter()
        for number in range(_CREATIONS):
            url = f"/pubsub/v1/projects/{_PROJECT}/topics/topic-{number}"
            client.put(url, json={}).raise_for_status()
        return time.perf_counter() - begun


if __name__ == "__main__":
    sys.exit(main())
