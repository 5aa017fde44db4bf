"""`make coordination-demo`: document 004's scenarios on the deployed sample system."""

from __future__ import annotations

import subprocess
import sys

import pytest
from end_to_end.project import Rehearsal

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]


def test_the_demo_shows_all_three_scenarios_and_leaves_nothing_behind(rehearsal: Rehearsal) -> None:
    """Step 6, item 5: conflict, approval and failure, with what changed; all is taken back."""
    assert rehearsal.up("--propagation", "none").returncode == 0
    shown = subprocess.run(
        [sys.executable, str(rehearsal.folder / "testdata" / "coordination_demo.py")],
        env=rehearsal.environ(),
        cwd=rehearsal.folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    told = " ".join(shown.stdout.split())
    for said in (
        "conflict: Both recommendations affect resources: [services/tracer-subscriber]",
        "ada: Recommendation approved",
        "migrate_workload failed, then undone",
        "scale_resources rolled_back, then undone",
        "take_snapshot completed, then kept",
    ):
        assert said in told
    first, *_, last = [line for line in shown.stdout.splitlines() if "tracer-publisher  " in line]
    assert "europe-west1, 0 to 100 instances, processors by request" in first
    assert "europe-west1, 0 to 100 instances, processors by request" in last
    assert rehearsal.run("overrides", "list", "--json").stdout == ""
