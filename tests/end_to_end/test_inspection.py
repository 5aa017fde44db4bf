"""Looking at an environment: what drifted, which runs there were, what one of them did."""

from __future__ import annotations

import json
import subprocess
import sys

import httpx
import pytest
from end_to_end.project import Rehearsal

pytestmark = pytest.mark.timeout(240)


def conductor(rehearsal: Rehearsal, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command that takes no `--env`."""
    return subprocess.run(
        [sys.executable, "-m", "orchestration.cli.main", *words],
        env=rehearsal.environ(),
        cwd=rehearsal.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_what_others_have_changed_is_shown_and_repaired(rehearsal: Rehearsal) -> None:
    """Step 4, item 7: `drift` gives 10 and names it; `runs` and `report` tell what happened."""
    assert rehearsal.up("--propagation", "none").returncode == 0
    clean = rehearsal.run("drift")
    assert clean.returncode == 0, clean.stdout + clean.stderr
    cloud = json.loads((rehearsal.folder / ".conductor/local/cloud/cloud.json").read_text())
    gone = httpx.delete(
        f"http://127.0.0.1:{cloud['port']}/pubsub/v1/projects/local-proj/topics/verify-topic",
        headers={"Authorization": f"Bearer {cloud['deployer_token']}"},
    )
    assert gone.is_success
    calls = len(rehearsal.calls())
    drifted = rehearsal.run("drift", "--json")
    assert drifted.returncode == 10, drifted.stdout + drifted.stderr
    found = [json.loads(line) for line in drifted.stdout.splitlines()]
    lost = [r["name"] for stack in found for r in stack["resources"] if r["gone"]]
    assert "verify-topic" in lost
    new = rehearsal.calls()[calls:]
    assert {call["code"] for call in new} <= {200, 404}
    assert not [call for call in new if call["method"].endswith((".create", ".patch", ".delete"))]

    assert rehearsal.up("--propagation", "none").returncode == 0
    listed = json.loads(rehearsal.run("runs", "--json").stdout)["runs"]
    assert [run["status"] for run in listed] == ["succeeded", "succeeded"]
    assert [run["is_live_release"] for run in listed] == [True, False]

    newest = listed[0]["run_id"]
    report = json.loads(conductor(rehearsal, "report", newest).stdout)
    assert [step["status"] for step in report["steps"]] == ["succeeded"] * 8
    out = rehearsal.folder / "report.html"
    assert conductor(rehearsal, "report", newest, "--out", str(out)).returncode == 0
    assert "Timeline" in out.read_text()
    assert conductor(rehearsal, "report", "nope").returncode == 2
