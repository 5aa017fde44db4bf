"""How a layer reads another layer's outputs."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from stacks.errors import UpstreamError
from stacks.upstream import PredictedStacks, ReferencedStacks, upstream_of


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', "{"])
def test_a_prediction_of_another_form_is_refused(tmp_path: Path, content: str) -> None:
    """The message names the variable and the file."""
    file = tmp_path / "upstream.json"
    file.write_text(content)
    with pytest.raises(UpstreamError, match=r"CONDUCTOR_UPSTREAM: .*upstream\.json"):
        PredictedStacks.read(file)


def test_a_prediction_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A stack must not fall back to references without anybody noticing."""
    with pytest.raises(UpstreamError, match="cannot be read"):
        upstream_of("conductor", {"CONDUCTOR_UPSTREAM": str(tmp_path / "absent.json")})


def test_without_a_prediction_stacks_are_referenced() -> None:
    """So that a plain `pulumi up` of one stack works."""
    assert isinstance(upstream_of("conductor", {}), ReferencedStacks)


def test_a_program_whose_packages_are_not_installed_says_what_to_do() -> None:
    """Pulumi puts only the program's folder on the path; the error is one line with the remedy."""
    program = Path(__file__).parents[2] / "stacks"
    # `-S` leaves out what makes the project's own packages importable; Pulumi itself is there.
    ended = subprocess.run(
        [sys.executable, "-S", "-c", f"import runpy; runpy.run_path({str(program)!r})"],
        env={"PYTHONPATH": sysconfig.get_path("purelib")},
        cwd=program,
        capture_output=True,
        text=True,
        check=False,
    )
    *_, last = ended.stderr.strip().splitlines()
    assert last.startswith("pulumi.errors.RunError: package 'stacks' is not installed")
    assert "make install" in last
