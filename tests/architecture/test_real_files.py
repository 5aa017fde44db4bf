"""Files that nobody here wrote load, hydrate and give what the upstream tool gave.

CONDUCTOR_SHARED_TESTDATA names the folder that has them in `real/`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from architecture.grants import plan_grants
from architecture.hydration import hydrate
from architecture.loading import load, loads
from architecture.model import Architecture
from architecture.rendering import to_yaml
from architecture.service_resources import ServiceResources

FILES = ["tracer-hydrated", "bigquery-hydrated", "bigquery"]
GENERATED = [
    ("tracer-hydrated", "sd-f84c06fb", "tracer-servicedirector"),
    ("tracer-hydrated", "tracer-publisher-f84c06fb", "tracer-tracer-publisher"),
    ("tracer-hydrated", "tracer-subscriber-f84c06fb", "tracer-tracer-subscriber"),
    ("bigquery-hydrated", "bigquery-service", "bigquery-bigquery"),
    ("bigquery", "bigquery-service", "bigquery-bigquery"),
]


def hydrated(real: Path, file: str) -> Architecture:
    """Load and hydrate one of the files."""
    arch = load(real / f"{file}.services.yaml").architecture
    return hydrate(arch, base_dir=real, project_id="gemini-power-test")


@pytest.mark.parametrize("file", FILES)
def test_real_file_loads_with_no_worse_than_an_unpinned_secret(real: Path, file: str) -> None:
    """Its spellings, empty values, e-mails and Windows paths are all understood."""
    warnings = load(real / f"{file}.services.yaml").warnings
    assert {warning.rule for warning in warnings} <= {"unpinned-secret"}


@pytest.mark.parametrize("file", FILES)
def test_real_file_hydrates_once_and_reads_back(real: Path, file: str) -> None:
    """Hydrating again and rendering change nothing; its grants can be planned."""
    arch = hydrated(real, file)
    assert hydrate(arch, base_dir=Path("/elsewhere")) == arch
    assert loads(to_yaml(arch), Path("x.yaml")).architecture == arch
    assert plan_grants(arch).application


@pytest.mark.parametrize(("file", "service", "generated"), GENERATED)
def test_resources_equal_those_that_the_upstream_tool_generated(
    real: Path, file: str, service: str, generated: str
) -> None:
    """Field for field, in the same order of keys (0.7)."""
    ours = ServiceResources(hydrated(real, file)).content(service)
    theirs = yaml.safe_load((real / f"{generated}.resources.yaml").read_text())
    assert yaml.safe_dump(ours, sort_keys=False) == yaml.safe_dump(theirs, sort_keys=False)


def test_hydration_equals_the_upstream_tools(real: Path) -> None:
    """What it filled into the hand-written file, we fill in, too."""
    ours, theirs = hydrated(real, "bigquery"), hydrated(real, "bigquery-hydrated")
    assert set(ours.dataflows) == set(theirs.dataflows)
    for service in ours.all_services():
        other = theirs.service(service.name)
        assert service.deployment is not None
        assert other.deployment is not None
        # It also wrote where it had put the images.
        built = other.deployment.model_copy(update={"image": ""})
        assert service == other.model_copy(update={"deployment": built})
    for name, flow in ours.dataflows.items():
        assert flow.resources == theirs.dataflows[name].resources


def test_directors_dataflow_is_recognised_by_its_topics(real: Path) -> None:
    """In the tracer's file it is not named after the director."""
    arch = hydrated(real, "tracer-hydrated")
    assert arch.director_dataflow == "sd-infra"
    assert list(arch.application_dataflows()) == ["tracer-flow"]
    assert arch.director.service_account == "it-47c6b218"


def test_source_root_replaces_somebody_elses_disk(real: Path) -> None:
    """Nothing of the Windows path is left in any service."""
    arch = load(real / "tracer-hydrated.services.yaml").architecture
    moved = hydrate(arch, base_dir=real, source_root=Path("/src"))
    paths = {
        service.deployment.source_path for service in moved.all_services() if service.deployment
    }
    assert paths == {"/src"}
