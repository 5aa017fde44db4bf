"""The director's image by a real docker daemon, as far as that needs no network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestration.artifacts.director_context import PACKAGES

if TYPE_CHECKING:
    from tests.rehearsal.docker.conftest import Daemon

ROOT = Path(__file__).parents[3]
DOCKERFILE = ROOT / "orchestration" / "director" / "Dockerfile"
COPIED_FILES = ("Pulumi.yaml", "README.md", "pyproject.toml", "requirements.lock")
TAG = "conductor.test/director:1"
ARCHITECTURE = "workspace/.conductor/prod/architecture.yaml"


def without_network(text: str, base: str) -> str:
    """Leave out what fetches: the base, the plugins and the packages; the rest is as it is."""
    joined = re.sub(r"\\\n\s*", "", text)
    kept = [line for line in joined.splitlines() if not line.startswith("RUN ")]
    return "\n".join(kept).replace(re.findall(r"^FROM (\S+)", text, re.MULTILINE)[0], base)


@pytest.mark.serial
def test_the_image_is_laid_out_and_runs_as_nobody_with_a_read_only_root(docker: Daemon) -> None:
    """Folders land where they belong, its files are readable to nobody's user, /tmp is writable."""
    files = dict.fromkeys(COPIED_FILES, b"x\n")
    files |= {f"{name}/held.py": b"x\n" for name in (*PACKAGES, "root", "service")}
    files[f"root/{ARCHITECTURE}"] = b"name: shop\n"
    files["Dockerfile"] = without_network(DOCKERFILE.read_text(), docker.base).encode()
    docker.build(files, TAG)
    image = docker.client.get(f"/images/{TAG}/json").json()["Config"]
    assert image["User"] == "65532:65532"
    assert image["Entrypoint"] is None
    assert image["Cmd"] == ["/workspace/.venv/bin/python", "/workspace/service/main.py"]
    assert image["WorkingDir"] == "/workspace"
    assert "PULUMI_HOME=/opt/pulumi" in image["Env"]
    made = docker.client.post(
        "/containers/create",
        json={
            "Image": TAG,
            "Cmd": ["/bin/sh", "-c", f"cat /{ARCHITECTURE} && touch /tmp/x && ! touch x && id -u"],
            "HostConfig": {
                "ReadonlyRootfs": True,
                "NetworkMode": "none",
                "Tmpfs": {"/tmp": "mode=1777"},  # noqa: S108 - inside the container
            },
        },
    ).json()["Id"]
    try:
        docker.client.post(f"/containers/{made}/start").raise_for_status()
        ended = docker.client.post(f"/containers/{made}/wait").json()
        said = docker.client.get(f"/containers/{made}/logs?stdout=1&stderr=1").content
    finally:
        docker.client.delete(f"/containers/{made}?force=1")
    assert ended["StatusCode"] == 0, said
    assert b"name: shop" in said
    assert b"65532" in said
