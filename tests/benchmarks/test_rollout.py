"""That the benchmark of a rollout deploys what it says and adds up what it injects."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from architecture.loading import load
from architecture.ordering import resource_levels, service_levels
from benchmarks.rollout import LATENCIES, ROLLOUT, Rollout, document, table
from rehearsal.cloud.registry import all_requirements


def test_thirty_services_in_six_dataflows(tmp_path: Path) -> None:
    """Step 4, item 9: the system is a valid one, and its dataflows can be deployed side by side."""
    path = tmp_path / "system.yaml"
    path.write_text(yaml.safe_dump(document(dataflows=6, services=5)))
    loaded = load(path).architecture
    assert len(list(loaded.services())) == 30
    assert len(loaded.dataflows) == 6
    assert [len(level) for level in resource_levels(loaded)] == [1, 5]
    assert [len(level) for level in service_levels(loaded)] == [6]


def test_what_is_held_up_exists() -> None:
    """A pattern that matches no method would inject nothing."""
    assert ROLLOUT in all_requirements()
    assert LATENCIES["rules"][0]["match"] == {"method": ROLLOUT}


def test_a_run_is_compared_with_the_sum_of_its_phases_chains() -> None:
    """Phases follow one another, so that their longest chains add up."""
    rollout = Rollout(60.0, 20.0, {2: 25.0, 7: 20.0}, {2: 20.0, 7: 10.0})
    assert rollout.critical_path_s == pytest.approx(30.0)
    lines = list(table([rollout]))
    assert any(line.split() == ["run", "1", "60.0", "30.0", "2.00", "20.0"] for line in lines)
