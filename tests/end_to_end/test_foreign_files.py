"""Files that nobody here wrote deploy as they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from end_to_end.project import Rehearsal

pytestmark = pytest.mark.timeout(240)
SHARED = os.environ.get("CONDUCTOR_SHARED_TESTDATA")


def deploy(rehearsal: Rehearsal, file: Path, env: str) -> set[str]:
    """Bring a file up with the sample services as its sources; name the services that run."""
    words = ["--target", "local", "--source-root", str(rehearsal.services), "--propagation", "none"]
    done = rehearsal.run("up", str(file), *words, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return {service["name"] for service in rehearsal.status(env)["services"]}


def test_a_file_hydrated_on_another_machine_deploys(rehearsal: Rehearsal) -> None:
    """Step 2, item 1: foreign paths, full e-mails and a template on somebody else's disk."""
    file = rehearsal.folder / "testdata" / "architectures" / "hydrated-elsewhere.yaml"
    assert deploy(rehearsal, file, "elsewhere") == {"sd-0a1b", "publisher-0a1b", "subscriber-0a1b"}
    context = rehearsal.folder / ".conductor" / "elsewhere" / "contexts" / "publisher-0a1b"
    assert (context / "tracer-config.yaml").is_file()


@pytest.mark.skipif(SHARED is None, reason="CONDUCTOR_SHARED_TESTDATA is not set")
def test_the_upstream_tools_own_file_deploys(rehearsal: Rehearsal) -> None:
    """Step 2, item 1: the real file."""
    file = Path(str(SHARED)) / "real" / "tracer-hydrated.services.yaml"
    running = deploy(rehearsal, file, "tracer-real")
    assert len(running) == 3
    assert all(name.endswith("-f84c06fb") for name in running)


def test_a_missing_source_folder_names_the_option(rehearsal: Rehearsal) -> None:
    """Design 3: the error says how to replace every source path."""
    file = rehearsal.folder / "testdata" / "architectures" / "hydrated-elsewhere.yaml"
    done = rehearsal.run("up", str(file), "--target", "local", env="elsewhere")
    assert done.returncode == 2
    assert "--source-root" in done.stderr
    assert rehearsal.calls() == []
