"""`conductor graph` draws an architecture on the terminal or into a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from orchestration.cli.main import app

ROOT = Path(__file__).parents[3]
SAMPLE = str(ROOT / "testdata" / "architectures" / "tracer.yaml")
GOLDEN = ROOT / "tests" / "architecture" / "golden"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder of this test's own."""
    (tmp_path / "Pulumi.yaml").write_text("name: conductor\nruntime: python\n")
    monkeypatch.setenv("CONDUCTOR_PROJECT_DIR", str(tmp_path))
    return tmp_path


def graph(*words: str) -> Result:
    """Run `conductor graph` on the sample."""
    return CliRunner().invoke(app, ["graph", SAMPLE, *words])


@pytest.mark.parametrize(
    ("words", "golden"),
    [
        ([], "tracer.mmd"),
        (["--format", "mermaid"], "tracer.mmd"),
        (["--format", "dot"], "tracer.dot"),
        (["--format", "svg"], "tracer.svg"),
    ],
)
def test_graph_is_printed_as_asked(project: Path, words: list[str], golden: str) -> None:
    """Nothing but the graph is on standard output, and nothing is made on the way."""
    done = graph(*words)
    assert done.exit_code == 0, done.output
    assert done.stdout == (GOLDEN / golden).read_text()
    assert not (project / ".conductor").exists()


@pytest.mark.parametrize(
    ("name", "words", "golden"),
    [
        ("system.svg", [], "tracer.svg"),
        ("deep/er/system.gv", [], "tracer.dot"),
        ("system.mmd", [], "tracer.mmd"),
        ("system.txt", ["--format", "dot"], "tracer.dot"),
        ("system.svg", ["--format", "mermaid"], "tracer.mmd"),
    ],
)
def test_file_is_written_in_the_format_asked_for_or_named(
    tmp_path: Path, name: str, words: list[str], golden: str
) -> None:
    """The file's name says the format where no option does."""
    path = tmp_path / name
    done = graph("--out", str(path), *words)
    assert done.exit_code == 0, done.output
    assert path.read_text() == (GOLDEN / golden).read_text()
    assert done.stdout == (
        f"{path}: 2 dataflows, 1 director, 2 services, 4 topics, 2 subscriptions.\n"
    )


def test_json_tells_what_was_drawn(tmp_path: Path) -> None:
    """For programs: every relation in words, and the text or the file that has it."""
    shown = json.loads(graph("--json", "--format", "dot").stdout)
    assert shown["text"] == (GOLDEN / "tracer.dot").read_text()
    assert "service tracer-publisher writes to topic tracer-topic" in shown["edges"]
    path = tmp_path / "system.svg"
    written = json.loads(graph("--json", "--out", str(path)).stdout)
    assert (written["file"], written["format"]) == (str(path), "svg")
    assert path.is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--format", "png"], "is none of: mermaid, dot, svg"),
        (["--out", SAMPLE + "/system.svg"], "cannot be written"),
        (["--env", "No"], "not usable"),
    ],
)
def test_wrong_option_is_refused(words: list[str], said: str) -> None:
    """Exit 2 and one clear line."""
    done = graph(*words)
    assert done.exit_code == 2
    assert said in done.output


def test_file_with_errors_is_not_drawn(tmp_path: Path) -> None:
    """The findings are told instead."""
    path = tmp_path / "services.yaml"
    path.write_text("name: broken\n")
    done = CliRunner().invoke(app, ["graph", str(path)])
    assert done.exit_code == 2
    assert "missing-key" in done.output
