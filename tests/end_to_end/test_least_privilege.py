"""Least privilege: the planned grants are enough, and without any one of them something breaks."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from end_to_end.killing import PATIENCE_S
from end_to_end.least_privilege import LeastPrivilege, Use, kind_of
from end_to_end.project import Rehearsal

from architecture.grants import Grant

pytestmark = pytest.mark.timeout(300)

SHARED = os.environ.get("CONDUCTOR_SHARED_TESTDATA")
REFUSED = "403"


def check_enough(deployed: LeastPrivilege) -> None:
    """There is what was planned, nothing else, and all of it is of use."""
    assert deployed.bindings() == deployed.planned_bindings()
    assert [grant for grant in deployed.placeholder_grants() if not grant["works"]] == []


def check_needed(deployed: LeastPrivilege, grant: Grant) -> None:
    """Without the grant its use is refused; with it again it works."""
    use = deployed.use_of(grant)
    with deployed.without(grant):
        assert REFUSED in outcome(use, lambda said: REFUSED in said), grant
    assert outcome(use, lambda said: not said) == "", grant


def outcome(use: Use, is_expected: Callable[[str], bool]) -> str:
    """Use a grant until what comes of it is what is expected, or for long enough; give it."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_expected(said := use()) and time.monotonic() < deadline:
        pass
    return said


@pytest.fixture
def sample(rehearsal: Rehearsal) -> LeastPrivilege:
    """The sample, deployed by somebody who has no more than a deployer is told to have."""
    return LeastPrivilege(rehearsal, rehearsal.architecture, "local")


def test_the_sample_needs_a_grant_of_each_kind(sample: LeastPrivilege) -> None:
    """Step 8, item 7: one of each role on each kind of resource, taken away and given back."""
    check_enough(sample)
    one_of_each = {kind_of(grant): grant for grant in sample.planned}
    assert len(one_of_each) >= 8
    for grant in one_of_each.values():
        check_needed(sample, grant)
    check_enough(sample)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_sample_needs_every_grant(sample: LeastPrivilege) -> None:
    """Step 8, item 7: every single one."""
    for grant in sample.planned:
        check_needed(sample, grant)
    check_enough(sample)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.skipif(SHARED is None, reason="CONDUCTOR_SHARED_TESTDATA is not set")
def test_the_real_architecture_needs_every_grant(rehearsal: Rehearsal) -> None:
    """Step 8, item 7: a file that nobody here wrote, with a table and a secret."""
    file = Path(str(SHARED)) / "real" / "bigquery.services.yaml"
    deployed = LeastPrivilege(rehearsal, file, "bq", secrets=("SERVICE_PASS",))
    check_enough(deployed)
    for grant in deployed.planned:
        check_needed(deployed, grant)
    check_enough(deployed)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_every_kind_needs_every_grant(rehearsal: Rehearsal) -> None:
    """Step 8, item 7: buckets, datasets, databases and schedules, too."""
    file = rehearsal.folder / "testdata" / "architectures" / "every-kind.yaml"
    deployed = LeastPrivilege(rehearsal, file, "kinds", secrets=("every-kind-db-password",))
    check_enough(deployed)
    for grant in deployed.planned:
        check_needed(deployed, grant)
    check_enough(deployed)
