"""The sample system from its file to running services, and what a second look finds."""

from __future__ import annotations

import json

import pytest
from end_to_end.project import Rehearsal

pytestmark = pytest.mark.timeout(300)

SERVICES = {"servicedirector", "tracer-publisher", "tracer-subscriber"}
PHASES = [
    "Plan",
    "Prerequisites",
    "IAM",
    "Artifacts",
    "Images and director",
    "Foundational infrastructure",
    "Resource IAM",
    "Services",
]


def builds(rehearsal: Rehearsal) -> int:
    """Count the images that were pushed."""
    return sum(
        call["method"] == "registry PUT" and "/manifests/" in call["resource"]
        for call in rehearsal.calls()
    )


def check_what_is_shown(rehearsal: Rehearsal) -> None:
    """Compare `status` and `cloud status` with what was deployed."""
    status = rehearsal.status()
    assert {service["name"] for service in status["services"]} == SERVICES
    assert {service["state"] for service in status["services"]} == {"running"}
    assert rehearsal.run("status").returncode == 0
    assert rehearsal.run("cloud", "status").stdout.startswith("the local cloud of local runs")


def test_one_file_becomes_a_running_system_and_stays_one(rehearsal: Rehearsal) -> None:
    """0.1 to 0.12: up, proof, an up that changes nothing, one changed service, preview, status."""
    first = rehearsal.up()
    assert first.returncode == 0, first.stdout + first.stderr
    record = rehearsal.run_record()
    assert record["status"] == "succeeded"
    assert [phase["title"] for phase in record["phases"]] == PHASES
    assert {phase["status"] for phase in record["phases"]} == {"succeeded"}
    # The local cloud delays grants by 1 to 3 s: the waits have really waited.
    delays = [grant["delay_s"] for grant in record["state"]["grants"]]
    assert max(delays) >= 1.0
    assert all(name in first.stdout for name in SERVICES)
    assert "make stop" in first.stdout

    check_what_is_shown(rehearsal)
    for _ in range(2):
        proof = rehearsal.prove()
        assert proof.returncode == 0, proof.stdout + proof.stderr
        for hop in ("tracer-publisher", "tracer-subscriber", "verify-topic"):
            assert hop in proof.stdout

    revisions, built = rehearsal.revisions(), builds(rehearsal)
    assert built == len(SERVICES)
    again = rehearsal.up("--json")
    assert again.returncode == 0, again.stdout + again.stderr
    events = [json.loads(line) for line in again.stdout.splitlines()]
    assert events[-1]["event"] == "run_finished"
    assert [e["title"] for e in events if e["event"] == "phase_started"] == PHASES
    changed = [
        sum(n for op, n in stack["changes"].items() if op not in {"same", "read"})
        for part in ("accounts", "images", "director")
        for stack in [rehearsal.run_record()["state"][part]["stack"]]
    ]
    assert changed == [0, 0, 0]
    assert rehearsal.revisions() == revisions
    assert builds(rehearsal) == built

    unchanged = rehearsal.run("preview", str(rehearsal.architecture), "--detailed-exitcode")
    assert unchanged.returncode == 0, unchanged.stdout + unchanged.stderr
    assert "\nno changes\n" in unchanged.stdout

    source = rehearsal.services / "tracer-publisher" / "main.py"
    source.write_text(source.read_text() + "\n# A new line.\n")
    words = ("--detailed-exitcode", "--json")
    expected = rehearsal.run("preview", str(rehearsal.architecture), *words)
    assert expected.returncode == 10, expected.stdout + expected.stderr
    changes = [c for s in json.loads(expected.stdout)["stacks"] for c in s["changes"]]
    assert {change["name"] for change in changes} == {"tracer-publisher"}
    changed_up = rehearsal.up()
    assert changed_up.returncode == 0, changed_up.stdout + changed_up.stderr
    assert builds(rehearsal) == built + 1
    after = rehearsal.revisions()
    assert {name for name in SERVICES if after[name] != revisions[name]} == {"tracer-publisher"}

    stopped = rehearsal.run("cloud", "stop")
    assert "stopped the local cloud" in stopped.stdout
    assert rehearsal.status()["cloud"] == {"running": False}
    started = rehearsal.run("cloud", "start")
    assert started.returncode == 0, started.stderr
    back = rehearsal.prove()
    assert back.returncode == 0, back.stdout + back.stderr


