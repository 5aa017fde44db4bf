"""An approved run does what its preview said, or nothing: on a whole rehearsal."""

from __future__ import annotations

import json
from typing import Any

import pytest
from end_to_end.project import Rehearsal

pytestmark = pytest.mark.timeout(300)

QUICK = ("--propagation", "none")


def previewed(rehearsal: Rehearsal, *words: str) -> dict[str, Any]:
    """Preview the sample, and read what was fingerprinted."""
    done = rehearsal.run("preview", str(rehearsal.architecture), "--format", "json", *words)
    assert done.returncode == 0, done.stderr
    review: dict[str, Any] = json.loads(done.stdout)
    return review


def test_only_what_was_approved_is_ever_done(rehearsal: Rehearsal) -> None:
    """Step 7, item 3: other sources stop it before anything is made; the same ones do not."""
    rehearsal.without_preflight()
    file = rehearsal.folder / "approved.json"
    review = previewed(rehearsal, "--out", str(file))
    assert json.loads(file.read_text()) == review
    program = rehearsal.services / "tracer-subscriber" / "main.py"
    good = program.read_text()
    program.write_text(good + "\n# Nobody has seen this line.\n")

    refused = rehearsal.up("--approved", review["fingerprint"], *QUICK)
    assert refused.returncode == 3, refused.stdout + refused.stderr
    assert "error[not-approved]" in refused.stderr
    assert "tracer-subscriber: its sources are not those that were approved" in refused.stderr
    assert rehearsal.status()["services"] == []

    program.write_text(good)
    done = rehearsal.up("--approved", str(file), *QUICK)
    assert done.returncode == 0, done.stdout + done.stderr
    assert rehearsal.prove().returncode == 0
    assert not (rehearsal.folder / ".conductor" / "local" / "plans").exists()

    # What was approved has been done: the same approval is for nothing else.
    again = rehearsal.up("--approved", review["fingerprint"], *QUICK)
    assert again.returncode == 3, again.stdout + again.stderr
    assert "approved, but not to be done any more" in again.stderr
    assert previewed(rehearsal)["fingerprint"] == previewed(rehearsal)["fingerprint"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--approved", "0" * 32), 3, "error[preview-unknown]"),
        (("--approved", "nowhere.json"), 2, "neither a fingerprint nor a file"),
        (("--approved", "0" * 32, "--only", "2"), 2, "cannot be had with --skip or --only"),
    ],
)
def test_an_approval_that_cannot_be_meant_is_refused(
    rehearsal: Rehearsal, words: tuple[str, ...], code: int, said: str
) -> None:
    """One line, before anything is begun."""
    done = rehearsal.up(*words, *QUICK)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stderr
