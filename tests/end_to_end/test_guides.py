"""What the guides tell people to type works: on a whole rehearsal, block after block."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from end_to_end.project import ROOT, Rehearsal

pytestmark = pytest.mark.timeout(300)

REHEARSED = re.compile(r"^```sh rehearsed\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("guide", ["ci", "first-deployment", "reviewing"])
def test_each_rehearsed_block_of_a_guide_runs(rehearsal: Rehearsal, guide: str) -> None:
    """Step 7, item 6: as far as the local cloud allows; the rest is checked to exist."""
    rehearsal.without_preflight()
    text = (ROOT / "docs" / "guides" / f"{guide}.md").read_text(encoding="utf-8")
    blocks = REHEARSED.findall(text)
    assert blocks
    programs = Path(sys.executable).parent
    environ = {
        **rehearsal.environ(),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "ARCHITECTURE": str(rehearsal.architecture),
        "ENVIRONMENT": "local",
        "TARGET": "--target local",
    }
    for block in blocks:
        done = subprocess.run(
            ["bash", "-euc", block],  # noqa: S607 - the one on PATH
            env=environ,
            cwd=rehearsal.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
