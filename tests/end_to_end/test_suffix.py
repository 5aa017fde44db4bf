"""A test run: the sample system under names of its own, beside the one it is a copy of."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from end_to_end.project import Rehearsal
from end_to_end.test_destroy import Cloud

pytestmark = pytest.mark.timeout(240)

KEPT = """
    lifecycle:
      strategy: ephemeral
      keep_resources_on_test: true
    services:
"""


LOCAL = """
deployment_environments:
  local:
    services:
      tracer-publisher: {environment_vars: {LEVEL: debug}}
  prod:
    services:
      tracer-publisher: {environment_vars: {LEVEL: warning}}
"""
PUBLISHER = "run/v2/projects/local-proj/locations/europe-west1/services/tracer-publisher-r1"


def test_a_test_run_has_its_own_names_and_keeps_what_it_is_told_to(rehearsal: Rehearsal) -> None:
    """Step 3, items 2 and 7: `--suffix`, `keep_resources_on_test`, an environment's overrides."""
    file = rehearsal.architecture
    file.write_text(file.read_text().replace("\n    services:\n", KEPT, 1) + LOCAL)
    up = rehearsal.up("--suffix", "r1", "--propagation", "none")
    assert up.returncode == 0, up.stdout + up.stderr
    cloud = Cloud(rehearsal)
    made = cloud.holdings()
    assert made["topics"] == [
        "command-topic-r1",
        "completion-topic-r1",
        "tracer-topic-r1",
        "verify-topic-r1",
    ]
    owned = [name for kind in LISTED for name in made[kind]]
    assert all(name.split("@")[0].endswith(("-r1", "_r1")) for name in owned), made

    (container,) = cloud.call("GET", PUBLISHER)["template"]["containers"]
    assert {"name": "LEVEL", "value": "debug"} in container["env"]

    preview = rehearsal.run("preview", str(file), "--detailed-exitcode")
    assert preview.returncode == 0, preview.stdout
    other = rehearsal.run("preview", str(file), "--suffix", "r2")
    assert (other.returncode, "holds suffix 'r1', not 'r2'" in other.stderr) == (3, True)
    assert rehearsal.run("destroy", "--yes", "--suffix", "r2").returncode == 3

    destroyed = rehearsal.run("destroy", "--yes", "--suffix", "r1")
    assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr
    assert "kept local.dataflow.tracer-flow" in destroyed.stdout
    left = cloud.holdings()
    assert left["topics"] == ["tracer-topic-r1", "verify-topic-r1"]
    assert left["subscriptions"] == ["tracer-sub-r1"]
    assert left["services"] == []

    again = rehearsal.up("--propagation", "none")
    assert again.returncode == 0, again.stdout + again.stderr
    assert cloud.holdings() == made
    record = json.loads((rehearsal.folder / ".conductor/local/environment.json").read_text())
    assert record["name_suffix"] == "r1"

    assert rehearsal.run("destroy", "--yes").returncode == 0
    empty_stack(rehearsal, "local.dataflow.tracer-flow")
    assert rehearsal.run("destroy", "--yes").returncode == 0
    assert not (rehearsal.folder / ".conductor/local/environment.json").exists()
    assert cloud.holdings()["topics"] == []


def empty_stack(rehearsal: Rehearsal, stack: str) -> None:
    """Destroy what one stack holds, as `conductor destroy` says how to."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "orchestration.cli.main"),
            *("pulumi", "destroy", "-s", stack, "--yes"),
        ],
        env=rehearsal.environ(),
        cwd=rehearsal.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


LISTED = ("topics", "subscriptions", "accounts", "services", "repositories", "roles")
