"""Run a local cloud in the foreground: `python -m rehearsal.cloud DATA_DIR …`."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from rehearsal.cloud.iam.propagation import Propagation
from rehearsal.cloud.listening import PortTaken
from rehearsal.cloud.local_cloud import DEFAULT_PROJECT, LocalCloud
from rehearsal.cloud.server import Server


async def _serve(arguments: argparse.Namespace) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    cloud = LocalCloud(
        arguments.data_dir,
        project_id=arguments.project,
        propagation=Propagation(arguments.propagation),
        seed=arguments.seed,
        port=arguments.port,
        pubsub_port=arguments.pubsub_port,
    )
    async with Server(cloud):
        sys.stdout.write(f"serving {cloud.project_id} on http://127.0.0.1:{cloud.port}\n")
        sys.stdout.flush()
        await ended.wait()


def main() -> None:
    """Serve until a signal ends it."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal.cloud", description=__doc__)
    parser.add_argument("data_dir", type=Path, help="folder of all state")
    parser.add_argument("--project", default=DEFAULT_PROJECT, help="project id")
    parser.add_argument("--port", type=int, default=0, help="port of the REST APIs; 0: any")
    parser.add_argument("--pubsub-port", type=int, default=0, help="port of Pub/Sub over gRPC")
    parser.add_argument(
        "--propagation",
        default=Propagation.SEEDED.value,
        choices=[choice.value for choice in Propagation],
        help="how long grants take to become effective",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of every random choice")
    try:
        asyncio.run(_serve(parser.parse_args()))
    except PortTaken as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()
