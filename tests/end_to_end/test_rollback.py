"""Rollback for real: what failed or is unwanted is taken back, on a whole rehearsal."""

from __future__ import annotations

import signal
from typing import Any

import pytest
from end_to_end.project import Rehearsal

pytestmark = pytest.mark.timeout(400)

QUICK = ("--propagation", "none")


def break_subscriber(rehearsal: Rehearsal) -> str:
    """Have a service pass its pre-flight tests and fail on Cloud Run; give its good source."""
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
    return good


def services(rehearsal: Rehearsal) -> dict[str, Any]:
    """Read what `status` says of services."""
    return {item["name"]: item["state"] for item in rehearsal.status()["services"]}


def test_a_failed_first_run_leaves_nothing(rehearsal: Rehearsal) -> None:
    """Step 4, item 6: exit 4, every stack gone; the next `up` deploys as if nothing had been."""
    good = break_subscriber(rehearsal)
    failed = rehearsal.up(*QUICK)
    assert failed.returncode == 4, failed.stdout + failed.stderr
    assert "error[rolled-back]" in failed.stderr
    assert "rolled back to nothing" in failed.stderr
    assert services(rehearsal) == {}
    assert rehearsal.status()["cloud"]["services"] == []
    (rehearsal.services / "tracer-subscriber" / "main.py").write_text(good)
    assert rehearsal.up(*QUICK).returncode == 0
    assert rehearsal.prove().returncode == 0


def test_a_failed_change_leaves_the_old_release(rehearsal: Rehearsal) -> None:
    """Step 4, item 6: killed while it rolls back, it goes on; then the old system works again."""
    assert rehearsal.up(*QUICK).returncode == 0
    preview = rehearsal.run("preview", str(rehearsal.architecture), "--json")
    good = break_subscriber(rehearsal)
    text = rehearsal.architecture.read_text()
    rehearsal.architecture.write_text(
        text.replace("name: tracer\n", "name: tracer\nlabels:\n  tried: 'yes'\n", 1)
    )
    rehearsal.kill_at("undone: restore local.images", "up", str(rehearsal.architecture), *QUICK)
    resumed = rehearsal.up(*QUICK)
    assert resumed.returncode == 4, resumed.stdout + resumed.stderr
    assert "rolled back to release" in resumed.stderr
    assert "undone: restore local.dataflow.tracer-flow by the director" in resumed.stdout
    assert rehearsal.prove().returncode == 0
    (rehearsal.services / "tracer-subscriber" / "main.py").write_text(good)
    rehearsal.architecture.write_text(text)
    again = rehearsal.run("preview", str(rehearsal.architecture), "--detailed-exitcode")
    assert again.returncode == 0, again.stdout + preview.stdout
    assert set(services(rehearsal).values()) == {"running"}


def test_an_earlier_release_comes_back_by_command(rehearsal: Rehearsal) -> None:
    """Step 4, item 6: what it did not have goes, what it had returns; the next `up` converges."""
    assert rehearsal.up(*QUICK).returncode == 0
    first = rehearsal.run_record()["run_id"]
    before = rehearsal.architecture.read_text()
    rehearsal.architecture.write_text(
        before.replace("name: tracer\n", "name: tracer\nlabels:\n  release: two\n", 1)
    )
    changed = rehearsal.up(*QUICK)
    assert changed.returncode == 0, changed.stdout + changed.stderr
    unasked = rehearsal.run("rollback")
    assert unasked.returncode == 2
    assert "add --yes" in unasked.stderr
    killed = rehearsal.signal_at(
        signal.SIGKILL, "undone: restore local.director", "rollback", "--yes"
    )
    assert killed.returncode == -signal.SIGKILL
    blocked = rehearsal.up(*QUICK)
    assert blocked.returncode == 3, blocked.stdout + blocked.stderr
    assert "has died unfinished" in blocked.stderr
    done = rehearsal.run("rollback", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"back at release {first}" in done.stdout
    assert rehearsal.prove().returncode == 0
    rehearsal.architecture.write_text(before)
    same = rehearsal.run("preview", str(rehearsal.architecture), "--detailed-exitcode")
    assert same.returncode == 0, same.stdout
    unknown = rehearsal.run("rollback", "--to", "nope", "--yes")
    assert unknown.returncode == 2
    assert first in unknown.stderr
