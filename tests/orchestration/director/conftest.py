"""A real Pub/Sub of a local cloud with the director's topics and subscription."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from orchestration.environments import Environment
from orchestration.settings import Settings
from orchestration.targets.local import LocalTarget, stop_cloud_of

PROJECT = "local-proj"


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalTarget]:
    """A running local cloud without delays, with Pub/Sub enabled."""
    environment = Environment("local", Settings(tmp_path_factory.mktemp("director")))
    target = LocalTarget(environment, project_id=PROJECT, region="europe-west1", propagation="none")
    target.prepare()
    base = target.endpoints()["serviceusage"]
    enabled = httpx.post(
        f"{base}/projects/{PROJECT}/services/pubsub.googleapis.com:enable",
        headers={"Authorization": f"Bearer {target.access_token()}"},
    )
    assert enabled.is_success, enabled.text
    yield target
    stop_cloud_of(environment)


@pytest.fixture
def links(target: LocalTarget, request: pytest.FixtureRequest) -> dict[str, str]:
    """Topics and a subscription of this test's own, by what they are for."""
    name = "".join(c if c.isalnum() else "-" for c in request.node.name)[:60]
    paths = {
        "commands": f"projects/{PROJECT}/topics/c-{name}",
        "completions": f"projects/{PROJECT}/topics/r-{name}",
        "subscription": f"projects/{PROJECT}/subscriptions/s-{name}",
    }
    publisher, subscriber = target.publisher(), target.subscriber()
    publisher.create_topic(name=paths["commands"])
    publisher.create_topic(name=paths["completions"])
    subscriber.create_subscription(name=paths["subscription"], topic=paths["commands"])
    publisher.transport.close()
    subscriber.close()
    return paths


@pytest.fixture
def ledger_dir(tmp_path: Path) -> Path:
    """Where finished commands are kept."""
    return tmp_path / "ledger"
