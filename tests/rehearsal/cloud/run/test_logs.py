"""Logs are kept per revision and instance, bounded, and readable on their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rehearsal.cloud.run import logs
from rehearsal.cloud.run.logs import InstanceOutput, Logs, RevisionLog

Expect = Callable[..., Any]


def texts(log: RevisionLog, instance: str = "") -> list[str]:
    """Return what a log says."""
    return [line.text for line in log.lines(instance)]


def test_output_becomes_lines_of_its_instance(tmp_path: Path) -> None:
    """Pieces are joined, lines told apart by instance, and last words kept."""
    log = Logs(tmp_path).of("europe-west1", "worker", "worker-00001-abc")
    one, other = InstanceOutput(log, "one"), InstanceOutput(log, "other")
    one.feed(b"fir")
    other.feed(b"in between\r\n")
    one.feed(b"st\n\nlast \xff words")
    one.end()
    other.end()
    assert texts(log) == ["in between", "first", "", "last \ufffd words"]
    assert texts(log, "one") == ["first", "", "last \ufffd words"]
    assert {line.instance for line in log.lines()} == {"one", "other"}


def test_an_endless_line_is_cut(tmp_path: Path) -> None:
    """What never ends a line takes no more memory than a line may have."""
    log = RevisionLog(tmp_path / "r.log")
    output = InstanceOutput(log, "one")
    for _ in range(3):
        output.feed(b"x" * 50_000)
    assert [len(text) for text in texts(log)] == [64 * 1024]


def test_a_log_never_grows_beyond_its_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest half goes when the log is full; the newest lines are always there."""
    monkeypatch.setattr(logs, "_FILE_BYTES", 4096)
    log = RevisionLog(tmp_path / "r.log")
    for number in range(1000):
        log.write("one", f"line {number}")
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 2 * 4096 + 100
    kept = texts(log)
    assert kept == [f"line {number}" for number in range(1000 - len(kept), 1000)]
    assert len(kept) > 80


def test_a_service_keeps_the_logs_of_its_latest_revisions(tmp_path: Path) -> None:
    """Logs of revisions long gone go as new ones come."""
    every = Logs(tmp_path)
    for number in range(30):
        every.of("europe-west1", "worker", f"worker-{number:05d}").write("one", "here")
    assert len(list((tmp_path / "europe-west1" / "worker").glob("*.log"))) == 20
    assert every.find("worker", "worker-00029") is not None
    assert every.find("other", "worker-00029") is None
    assert every.latest("other") is None


def test_each_revision_has_a_log_of_its_own(run: Any, echo: str, expect: Expect) -> None:
    """The route tells the latest revision's lines, others by name, and whose each line is."""
    first = run.create("worker", run.template(echo))["response"]
    second = run.patch("worker", run.template(echo, env=[{"name": "X", "value": "2"}]))["response"]
    old, new = (one["latestReadyRevision"].rpartition("/")[2] for one in (first, second))
    get = run.client.get
    assert f"hello from {new}" in get("/_local/logs/worker").text
    assert f"hello from {old}" not in get("/_local/logs/worker").text
    assert f"hello from {old}" in get("/_local/logs/worker", params={"revision": old}).text
    lines = expect(get("/_local/logs/worker", params={"format": "json"}))["lines"]
    assert {line["revision"] for line in lines} == {new}
    (instance,) = {line["instance"] for line in lines if line["text"] == f"hello from {new}"}
    (running,) = expect(get("/_local/services"))["services"][0]["instances"]
    assert running["instance"] == instance
    only = {"instance": instance, "lines": "1"}
    assert len(get("/_local/logs/worker", params=only).text.splitlines()) == 1
    expect(get("/_local/logs/worker", params={"revision": "worker-00009-zzz"}), 404)
    expect(get("/_local/logs/worker", params={"lines": "many"}), 400)
    expect(get("/_local/logs/..%2F*"), 404)


def test_the_log_outlives_the_service(run: Any, echo: str) -> None:
    """Who wants to know why something was rolled back still finds its words."""
    run.create("worker", run.template(echo))
    run.delete("worker")
    assert "hello from worker-00001" in run.client.get("/_local/logs/worker").text
