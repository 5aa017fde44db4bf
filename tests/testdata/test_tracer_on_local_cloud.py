"""The sample services together, on a Pub/Sub that runs."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import httpx
import pytest
from google.cloud import pubsub_v1

from rehearsal.cloud import control
from rehearsal.cloud.info import CloudInfo

PROJECT = "local-proj"


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CloudInfo]:
    """Run a local cloud with the sample's topics and subscription."""
    data_dir = tmp_path / "cloud"
    info = control.start(data_dir, project_id=PROJECT, propagation="none")
    try:
        token = {"Authorization": f"Bearer {info.deployer_token}"}
        httpx.post(
            f"http://127.0.0.1:{info.port}/serviceusage/v1/projects/{PROJECT}"
            "/services/pubsub.googleapis.com:enable",
            headers=token,
            json={},
        ).raise_for_status()
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", f"127.0.0.1:{info.pubsub_port}")
        with pubsub_v1.SubscriberClient() as subscriber:
            publisher = pubsub_v1.PublisherClient()
            for topic in ("traces", "verified"):
                publisher.create_topic(name=f"projects/{PROJECT}/topics/{topic}")
            publisher.transport.close()
            subscriber.create_subscription(
                name=f"projects/{PROJECT}/subscriptions/traces-sub",
                topic=f"projects/{PROJECT}/topics/traces",
            )
        yield info
    finally:
        control.stop(data_dir)


def wait_until_ready(url: str) -> None:
    """Ask until the service is ready: each question waits for the one before."""
    for _ in range(200):
        if httpx.get(f"{url}/health/ready", timeout=20).status_code == httpx.codes.OK:
            return
    raise AssertionError(f"{url} did not become ready")


def test_a_trace_travels_from_publisher_to_verify_topic(
    cloud: CloudInfo,
    run_service: Callable,
    prove_tracer: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The demo's proof sees both hops, and leaves no subscription behind (1.6)."""
    monkeypatch.setattr(prove_tracer, "VERIFY_TOPIC", "verified")
    environ = {"PROJECT_ID": PROJECT, "PUBSUB_EMULATOR_HOST": os.environ["PUBSUB_EMULATOR_HOST"]}
    with (
        run_service("tracer-publisher", SERVICE_NAME="tracer-publisher", **environ) as publisher,
        run_service("tracer-subscriber", SERVICE_NAME="relay", **environ) as subscriber,
    ):
        urls = publisher.url(), subscriber.url()
        for url in urls:
            wait_until_ready(url)
        deployed = prove_tracer.Deployed(
            project_id=PROJECT,
            publisher_url=urls[0],
            pubsub_emulator_host=os.environ["PUBSUB_EMULATOR_HOST"],
            identity_token_url=f"http://127.0.0.1:{cloud.port}/_local/identity-token",
            token=cloud.deployer_token,
        )
        drawn = prove_tracer.prove(deployed, 20.0).splitlines()
        assert [line.split()[1] for line in drawn[1:]] == ["tracer-publisher", "relay", "verified"]
        with pubsub_v1.SubscriberClient() as client:
            left = client.list_subscriptions(project=f"projects/{PROJECT}")
            assert [item.name.rsplit("/", 1)[-1] for item in left] == ["traces-sub"]
        for service in (publisher, subscriber):
            service.process.send_signal(signal.SIGTERM)
            assert service.process.wait(timeout=5) == 0
