"""What a reviewer is shown, and what stands between a review and a run: on whole rehearsals."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from end_to_end.project import Rehearsal

from orchestration.review.comment import to_comment
from orchestration.review.markdown import to_markdown
from orchestration.review.page import to_html
from orchestration.review.store import read_review

pytestmark = pytest.mark.timeout(240)

VALUE = "a-value-that-nobody-may-see"
SECRET = "every-kind-db-password"


def every_kind(rehearsal: Rehearsal) -> Path:
    """Name the sample with every kind of resource, whose secret is made."""
    value = rehearsal.folder / "value"
    value.write_text(VALUE)
    words = ("secrets", "set", SECRET, "--project", "local-proj", "--from-file", str(value))
    done = rehearsal.run(*words)
    assert done.returncode == 0, done.stderr
    return rehearsal.folder / "testdata" / "architectures" / "every-kind.yaml"


def previewed(
    rehearsal: Rehearsal, architecture: Path, *words: str
) -> subprocess.CompletedProcess[str]:
    """Preview an architecture."""
    done = rehearsal.run("preview", str(architecture), "--placeholders", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_the_same_system_has_the_same_fingerprint_in_another_folder(
    rehearsal: Rehearsal, tmp_path: Path
) -> None:
    """A pipeline previews in one checkout and deploys in another: paths and ports do not count."""
    elsewhere = tmp_path / "another" / "checkout"
    elsewhere.mkdir(parents=True)
    other = Rehearsal(elsewhere)
    try:
        here, there = (
            json.loads(previewed(one, every_kind(one), "--format", "json").stdout)
            for one in (rehearsal, other)
        )
    finally:
        other.run("cloud", "stop")
    assert here == there
    assert str(rehearsal.folder) not in json.dumps(here)
    assert VALUE not in json.dumps(here)


def test_what_a_policy_denies_is_shown_and_never_applied(rehearsal: Rehearsal) -> None:
    """A primitive role: every format has the verdict, and `up` stops before anything is made."""
    rehearsal.without_preflight()
    document = yaml.safe_load(rehearsal.architecture.read_text())
    flow = next(flow for flow in document["dataflows"].values() if flow.get("resources"))
    topic, service = flow["resources"]["topics"][0], next(iter(flow["services"]))
    topic["iam_access_policy"] = [{"name": service, "role": "roles/editor"}]
    rehearsal.architecture.write_text(yaml.safe_dump(document, sort_keys=False))

    refused = rehearsal.up("--propagation", "none")
    assert refused.returncode == 3, refused.stdout + refused.stderr
    assert "error[policy-denied]" in refused.stderr
    assert "grants roles/editor to serviceAccount:" in refused.stderr
    assert "[primitive-roles, local.dataflow." in refused.stderr
    assert rehearsal.status()["services"] == []
    assert not list((rehearsal.folder / ".conductor" / "local" / "state").rglob("stacks/*/*.json"))

    file = rehearsal.folder / "review.json"
    text = previewed(rehearsal, rehearsal.architecture, "--out", str(file)).stdout
    review = read_review(file)
    for written in (text, to_markdown(review), to_comment(review), to_html(review)):
        assert "denied" in written
        assert "grants roles/editor to serviceAccount:" in " ".join(written.split())
    (found,) = (one for one in review.policies if one.stops)
    assert found.rule == "primitive-roles"
    assert any(one.flags == ("primitive",) for one in review.access)