def test_a_failing_pre_flight_test_leaves_the_cloud_untouched(rehearsal: Rehearsal) -> None:
    """1.3: the run fails, naming the service, and not one call has reached a cloud."""
    test = rehearsal.services / "tracer-publisher" / "preflight_test.py"
    kept = test.read_text()
    test.write_text("def test_names():\n    assert False, 'no such topic'\n")
    done = rehearsal.up()
    assert done.returncode == 1
    assert "error[preflight-failed]" in done.stderr
    assert "tracer-publisher" in done.stderr
    assert "tracer-subscriber" not in done.stderr
    assert "no such topic" in done.stderr
    assert "hint:" in done.stderr
    assert rehearsal.calls() == []
    test.write_text(kept)
    assert rehearsal.status()["run"]["error"]["code"] == "preflight-failed"


def test_two_broken_builds_are_both_named_and_the_third_is_kept(rehearsal: Rehearsal) -> None:
    """2.3, 2.5: all errors of phase 4 in one message; the next up converges."""
    kept = {}
    for name in ("tracer-publisher", "tracer-subscriber"):
        source = rehearsal.services / name / "main.py"
        kept[source] = source.read_text()
        source.write_text("def broken(:\n")
        (rehearsal.services / name / "preflight_test.py").unlink()
    done = rehearsal.up("--propagation", "none", "--on-failure", "keep")
    assert done.returncode == 1, done.stdout
    assert "error[build-failed]: 2 of 2 images were not built" in done.stderr
    assert "tracer-publisher, tracer-subscriber" in done.stderr
    assert "main.py" in done.stderr
    assert "has no pre-flight test" in done.stdout
    record = rehearsal.run_record()
    # The director's image, the third one, was built and deployed beside them.
    assert record["state"]["director"]["url"]
    assert builds(rehearsal) == 1
    for source, text in kept.items():
        source.write_text(text)
    mended = rehearsal.up("--propagation", "none")
    assert mended.returncode == 0, mended.stdout + mended.stderr
    assert rehearsal.prove().returncode == 0


def test_a_silent_director_is_waited_for_and_named(rehearsal: Rehearsal) -> None:
    """0.10: a bounded wait, a clear error with exit 1, and the next up converges."""
    folder = rehearsal.services / "servicedirector"
    kept = (folder / "main.py").read_text()
    (folder / "main.py").write_text(
        "import http.server, os\n"
        "class Ok(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        self.send_response(200); self.end_headers()\n"
        "http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), Ok).serve_forever()\n"
    )
    keep = ("--on-failure", "keep")
    done = rehearsal.up("--propagation", "none", "--director-timeout", "2", *keep)
    assert done.returncode == 1, done.stdout
    assert "error[director-silent]" in done.stderr
    assert "tracer-flow within 2 s" in done.stderr
    assert "hint:" in done.stderr
    (folder / "main.py").write_text(kept)
    mended = rehearsal.up("--propagation", "none")
    assert mended.returncode == 0, mended.stdout + mended.stderr
    assert rehearsal.prove().returncode == 0


def test_a_bad_file_is_told_with_its_place(rehearsal: Rehearsal) -> None:
    """Step 1, item 4: file:line:column, what is wrong, what to do; exit 2, nothing made."""
    text = rehearsal.architecture.read_text()
    rehearsal.architecture.write_text(text.replace("producer_service:", "producer_servise:", 1))
    line = next(
        number
        for number, content in enumerate(rehearsal.architecture.read_text().splitlines(), 1)
        if "producer_servise" in content
    )
    done = rehearsal.up()
    assert done.returncode == 2
    assert f"tracer.yaml:{line}:" in done.stderr
    assert "producer_service" in done.stderr
    assert "error[architecture-invalid]" in done.stderr
    assert not (rehearsal.folder / ".conductor").exists()
