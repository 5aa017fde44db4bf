"""What goes wrong on the way: one clear line each, the documented exit code, nothing lost."""

from __future__ import annotations

import signal
import socket
from itertools import cycle
from pathlib import Path

import pytest
from end_to_end.killing import kill_cloud
from end_to_end.project import Rehearsal

pytestmark = pytest.mark.timeout(400)


def last_error(stderr: str) -> str:
    """Find the one line that says what went wrong."""
    (line,) = [line for line in stderr.splitlines() if line.startswith("error[")]
    return line


def test_a_service_that_does_not_start_is_told_with_its_log(rehearsal: Rehearsal) -> None:
    """Step 2, item 5: its last log lines; the others are up, and the next `up` finishes."""
    program = rehearsal.services / "tracer-subscriber" / "main.py"
    good = program.read_text()
    program.write_text(
        good.replace(
            'if __name__ == "__main__":',
            'if __name__ == "__main__" and "K_SERVICE" in __import__("os").environ:\n'
            '    raise SystemExit("no database")\n'
            'if __name__ == "__main__":',
        )
    )
    failed = rehearsal.up("--propagation", "none", "--on-failure", "keep")
    assert failed.returncode == 1, failed.stdout + failed.stderr
    assert "no database" in failed.stderr
    assert "tracer-subscriber" in last_error(failed.stderr)
    program.write_text(good)
    done = rehearsal.up("--propagation", "none")
    assert done.returncode == 0, done.stdout + done.stderr
    assert rehearsal.prove().returncode == 0


def test_a_run_that_is_told_to_stop_says_what_is_up(rehearsal: Rehearsal) -> None:
    """Step 2, item 5: Ctrl-C or SIGTERM in any phase ends with 130; the next `up` converges."""
    up = ["up", str(rehearsal.architecture)]
    stops = [
        ("[0] Plan", "up: nothing"),
        ("[2] IAM", "up: "),
        ("[3] Artifacts", "up: local.foundation ("),
        ("[4] Images", "local.foundation ("),
        ("[5] command dataflow-setup", "local.director ("),
        ("[6] Resource IAM", "local.dataflow.tracer-flow ("),
        ("[7]   + gcp:cloudrunv2/service", "local.services.tracer-flow ("),
    ]
    for (line, said), number in zip(stops, cycle([signal.SIGINT, signal.SIGTERM]), strict=False):
        if line.startswith("[7]"):
            # Without it, on a busy machine, a run can be over before the signal reaches it.
            slow = {"match": {"method": "run.projects.locations.services.create"}, "delay": "5s"}
            rehearsal.disturb({**slow, "nth": [2]})
        stopped = rehearsal.signal_at(number, line, *up)
        assert stopped.returncode == 130, (line, stopped.stderr)
        error = last_error(stopped.stderr)
        assert error.startswith("error[interrupted]: run ")
        assert said in error
        assert rehearsal.run_record()["status"] == "interrupted"
    rehearsal.disturb()
    done = rehearsal.up("--propagation", "none")
    assert done.returncode == 0, done.stdout + done.stderr
    assert rehearsal.prove().returncode == 0


def test_a_local_cloud_that_dies_loses_nothing(rehearsal: Rehearsal) -> None:
    """Step 2, item 5: during a run one clear line; afterwards, and between runs, `up` goes on."""
    up = ["up", str(rehearsal.architecture), "--propagation", "none"]
    failed = rehearsal.at("[6] Resource IAM", lambda: kill_cloud(rehearsal), *up)
    assert failed.returncode == 1, failed.stdout + failed.stderr
    assert "error[cloud-unreachable]" in last_error(failed.stderr)
    assert rehearsal.up("--propagation", "none").returncode == 0
    revisions = rehearsal.revisions()
    kill_cloud(rehearsal)
    done = rehearsal.up("--propagation", "none")
    assert done.returncode == 0, done.stdout + done.stderr
    assert ": 0 changes in 5 stacks" in done.stdout
    assert rehearsal.revisions() == revisions
    assert rehearsal.prove().returncode == 0


def test_a_taken_port_is_named(rehearsal: Rehearsal) -> None:
    """Step 2, item 5: exit 3, which port, how to find who has it; later all is as before."""
    assert rehearsal.run("cloud", "start").returncode == 0
    assert rehearsal.run("cloud", "stop").returncode == 0
    port = rehearsal.cloud_record()["port"]
    with socket.create_server(("127.0.0.1", int(str(port)))):
        for words in (["cloud", "start"], ["up", str(rehearsal.architecture)]):
            refused = rehearsal.run(*words)
            assert refused.returncode == 3, refused.stdout + refused.stderr
            assert f"error[port-taken]: port {port}" in last_error(refused.stderr)
            assert f"ss -ltnp 'sport = :{port}'" in refused.stderr
    assert rehearsal.run("cloud", "start").returncode == 0
    assert rehearsal.cloud_record()["port"] == port


def test_another_architecture_is_refused(rehearsal: Rehearsal, tmp_path: Path) -> None:
    """Step 2, item 5: exit 3, and the environment stays what it is."""
    assert rehearsal.run("preview", str(rehearsal.architecture)).returncode == 0
    other = tmp_path / "testdata" / "architectures" / "other.yaml"
    other.write_text(rehearsal.architecture.read_text().replace("name: tracer", "name: other", 1))
    refused = rehearsal.run("up", str(other))
    assert refused.returncode == 3, refused.stdout + refused.stderr
    assert "error[environment-mismatch]" in last_error(refused.stderr)
    assert rehearsal.status()["architecture"] != "other"
