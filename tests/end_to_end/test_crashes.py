"""A conductor that is killed at any moment: the next `up` goes on from what it left."""

from __future__ import annotations

import pytest
from end_to_end.project import Rehearsal

pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize(
    "line",
    [
        "[2]   + gcp:serviceaccount/account:Account",
        "[4]   + gcp:pubsub/topic:Topic",
    ],
)
def test_the_next_up_goes_on_from_a_killed_run(rehearsal: Rehearsal, line: str) -> None:
    """Fault cases 2, 4, 6: no lock to clear by hand, nothing made twice, the system works."""
    rehearsal.kill_at(line, "up", str(rehearsal.architecture), "--propagation", "none")
    assert rehearsal.status()["run"]["status"] == "died"
    done = rehearsal.up("--propagation", "none")
    assert done.returncode == 0, done.stdout + done.stderr
    proof = rehearsal.prove()
    assert proof.returncode == 0, proof.stdout + proof.stderr
    conflicts = [call for call in rehearsal.calls() if call["code"] >= 500]
    assert conflicts == []
    again = rehearsal.run("preview", str(rehearsal.architecture), "--detailed-exitcode")
    assert again.returncode == 0, again.stdout + again.stderr
