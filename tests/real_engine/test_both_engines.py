"""The same programs on two engines: the same steps, outputs and state, and no change in between.

One of the two is always the embedded engine. The other is a real `pulumi` where there is one; here
and everywhere the embedded one stands in for it as well, so that what is asked of both is known
to be askable.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from real_engine import comparison
from real_engine.cases import CASES, Case, Step
from real_engine.two_engines import PASSPHRASE, Done, Engine, Place, embedded

pytestmark = pytest.mark.timeout(600)
# This one stands for all where a real engine is not there to compare with.
SAMPLE = "secrets"


def _cases() -> list[object]:
    found: list[object] = []
    for case in CASES:
        marks = () if case.name == SAMPLE else (pytest.mark.long,)
        name = case.name.replace(" ", "-").replace(",", "")
        found.append(pytest.param(case, "embedded", id=f"{name}-itself", marks=marks))
        found.append(pytest.param(case, "pulumi", id=f"{name}-real"))
    return found


@pytest.fixture
def ours(tmp_path: Path) -> Engine:
    """The embedded engine."""
    return embedded(tmp_path / "ours")


@pytest.fixture
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """The engine that it is compared with."""
    if request.param == "embedded":
        return embedded(tmp_path / "other")
    real: Engine = request.getfixturevalue("real_pulumi")
    return real


def carry_out(place: Place, engine: Engine, step: Step) -> Done:
    """Do one step of a case and see that it ended as it should."""
    if step.program is not None:
        place.program(step.program)
    done = place.run(engine, *step.words.split())
    assert done.code == step.code, f"{engine.name}: {step.words}: {done.said}"
    return done


@pytest.mark.parametrize(("case", "other"), _cases(), indirect=["other"])
def test_both_do_the_same(case: Case, ours: Engine, other: Engine, tmp_path: Path) -> None:
    """Step by step: events, counts, errors, what is printed for programs, and the state."""
    one, two = Place.make(tmp_path / "one"), Place.make(tmp_path / "two")
    for step in case.steps:
        here, there = carry_out(one, ours, step), carry_out(two, other, step)
        where = f"{step.words}\n{here.said}\n{there.said}"
        assert comparison.changes(here.events) == comparison.changes(there.events), where
        assert comparison.same_steps(here.events, there.events) == "", where
        assert comparison.errors(here.events) == comparison.errors(there.events), where
        if step.words.startswith(("config", "stack output")):
            assert here.stdout == there.stdout
        mine, theirs = (
            comparison.state(place.checkpoint_file(), PASSPHRASE) for place in (one, two)
        )
        assert mine == theirs, where


@pytest.mark.parametrize(("case", "other"), _cases(), indirect=["other"])
def test_state_is_handed_over_without_a_change(
    case: Case, ours: Engine, other: Engine, tmp_path: Path
) -> None:
    """Each step by turns, and after each update both agree that there is nothing to do."""
    place = Place.make(tmp_path / "place")
    for at, step in enumerate(case.steps):
        engine, next_ = (ours, other) if at % 2 else (other, ours)
        carry_out(place, engine, step)
        if step.words.startswith("up ") and "--target" not in step.words and not step.code:
            stack = step.words.split("--stack ")[1].split()[0]
            for looking in (next_, engine):
                seen = place.run(looking, "preview", "--expect-no-changes", "--stack", stack)
                assert seen.code == 0, f"{looking.name} after {engine.name}: {seen.said}"


@pytest.mark.parametrize(
    "other",
    [
        pytest.param("embedded", id="itself", marks=pytest.mark.long),
        pytest.param("pulumi", id="real"),
    ],
    indirect=True,
)
def test_exports_are_imported_by_the_other(ours: Engine, other: Engine, tmp_path: Path) -> None:
    """With secrets in the clear or sealed, in both directions, and nothing is left to do."""
    place = Place.make(tmp_path / "place")
    carry_out(place, ours, Step("stack init dev", program=""))
    carry_out(
        place,
        other,
        Step(
            "up --yes --skip-preview --stack dev",
            program='Stash("a", input=Output.secret({"k": "<é>"}))\nStash("b", input=2.5)',
        ),
    )
    before = comparison.state(place.checkpoint_file(), PASSPHRASE)
    for giver, taker in ((ours, other), (other, ours)):
        for flags in ((), ("--show-secrets",)):
            given = place.run(giver, "stack", "export", "--stack", "dev", *flags)
            assert given.code == 0, given.said
            assert ("<é>" in given.stdout or "\\u003c" in given.stdout) == bool(flags)
            export = tmp_path / "export.json"
            export.write_text(given.stdout)
            taken = place.run(taker, "stack", "import", "--stack", "dev", "--file", str(export))
            assert taken.code == 0, taken.said
            assert comparison.state(place.checkpoint_file(), PASSPHRASE) == before
            assert "<é>" not in place.checkpoint_file().read_text()
            for looking in (ours, other):
                seen = place.run(looking, "preview", "--expect-no-changes", "--stack", "dev")
                assert seen.code == 0, f"{looking.name}: {seen.said}"
