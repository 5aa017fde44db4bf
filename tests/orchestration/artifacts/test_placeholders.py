"""Placeholders: where sources are missing, marked, and of use."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from architecture.hydration import hydrate
from architecture.loading import loads
from architecture.model import Architecture
from orchestration.artifacts.placeholders import (
    placeholder_warnings,
    placeholders_of,
    with_placeholders,
    write_placeholders,
)

PARTS = ("__init__", "google", "grants", "links", "log", "service")
TEXT = """
name: shop
project_id: shop-project
region: europe-west1
service_manager_spec:
  name: director
  service_account: director-sa
  deployment: {source_path: missing}
  command_topic: {name: commands}
  completion_topic: {name: completions}
dataflows:
  orders:
    services:
      front:
        service_account: front-sa
        deployment: {source_path: front, config_templates: {a.yaml: b.yaml}}
      back:
        service_account: back-sa
        deployment: {source_path: missing/back, config_templates: {a.yaml: b.yaml}}
      marked:
        service_account: back-sa
        deployment: {source_path: front}
        metadata: {placeholder: true}
      silent: {service_account: back-sa}
    resources:
      topics:
        - {name: orders, producer_service: {name: back, lookup: {key: ORDERS, method: env}}}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Architecture:
    """An architecture of which only one source folder exists."""
    (tmp_path / "front").mkdir()
    (tmp_path / "front" / "main.py").write_text("print('mine')\n")
    return hydrate(loads(TEXT, tmp_path / "shop.yaml").architecture, base_dir=tmp_path)


def test_only_services_without_sources_are_stood_in_for(tmp_path: Path, shop: Architecture) -> None:
    """What has sources stays as it is, whatever it says of itself; nothing is overwritten."""
    folder = tmp_path / "placeholders"
    done = with_placeholders(shop, folder)
    assert placeholders_of(done, folder) == {"director", "back"}
    assert done.service("front") == shop.service("front")
    back = done.service("back")
    assert back.metadata == {"placeholder": True}
    assert back.deployment is not None
    assert back.deployment.config_templates == {}
    write_placeholders(done, folder)
    assert (tmp_path / "front" / "main.py").read_text() == "print('mine')\n"
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")} == {
        "director/main.py",
        "back/main.py",
        "back/links.json",
        *(f"back/placeholder/{part}.py" for part in PARTS),
    }
    assert "orchestration.director.main" in (folder / "director" / "main.py").read_text()
    # All links, whatever way the missing program would have found them.
    assert json.loads((folder / "back" / "links.json").read_text()) == {
        "service": "back",
        "links": [{"kind": "topics", "name": "orders", "direction": "produces"}],
        "grants": [
            {"role": "roles/pubsub.publisher", "kind": "topic", "name": "orders"},
            {"role": "roles/pubsub.viewer", "kind": "topic", "name": "orders"},
        ],
    }


def test_a_run_says_who_is_only_a_placeholder(tmp_path: Path, shop: Architecture) -> None:
    """Each by name; without placeholders there is nothing to say."""
    folder = tmp_path / "placeholders"
    warnings = list(placeholder_warnings(with_placeholders(shop, folder), folder))
    assert [warning.partition(":")[0] for warning in warnings] == [
        "service back",
        "service director",
    ]
    assert list(placeholder_warnings(shop, folder)) == []


def test_a_placeholder_is_healthy_marked_and_ends_when_told(
    tmp_path: Path, shop: Architecture
) -> None:
    """Any health route answers 200; every answer says what it is; SIGTERM ends it with 0."""
    folder = tmp_path / "placeholders"
    write_placeholders(with_placeholders(shop, folder), folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, str(folder / "back" / "main.py")],
        # Nothing listens there: links cannot work, and are said not to.
        env={
            **os.environ,
            "PORT": str(port),
            "PROJECT_ID": "p",
            "GCE_METADATA_HOST": "127.0.0.1:1",
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        answer = _when_serving(f"http://127.0.0.1:{port}/any/health")
        assert answer.headers["X-Conductor-Placeholder"] == "back"
        assert answer.json()["placeholder"] is True
        (link,) = httpx.get(f"http://127.0.0.1:{port}/links").json()["links"]
        assert link["works"] is False
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        assert process.stdout is not None
        said = process.stdout.read()
        process.stdout.close()
        process.wait()
    assert "back is a placeholder" in said


def _when_serving(url: str) -> httpx.Response:
    """Ask until something listens."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return httpx.get(url)
        except httpx.ConnectError:
            assert time.monotonic() < deadline, "it never listened"
            threading.Event().wait(0.05)
