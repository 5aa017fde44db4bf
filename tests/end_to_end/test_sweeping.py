"""Environments for a time: taken down when it is over, never before, and no others."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from end_to_end.project import Rehearsal
from end_to_end.test_destroy import Cloud

from orchestration.environments import Environment
from orchestration.settings import Settings

pytestmark = pytest.mark.timeout(300)

QUICK = ("--propagation", "none")


def swept(rehearsal: Rehearsal, *words: str) -> tuple[int, dict[str, str]]:
    """Sweep one environment after another, and say what became of each."""
    code, outcomes = 0, {}
    for name in ("local", "pr-1"):
        if not (rehearsal.folder / f".conductor/{name}/environment.json").exists():
            continue
        done = rehearsal.run("sweep", "--json", *words, env=name)
        events: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
        code = max(code, done.returncode)
        outcomes |= {
            e["environment"]: e["outcome"] for e in events if e["event"] == "environment_swept"
        }
    return code, outcomes


def test_only_what_has_expired_is_destroyed(rehearsal: Rehearsal) -> None:
    """Step 7, item 5: for a time, renewed, told first, skipped when busy, killed, and done once."""
    rehearsal.without_preflight()
    assert rehearsal.up(*QUICK).returncode == 0
    pull = ("--target", "local", "--suffix", "pr-1", *QUICK)
    up = rehearsal.up(*pull, "--ttl", "3d", env="pr-1")
    assert up.returncode == 0, up.stdout + up.stderr
    expires_at = datetime.fromisoformat(rehearsal.status("pr-1")["expires_at"])
    assert timedelta(days=2, hours=23) < expires_at - datetime.now(UTC) < timedelta(days=3)
    assert rehearsal.status()["expires_at"] is None
    assert swept(rehearsal) == (0, {})

    environment = Environment("pr-1", Settings(rehearsal.folder))
    environment.expire_at(datetime.now(UTC))
    assert "has expired at" in rehearsal.run("status", env="pr-1").stdout
    assert swept(rehearsal, "--dry-run") == (0, {"pr-1": "would be destroyed"})
    with environment.locked("conductor up --env pr-1"):
        assert swept(rehearsal) == (3, {"pr-1": "busy"})
        assert swept(rehearsal, "--dry-run") == (3, {"pr-1": "busy"})

    rehearsal.kill_at("stack pr-1.director", "sweep", env="pr-1")
    done = rehearsal.run("sweep", env="pr-1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("pr-1 destroyed\n")
    assert set(map(tuple, Cloud(rehearsal, "pr-1").holdings().values())) == {()}
    assert swept(rehearsal) == (0, {})
    assert rehearsal.prove().returncode == 0


def test_a_protected_environment_is_skipped_whole(rehearsal: Rehearsal) -> None:
    """Nothing of it is destroyed, not even what could be."""
    rehearsal.without_preflight()
    file = rehearsal.architecture
    file.write_text(file.read_text().replace("\n    resources:\n", PROTECTED, 1))
    up = rehearsal.up("--ttl", "1ms", *QUICK)
    assert up.returncode == 0, up.stdout + up.stderr
    done = rehearsal.run("sweep")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "local protected: it holds Bucket" in done.stdout
    assert rehearsal.prove().returncode == 0


PROTECTED = """
    resources:
      gcs_buckets:
        - name: tracer-invoices
          teardown_protection: true
"""


@pytest.mark.parametrize("ttl", ["0s"])
def test_a_time_to_live_that_is_none_is_refused(rehearsal: Rehearsal, ttl: str) -> None:
    """Before the environment is made."""
    done = rehearsal.up("--ttl", ttl)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "is no time to live" in done.stderr
    assert not (rehearsal.folder / ".conductor").exists()
