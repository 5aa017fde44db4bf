"""Run a local cloud in the foreground: `python -m rehearsal.cloud DATA_DIR …`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

from rehearsal.cloud.control import PORT_TAKEN_CODE, PORT_TAKEN_LINE
from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.iam.propagation import Propagation
from rehearsal.cloud.info import CloudError, CloudInfo, PortTaken, ServerLock, recorded
from rehearsal.cloud.local_cloud import DEFAULT_PROJECT, LocalCloud
from rehearsal.cloud.server import Server


async def _serve(arguments: argparse.Namespace) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    before = recorded(arguments.data_dir)
    cloud = LocalCloud(
        arguments.data_dir,
        project_id=arguments.project,
        propagation=Propagation(arguments.propagation) if arguments.propagation else None,
        seed=arguments.seed,
        port=before.port if before else 0,
        pubsub_port=before.pubsub_port if before else 0,
    )
    async with Server(cloud):
        CloudInfo(
            pid=os.getpid(),
            port=cloud.port,
            pubsub_port=cloud.pubsub_port,
            project_id=cloud.project_id,
            project_number=cloud.project_number,
            deployer=cloud.deployer,
            deployer_token=cloud.tokens.access_token(cloud.deployer),
            data_dir=arguments.data_dir,
        ).write()
        _say(f"serving {cloud.project_id} on http://127.0.0.1:{cloud.port}")
        await ended.wait()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Serve until a signal ends it."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal.cloud", description=__doc__)
    parser.add_argument("data_dir", type=Path, help="folder of all state")
    parser.add_argument("--project", default=DEFAULT_PROJECT, help="project id")
    parser.add_argument(
        "--propagation",
        choices=[choice.value for choice in Propagation],
        help="how long grants take to become effective (default: as before, seeded at first)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of every random choice")
    arguments = parser.parse_args()
    # What is kept here (tokens, keys, secrets, messages) is nobody else's.
    os.umask(0o077)
    arguments.data_dir.mkdir(parents=True, exist_ok=True)
    arguments.data_dir.chmod(0o700)
    with contextlib.closing(ServerLock(arguments.data_dir)) as lock:
        if not lock.acquire():
            _say(f"another local cloud serves {arguments.data_dir}")
            return 1
        try:
            asyncio.run(_serve(arguments))
        except PortTaken as error:
            _say(f"{error}\n{PORT_TAKEN_LINE.format(port=error.port)}")
            return PORT_TAKEN_CODE
        except (ApiError, CloudError) as error:
            _say(str(error))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
