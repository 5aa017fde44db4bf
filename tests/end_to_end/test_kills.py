"""`kill -9` of any process at any moment: the end is that of an undisturbed run, made once."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import Any

import pytest
from end_to_end.end_state import effects, end_state
from end_to_end.killing import QUICK, kill_cloud, kill_service, until_called, wait_for
from end_to_end.project import Action, Rehearsal

from orchestration.conductor.phases import Phase

pytestmark = pytest.mark.timeout(400)

DIRECTOR = "serviceAccount:servicedirector-sa@*"
# By the first line of a run that begins so: in every phase, the later ones at several moments.
MOMENTS = (
    "[1] Prerequisites",
    "[2]   + gcp:serviceaccount/account",
    "[3] Artifacts",
    "[4]   + gcp:pubsub/topic:",
    "[4]   + gcp:cloudrunv2/service:",
    "[5] command dataflow-setup",
    "[5] the director completed",
    "[6] Resource IAM",
    "[7]   + gcp:cloudrunv2/service:",
    "[7] done",
)
# What kills them; the conductor is the command itself.
VICTIMS: dict[str, Callable[[Rehearsal], Action]] = {
    "the conductor": lambda _rehearsal: signal.SIGKILL,
    "the local cloud": lambda rehearsal: partial(kill_cloud, rehearsal),
    "the director": lambda rehearsal: partial(kill_service, rehearsal, "servicedirector"),
    "a service": lambda rehearsal: partial(kill_service, rehearsal, "tracer-publisher"),
}
# Before these there is nothing to kill; a service is killed while a deployed system comes up anew.
FIRST_PHASE_OF = {
    "the local cloud": Phase.IAM,
    "the director": Phase.FOUNDATIONAL,
}
CLOUD_MOMENTS = (
    "[2]   + gcp:serviceaccount/account",
    "[4]   + gcp:pubsub/topic:",
    "[5] command dataflow-setup",
    "[7]   + gcp:cloudrunv2/service:",
)


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """What a run leaves that nobody disturbs, and the calls by which it did."""

    state: dict[str, Any]
    effects: Counter[str]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """The result of an undisturbed run."""
    made = Rehearsal(tmp_path_factory.mktemp("undisturbed")).without_preflight()
    try:
        done = made.up(*QUICK)
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        assert made.run("cloud", "stop").returncode == 0
    return Undisturbed(end_state(made), effects(made))


@pytest.fixture
def quick(rehearsal: Rehearsal) -> Iterator[Rehearsal]:
    """A rehearsal whose pre-flight tests take no time."""
    return rehearsal.without_preflight()


def assert_same(rehearsal: Rehearsal, undisturbed: Undisturbed) -> None:
    """See that all is as after an undisturbed run, that nothing was done twice, and that it works.

    Also that nobody needs to clear a lock: there is none.
    """
    assert effects(rehearsal) == undisturbed.effects
    proof = rehearsal.prove()
    assert proof.returncode == 0, proof.stdout + proof.stderr
    assert rehearsal.run("cloud", "stop").returncode == 0
    state = end_state(rehearsal)
    assert state["stacks"] == undisturbed.state["stacks"]
    assert state["cloud"] == undisturbed.state["cloud"]


def test_a_conductor_that_dies_in_every_phase(quick: Rehearsal, undisturbed: Undisturbed) -> None:
    """Fault cases 1 to 8: one run, killed again and again, taken up by `up` and by `resume`."""
    up = ["up", str(quick.architecture), *QUICK]
    words = up
    for moment, is_by_name in zip(MOMENTS, cycle([True, False]), strict=False):
        quick.kill_at(moment, *words)
        run = quick.run_record()
        assert run["status"] == "running", moment
        words = ["resume", run["run_id"]] if is_by_name else up
    done = quick.run(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert quick.run_record()["run_id"] == run["run_id"]
    assert_same(quick, undisturbed)


def test_a_local_cloud_that_dies_in_every_phase(quick: Rehearsal, undisturbed: Undisturbed) -> None:
    """Step 4, item 1: one clear line, nothing rolled back blindly, and the next `up` goes on."""
    up = ["up", str(quick.architecture), *QUICK]
    for moment in CLOUD_MOMENTS:
        failed = quick.at(moment, lambda: kill_cloud(quick), *up)
        assert failed.returncode == 1, failed.stdout + failed.stderr
        assert "error[cloud-unreachable]" in failed.stderr, (moment, failed.stderr)
        assert "Traceback" not in failed.stderr
    done = quick.run(*up)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_same(quick, undisturbed)


def test_a_director_that_dies_in_the_middle_of_a_command(
    quick: Rehearsal, undisturbed: Undisturbed
) -> None:
    """Fault case 17: it comes up again, takes over what it had made, and the run goes on by itself.

    The call under way when it dies still takes effect, without anybody to note it.
    """
    slow = {"match": {"method": "pubsub.projects.topics.*", "principal": DIRECTOR}, "delay": "1s"}

    def kill() -> None:
        until_called(quick, "pubsub.projects.topics.get", DIRECTOR)
        kill_service(quick, "servicedirector")
        quick.disturb()

    done = quick.watched(
        {"[4]   healthy": lambda: quick.disturb(slow), "[5] command": kill},
        *("up", str(quick.architecture), *QUICK),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert_same(quick, undisturbed)


def test_a_director_that_dies_before_it_has_answered(
    quick: Rehearsal, undisturbed: Undisturbed
) -> None:
    """Fault case 4: what it had finished is in its ledger; the command's work is not repeated."""
    slow = {
        "match": {"method": "pubsub.projects.topics.publish", "principal": DIRECTOR},
        "delay": "30s",
    }
    ledger = quick.folder / ".conductor" / "local" / "director"

    def kill() -> None:
        (finished,) = wait_for(lambda: list(ledger.glob("*.json")))
        noted.append(finished.read_bytes())
        kill_service(quick, "servicedirector")
        quick.disturb()

    noted: list[bytes] = []
    done = quick.watched(
        {"[4]   healthy": lambda: quick.disturb(slow), "[5] command": kill},
        *("up", str(quick.architecture), *QUICK),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [path.read_bytes() for path in ledger.glob("*.json")] == noted
    assert "21 create" in done.stdout
    assert_same(quick, undisturbed)


def test_services_that_die_come_back_by_themselves(
    quick: Rehearsal, undisturbed: Undisturbed
) -> None:
    """Step 4, item 1: during a run and after it, without a new revision."""
    done = quick.watched(
        {
            "[5] Foundational": lambda: kill_service(quick, "servicedirector"),
            "[7]   healthy": lambda: kill_service(quick, "tracer-publisher"),
        },
        *("up", str(quick.architecture), *QUICK),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    died = kill_service(quick, "tracer-subscriber")
    wait_for(lambda: quick.service_process("tracer-subscriber") not in {None, died})
    wait_for(lambda: quick.service_process("tracer-publisher"))
    assert_same(quick, undisturbed)


@pytest.mark.long
@pytest.mark.parametrize("victim", VICTIMS)
@pytest.mark.parametrize("phase", Phase)
def test_whoever_dies_in_whichever_phase(
    quick: Rehearsal, undisturbed: Undisturbed, victim: str, phase: Phase
) -> None:
    """Step 4, item 1: at the beginning and at the end of each step of the journal."""
    if phase < FIRST_PHASE_OF.get(victim, Phase.PLAN):
        pytest.skip(f"{victim} is not there yet")
    up = ["up", str(quick.architecture), *QUICK]
    if victim == "a service":
        assert quick.run(*up).returncode == 0
    for line in (f"[{int(phase)}] {phase.title}", f"[{int(phase)}] done"):
        ended = quick.at(line, VICTIMS[victim](quick), *up)
        assert "Traceback" not in ended.stderr
    done = quick.run(*up)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_same(quick, undisturbed)
