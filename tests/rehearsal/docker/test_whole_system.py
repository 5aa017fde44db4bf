"""`conductor up --builder docker`: the sample system with its services in containers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from end_to_end.project import Rehearsal

pytestmark = pytest.mark.timeout(300)

SERVICES = ("tracer-publisher", "tracer-subscriber")
# The samples' own base image cannot be pulled in a test; their sources are not what is tested here.
DOCKERFILE = """FROM {base}
COPY resources.yaml /www/
RUN mkdir -p /www/health && echo ok > /www/health/ready
CMD ["sh", "-c", "trap 'exit 0' TERM; httpd -f -p $HOST:$PORT -h /www & wait"]
"""


@pytest.fixture
def rehearsal(docker: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rehearsal]:
    """A rehearsal whose daemon is the tests' own, with Dockerfiles that build offline."""
    monkeypatch.setenv("DOCKER_HOST", docker.host)
    made = Rehearsal(tmp_path)
    for service in SERVICES:
        dockerfile = made.services / service / "Dockerfile"
        dockerfile.write_text(DOCKERFILE.format(base=docker.base))
    yield made
    made.run("cloud", "stop")
    assert containers_of(docker, made) == Counter()


def containers_of(docker: Any, rehearsal: Rehearsal) -> Counter[str]:
    """Count the containers of a rehearsal's local cloud by service."""
    folder = str(rehearsal.folder / ".conductor" / "local" / "cloud")
    labels = [container["Labels"] for container in docker.containers()]
    return Counter(
        of["conductor.service"] for of in labels if of.get("conductor.local-cloud") == folder
    )


def images_config(rehearsal: Rehearsal) -> dict[str, Any]:
    """Read the configuration of the stack of the images."""
    text = (rehearsal.folder / "environments" / "Pulumi.local.images.yaml").read_text()
    config: dict[str, Any] = yaml.safe_load(text)["config"]
    return config


def expect_no_change(rehearsal: Rehearsal) -> None:
    """Run `up` again and expect that it changes nothing."""
    before = rehearsal.revisions()
    done = rehearsal.up("--propagation", "none")
    assert done.returncode == 0, done.stdout + done.stderr
    assert ": 0 changes" in done.stdout
    assert rehearsal.revisions() == before


def test_services_run_in_containers_and_the_choice_stays(docker: Any, rehearsal: Rehearsal) -> None:
    """Docker when asked for, and from then on; failed builds are told; `assemble` needs none."""
    first = rehearsal.up("--builder", "docker", "--propagation", "none")
    assert first.returncode == 0, first.stdout + first.stderr
    assert containers_of(docker, rehearsal) == Counter(SERVICES)
    assert {service["state"] for service in rehearsal.status()["services"]} == {"running"}
    config = images_config(rehearsal)
    assert (config["conductor:builder"], config["docker:host"]) == ("docker", docker.host)

    expect_no_change(rehearsal)
    assert images_config(rehearsal)["conductor:builder"] == "docker"

    dockerfile = rehearsal.services / "tracer-publisher" / "Dockerfile"
    dockerfile.write_text("FROM 127.0.0.1:9/nothing/here:1\n")
    failed = rehearsal.up("--propagation", "none", "--on-failure", "keep")
    assert failed.returncode == 1
    assert "1 of 2 images were not built: tracer-publisher (1 built)" in failed.stderr
    assert "127.0.0.1:9/nothing/here:1 is not here and cannot be pulled" in failed.stderr
    assert "--builder assemble" in failed.stderr
    assert containers_of(docker, rehearsal) == Counter(SERVICES)

    back = rehearsal.up("--builder", "assemble", "--propagation", "none")
    assert back.returncode == 0, back.stdout + back.stderr
    assert images_config(rehearsal)["conductor:builder"] == "assemble"
    assert "docker:host" not in images_config(rehearsal)
    assert containers_of(docker, rehearsal) == Counter()


def test_missing_daemon_is_told_before_anything_is_touched(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a daemon `--builder docker` is blocked (exit 3), and the hint names the way out."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{rehearsal.folder}/none.sock")
    refused = rehearsal.up("--builder", "docker")
    assert refused.returncode == 3
    assert "no docker daemon answers at unix://" in refused.stderr
    assert "--builder assemble" in refused.stderr
    assert rehearsal.calls() == []
