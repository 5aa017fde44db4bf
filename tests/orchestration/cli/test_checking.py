"""`conductor check`: findings for people, programs and code hosts."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from orchestration.cli.main import app

ROOT = Path(__file__).parents[3]
WRONG = ROOT / "tests" / "architecture" / "golden" / "wrong.yaml"
SAMPLE = ROOT / "testdata" / "architectures" / "tracer.yaml"
# What a consumer of SARIF 2.1.0 relies on; the whole schema is not ours to copy.
SARIF_SHAPE = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "results": {
                        "items": {
                            "type": "object",
                            "required": ["ruleId", "level", "message", "locations"],
                            "properties": {
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "ruleIndex": {"type": "integer", "minimum": 0},
                                "message": {"required": ["text"]},
                                "locations": {"minItems": 1},
                            },
                        }
                    }
                },
            },
        },
    },
}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder of this test's own."""
    (tmp_path / "Pulumi.yaml").write_text("name: conductor\nruntime: python\n")
    monkeypatch.setenv("CONDUCTOR_PROJECT_DIR", str(tmp_path))
    return tmp_path


def check(*words: str) -> tuple[int, str]:
    """Run the command; give its code and what it printed."""
    done = CliRunner().invoke(app, ["check", *words])
    return done.exit_code, done.stdout


def test_a_right_file_has_nothing_to_tell(project: Path) -> None:
    """Exit 0, and no environment is made."""
    assert check(str(SAMPLE)) == (0, f"{SAMPLE}: nothing found\n")
    assert not (project / ".conductor").exists()


def test_people_read_place_rule_and_way_out() -> None:
    """All findings in one pass, the number of them last; exit 2."""
    code, text = check(str(WRONG))
    assert code == 2
    lines = text.splitlines()
    assert lines[-1] == f"{WRONG}: 24 errors, 4 warnings"
    assert f"{WRONG}:54:17: error[unknown-value] `forever` is not one of" in text
    assert sum(line.startswith(f"{WRONG}:") for line in lines) == 24 + 4 + 1
    assert "    → start each of its lines with `- `" in lines


OLDER = """\
name: shop
region: europe-west1
service_manager_spec:
  name: director
  service_account: director-sa
  command_topic: commands  # the older form
  completion_topic: {name: completions}
"""


def test_warnings_alone_let_the_file_pass(tmp_path: Path) -> None:
    """Exit 0 with warnings only."""
    file = tmp_path / "older.yaml"
    file.write_text(OLDER)
    code, said = check(str(file))
    assert code == 0
    assert f"{file}:6:18: warning[older-form]" in said
    assert said.endswith(f"{file}: 1 warning\n")


def test_an_older_file_is_migrated_to_a_new_one(tmp_path: Path) -> None:
    """Only what was in an older form differs; a file that is there is never overwritten."""
    file, new = tmp_path / "older.yaml", tmp_path / "new.yaml"
    file.write_text(OLDER)
    migrated = OLDER.replace("command_topic: commands", "command_topic: {name: commands}")
    assert check(str(file), "--migrate") == (0, migrated)
    assert check(str(file), "--migrate", "--out", str(new)) == (0, "")
    assert new.read_text() == migrated
    assert file.read_text() == OLDER
    assert check(str(file), "--migrate", "--out", str(file))[0] == 2
    assert file.read_text() == OLDER
    assert check(str(WRONG), "--migrate")[0] == 2


@pytest.mark.parametrize("words", [["--format", "json"], ["--json"]])
def test_programs_read_one_document(words: list[str]) -> None:
    """The same findings, each with its own fields."""
    code, text = check(str(WRONG), *words)
    assert code == 2
    document = json.loads(text)
    assert document["file"] == str(WRONG)
    assert len(document["findings"]) == 28
    assert {"rule", "severity", "line", "column", "message", "fix"} == set(document["findings"][0])


def test_code_hosts_read_sarif() -> None:
    """A result for each finding, at its line, of a rule that the log lists."""
    code, text = check(str(WRONG), "--format", "sarif")
    assert code == 2
    log = json.loads(text)
    jsonschema.validate(log, SARIF_SHAPE)
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(run["results"]) == 28
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
    places = [r["locations"][0]["physicalLocation"] for r in run["results"]]
    assert all(place["artifactLocation"]["uri"] == WRONG.as_posix() for place in places)
    assert {"startLine": 54, "startColumn": 17} in [place.get("region") for place in places]


def test_another_format_is_a_wrong_call() -> None:
    """Exit 2, naming those there are."""
    assert check(str(SAMPLE), "--format", "xml")[0] == 2
