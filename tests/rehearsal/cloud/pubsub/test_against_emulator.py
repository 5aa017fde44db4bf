"""Random programs: ours, what Google documents, and the official emulator, where there is one.

The emulator is the one at `PUBSUB_ORACLE` (`HOST:PORT`, with nothing else in it), or that of the
Google Cloud SDK on PATH, started for the test. What it is known not to have is not in the programs.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pubsub_programs import UNSAID, Model, Runner, program

LAUNCHER = Path("platform", "pubsub-emulator", "bin", "cloud-pubsub-emulator")
AGENT = "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"


def _ours(local_cloud: Any) -> Runner:
    """Ours, with the service agent's grants, without which there are no dead letters."""
    for role in ("roles/pubsub.publisher", "roles/pubsub.subscriber"):
        local_cloud.grant("/resourcemanager/v1/projects/local-proj", role, AGENT)
    return Runner(local_cloud.cloud.pubsub_port)


def _check(runner: Runner, seed: int, length: int) -> None:
    model = Model()
    steps = program(seed, length)
    for number, step in enumerate(steps):
        expected = model.run(step)
        found = runner.run(step, expected)
        history = "\n".join(map(str, steps[: number + 1]))
        assert expected in (found, UNSAID), f"seed {seed}, step {number}:\n{history}"


@pytest.mark.parametrize("seed", range(6))
def test_ours_does_what_google_documents(local_cloud: Any, seed: int) -> None:
    """Each step of a random program has the outcome that the model has."""
    runner = _ours(local_cloud)
    try:
        _check(runner, seed, 60)
    finally:
        runner.close()


def _launcher() -> Path | None:
    gcloud = shutil.which("gcloud")
    if gcloud is None or shutil.which("java") is None:
        return None
    found = Path(gcloud).resolve().parents[1] / LAUNCHER
    return found if found.exists() else None


@pytest.fixture(name="oracle", scope="module")
def oracle_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of an official emulator without anything in it."""
    if address := os.environ.get("PUBSUB_ORACLE"):
        yield int(address.rpartition(":")[2])
        return
    launcher = _launcher()
    if launcher is None:
        pytest.skip("no PUBSUB_ORACLE, and no emulator of the Google Cloud SDK (with java) on PATH")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    log = tmp_path_factory.mktemp("oracle") / "log"
    with log.open("wb") as output:
        emulator = subprocess.Popen(
            [launcher, "--host=127.0.0.1", f"--port={port}"],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "JAVA_OPTS": "-Xmx256m"},
        )
    try:
        ends_at = time.monotonic() + 60
        while not _listens(port):
            assert emulator.poll() is None, log.read_text()
            assert time.monotonic() < ends_at, log.read_text()
            time.sleep(0.05)
        yield port
    finally:
        emulator.terminate()
        emulator.wait(20)


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_official_emulator_agrees(oracle: int) -> None:
    """The same programs have the same outcomes there, one after another in an emptied emulator."""
    runner = Runner(oracle)
    try:
        for seed in range(6):
            runner.clear()
            _check(runner, seed, 60)
    finally:
        runner.close()
