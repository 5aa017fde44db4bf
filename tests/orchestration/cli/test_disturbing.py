"""`conductor cloud faults` and `conductor cloud log` on a real local cloud."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner, Result

from orchestration.cli.main import app

RULES = """
seed: 7
rules:
  - {match: {method: cloudbilling.projects.getBillingInfo}, nth: [1], reply: {preset: UNAVAILABLE}}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project folder of this test's own; a local cloud that it starts is stopped."""
    (tmp_path / "Pulumi.yaml").write_text("name: conductor\nruntime: python\n")
    monkeypatch.setenv("CONDUCTOR_PROJECT_DIR", str(tmp_path))
    yield tmp_path
    run("stop")


def run(*words: str) -> Result:
    """Run a `conductor cloud` command on the local environment."""
    return CliRunner().invoke(app, ["cloud", *words, "--env", "local"])


def billing(project: Path) -> int:
    """Ask for the billing info; return the status."""
    info = json.loads((project / ".conductor" / "local" / "cloud" / "cloud.json").read_text())
    url = f"http://127.0.0.1:{info['port']}/cloudbilling/v1/projects/local-proj/billingInfo"
    headers = {"Authorization": f"Bearer {info['deployer_token']}"}
    return httpx.get(url, headers=headers, trust_env=False).status_code


def test_faults_are_set_seen_and_cleared(project: Path) -> None:
    """A rule is in force from `set` to `clear`; the log shows the call that it hit."""
    assert run("start").exit_code == 0
    assert "no fault rules" in run("faults", "show").output
    file = project / "faults.yaml"
    file.write_text(RULES)
    assert run("faults", "set", str(file)).exit_code == 0
    assert [billing(project), billing(project)] == [503, 200]
    (rule,) = json.loads(run("faults", "show", "--json").output)["rules"]
    assert (rule["does"], rule["matched"], rule["injected"]) == ("reply UNAVAILABLE before", 2, 1)
    assert "reply UNAVAILABLE before" in run("faults", "show").output
    assert "no fault rules" in run("faults", "clear").output
    called = run("log", "--method", "cloudbilling.*", "--json").output.splitlines()
    codes = [(json.loads(line)["code"], json.loads(line)["fault"]) for line in called]
    assert codes == [(503, "reply UNAVAILABLE before"), (200, "")]
    failed = run("log", "--failed", "--principal", "user:developer@*")
    assert "cloudbilling.projects.getBillingInfo" in failed.output
    assert "allowed" not in failed.output
    # The log outlives its cloud.
    run("stop")
    assert "user:developer@local.test" in run("log").output


@pytest.mark.parametrize(
    ("content", "said"), [(None, "cannot be read"), ("rules: [", "is no YAML")]
)
def test_a_file_that_cannot_be_understood_is_refused(
    project: Path, content: str | None, said: str
) -> None:
    """Exit 2 with one line, before any cloud is asked."""
    file = project / "faults.yaml"
    if content is not None:
        file.write_text(content)
    expect_refused(file, said)


def test_rules_that_make_no_sense_are_refused(project: Path) -> None:
    """Exit 2, with what is wrong and where."""
    assert run("start").exit_code == 0
    file = project / "faults.yaml"
    for content, said in (
        ("rules: [{match: {verb: GET}}]", "rules.0.match.verb"),
        ("- 1", "Invalid fault rules"),
        ("", "Invalid fault rules"),
    ):
        file.write_text(content)
        expect_refused(file, said)


def expect_refused(file: Path, said: str) -> None:
    """Set faults from a file that does not do."""
    done = run("faults", "set", str(file))
    assert done.exit_code == 2
    assert said in done.output
    assert "Traceback" not in done.output


def test_a_cloud_that_does_not_run_has_no_faults(project: Path) -> None:
    """The error says how to start it; the log of nothing is empty."""
    del project
    done = run("faults", "show")
    assert done.exit_code == 1
    assert "conductor cloud start --env local" in done.output
    assert "no such call" in run("log").output
