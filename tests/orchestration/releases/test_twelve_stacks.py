"""Failures, deaths and rollbacks anywhere in a system of twelve stacks: the old release or nothing.

Everything but stacks, cloud and director is the real code; the stacks are in memory.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

from architecture.model import Architecture
from orchestration.automation.fakes import Declared, FakeStacks
from orchestration.conductor.conductor import Conductor
from orchestration.conductor.events import RunEvent, RunEventKind, RunLog
from orchestration.conductor.fakes import FakeParts
from orchestration.conductor.journal import JournalEntry, StepEvent, not_undone
from orchestration.conductor.rolling_back import RollbackScript
from orchestration.conductor.script import RunScript
from orchestration.conductor.state import PlanOutcome
from orchestration.durable.workflows import RunEnd, Script, go_through
from orchestration.environments import Environment
from orchestration.errors import DirectorRefused, DirectorSilent, PhaseFailed
from orchestration.releases.rollback import Rollback, steps_back
from orchestration.releases.store import Release, ReleaseStore
from orchestration.releases.unwinding import RunUnwinding
from orchestration.settings import Settings

T = TypeVar("T")
World = dict[str, dict[str, Declared]]
BUCKET = "gcp:storage/bucket:Bucket"
# `last` needs what `base` has; every dataflow but it has services too.
FLOWS = ("base", "east", "north", "west", "last")
SERVING = FLOWS[:-1]
STACKS = (
    "dev.foundation",
    "dev.images",
    "dev.director",
    *(f"dev.dataflow.{name}" for name in FLOWS),
    *(f"dev.services.{name}" for name in SERVING),
)
# What fails when a phase does; what stands in a name is a dataflow.
CALLS = {
    "plan": "plan",
    "prerequisites": "check",
    "iam": "wait foundation",
    "artifacts": "prepare",
    "images-and-director": "healthy director http://director",
    "foundational": f"director {' '.join(FLOWS[:-1])}",
    "resource-iam": "wait dataflow base",
    "services": "healthy base-app http://base-app",
}
FAILURES = [*CALLS, *(f"up {stack}" for stack in STACKS)]


class Died(BaseException):
    """The process ends here, as by `kill -9`."""


@dataclass
class Memory:
    """What survives the processes of a run: results of steps, and the journal."""

    results: list[str] = field(default_factory=list)
    entries: list[JournalEntry] = field(default_factory=list)

    def add(self, run_id: str, step: str, event: StepEvent, note: str = "") -> None:
        """Add to the journal."""
        self.entries.append(JournalEntry(run_id, step, event, datetime.now(UTC), note))

    def go_through(self, script: Script) -> RunEnd:
        """Run what has no result yet."""
        places = iter(range(1_000))

        def run_step(_name: str, do: Callable[..., T], *arguments: str) -> Any:
            place = next(places)
            if place == len(self.results):
                self.results.append(json.dumps(do(*arguments)))
            return json.loads(self.results[place])

        return go_through(script, run_step)


class InMemoryDirector:
    """A director on the same stacks; `error` is what it answers with, if anything."""

    def __init__(self, operations: FakeStacks) -> None:
        self.error: PhaseFailed | None = None
        self.asked: list[str] = []
        self._operations = operations

    def tear_down(self, architecture: Architecture, dataflow: str) -> tuple[str, ...]:
        """Delete what holds no data."""
        stack = self._answer(architecture, "teardown", dataflow)
        held = self._operations.held.get(stack, {})
        kept = {name: item for name, item in held.items() if item.type == BUCKET}
        self._operations.held[stack] = kept
        if not kept:
            self._operations.remove(stack)
        return tuple(kept)

    def set_up_again(self, architecture: Architecture, dataflow: str) -> tuple[str, ...]:
        """Make it as it is declared, except that data stays."""
        stack = self._answer(architecture, "dataflow-setup", dataflow)
        before = dict(self._operations.held.get(stack, {}))
        self._operations.up(stack)
        after = self._operations.held[stack]
        kept = [n for n, item in before.items() if item.type == BUCKET and n not in after]
        after.update({name: before[name] for name in kept})
        return tuple(kept)

    def _answer(self, architecture: Architecture, instruction: str, dataflow: str) -> str:
        assert architecture.director.command_topic.name == "commands"
        self.asked.append(f"{instruction} {dataflow}")
        if self.error is not None:
            raise self.error
        return f"dev.dataflow.{dataflow}"


def architecture_of(number: int, flows: Sequence[str]) -> str:
    """Write the architecture of a release: its number is in what every stack declares."""
    declared: dict[str, Any] = {
        name: {
            "resources": {"topics": [{"name": f"{name}-topic"}]},
            "services": {f"{name}-app": {"service_account": f"{name}-sa"}}
            if name in SERVING
            else {},
        }
        for name in flows
    }
    declared["last"]["resources"]["subscriptions"] = [{"name": "last-in", "topic": "base-topic"}]
    return yaml.safe_dump(
        {
            "name": "shop",
            "region": "europe-west1",
            "project_id": "shop-project",
            "labels": {"release": str(number)},
            "service_manager_spec": {
                "name": "director",
                "service_account": "director-sa",
                "command_topic": {"name": "commands"},
                "completion_topic": {"name": "completions"},
            },
            "dataflows": declared,
        }
    )


class System:
    """An environment with twelve stacks, and runs in it."""

    def __init__(self, folder: Path) -> None:
        self.environment = Environment("dev", Settings(folder))
        self.environment.contexts_dir.mkdir(parents=True)
        self.operations = FakeStacks(self.declared)
        self.director = InMemoryDirector(self.operations)
        self.releases = ReleaseStore(self.environment)
        self.journal: list[JournalEntry] = []
        self.events: list[RunEvent] = []
        self._runs = 0

    @property
    def world(self) -> World:
        """What stands: the stacks that hold anything."""
        return {name: dict(held) for name, held in self.operations.held.items() if held}

    def declared(self, stack: str) -> list[Declared]:
        """Be the stacks' program: each release of a stack has another size, and a part of it."""
        read = yaml.safe_load(self.environment.architecture_file.read_text())
        size = read["labels"]["release"]
        found = [
            Declared("main", "gcp:pubsub/topic:Topic", {"size": size}),
            Declared(f"part-{size}", "gcp:pubsub/topic:Topic"),
        ]
        _, layer, *flow = stack.split(".")
        if flow:
            assert flow[0] in read["dataflows"], f"{stack} is not in the architecture"
        if layer == "dataflow":
            found += [Declared("box", BUCKET), Declared(f"box-{size}", BUCKET)]
        return found

    def up(
        self,
        number: int,
        failing: str = "",
        flows: Sequence[str] = FLOWS,
        *,
        cannot: str = "",
        die_at: int = 0,
    ) -> RunEnd:
        """Run `up` with a release's architecture; one thing fails once, and one always."""
        self._runs += 1
        run_id = f"2026110{self._runs}-000000-aaaaaa"
        memory = Memory()
        self.operations.failing = Counter({failing: 1, cannot: 1_000})
        self._die_at(die_at)
        end = None
        while end is None:
            with suppress(Died):
                end = memory.go_through(self._script(run_id, number, failing, flows, memory))
        self.operations.failing.clear()
        self.journal = memory.entries
        if end is RunEnd.SUCCEEDED:
            self._keep(run_id)
        return end

    def roll_back(self, to: Release | None, *, die_at: int = 0) -> tuple[str, ...]:
        """Run `rollback`; one that dies is planned anew, as the command does; give what is left."""
        self._die_at(die_at)
        end = None
        while end is None:
            memory = Memory()
            held = self.operations.resource_counts("dev.")
            had = to.stacks if to is not None else {}
            steps = steps_back(self.releases, to, tuple({**held, **had}), held)
            script = RollbackScript("back", steps, self._rollback("back", to), memory)
            with suppress(Died):
                end = memory.go_through(script)
        self.journal = memory.entries
        left = tuple(not_undone(memory.entries))
        if to is not None and not left:
            self.releases.make_current(to.release_id)
        return left

    def _die_at(self, moment: int) -> None:
        """Have the process die once, before an operation; 0 is never."""
        self.operations.calls.clear()

        def on_call(_call: str) -> None:
            if len(self.operations.calls) == moment:
                raise Died

        self.operations.on_call = on_call

    def kept(self) -> dict[str, list[str]]:
        """What the last undos said that they kept, by stack."""
        return {
            str(event.fields["stack"]): [str(name) for name in kept]
            for event in self.events
            if event.kind is RunEventKind.UNDO_FINISHED
            and isinstance(kept := event.fields["kept"], list)
            and kept
        }

    def _rollback(self, run_id: str, release: Release | None) -> Rollback:
        self.events = []
        log = RunLog(run_id, [self.events.append])
        return Rollback(
            self.operations,
            self.releases,
            release,
            log,
            lambda _event: None,
            director=self.director,
        )

    def _script(
        self,
        run_id: str,
        number: int,
        failing: str,
        flows: Sequence[str],
        memory: Memory,
    ) -> RunScript:
        serving = [name for name in flows if name in SERVING]
        parts = FakeParts(
            PlanOutcome(
                architecture_name="shop",
                project_id="p1",
                director="director",
                services=tuple(f"{name}-app" for name in serving),
                dataflows=tuple(flows),
                resource_levels=(tuple(n for n in flows if n != "last"), ("last",)),
                levels=(tuple(serving),),
            ),
            {name: (f"{name}-app",) for name in serving},
        )

        def bring_up(call: str) -> None:
            if call == "plan":
                text = architecture_of(number, flows)
                self.environment.architecture_file.write_text(text)
            for stack in _stacks_of(call):
                self.operations.up(stack)

        parts.on_call = bring_up
        if failing in CALLS:
            parts.failing[CALLS[failing]] = PhaseFailed(f"{failing} fails")
        unwinding = RunUnwinding(
            "dev",
            self.operations,
            self._rollback(run_id, self.releases.current()),
            lambda: memory.entries,
        )
        conductor = Conductor(parts.parts(), RunLog(run_id, []), lambda _state: None)
        return RunScript(run_id, conductor, memory, unwinding)

    def _keep(self, run_id: str) -> None:
        live = self.releases.current()
        self.releases.keep(
            Release(
                release_id=run_id,
                made_at=datetime(2026, 11, 1, tzinfo=UTC) + timedelta(days=self._runs),
                architecture_sha256="a",
                program_sha256="p",
                images={},
                stacks=self.operations.resource_counts("dev."),
                follows=live.release_id if live is not None else "",
            )
        )


def _stacks_of(call: str) -> list[str]:
    """Name the stacks that a call of a part brings up."""
    match call.split():
        case ["set_up_iam"]:
            return ["dev.foundation"]
        case ["build_all"]:
            return ["dev.images"]
        case ["deploy_director"]:
            return ["dev.director"]
        case ["director", *flows]:
            return [f"dev.dataflow.{flow}" for flow in flows]
        case ["deploy", flow]:
            return [f"dev.services.{flow}"]
    return []


def without_data(world: World) -> World:
    """Leave out what holds data, and stacks that hold nothing else."""
    return {
        stack: rest
        for stack, held in world.items()
        if (rest := {name: item for name, item in held.items() if item.type != BUCKET})
    }


def data_of(world: World) -> dict[str, list[str]]:
    """Name what holds data, by stack."""
    found = {
        stack: [name for name, item in held.items() if item.type == BUCKET]
        for stack, held in world.items()
    }
    return {stack: names for stack, names in found.items() if names}


@pytest.fixture
def system(tmp_path: Path) -> System:
    """Nothing yet."""
    return System(tmp_path)


def test_the_system_has_twelve_stacks(system: System) -> None:
    """All of them stand after a run."""
    assert system.up(1) is RunEnd.SUCCEEDED
    assert set(system.world) == set(STACKS)
    assert len(STACKS) == 12


@pytest.mark.parametrize("failing", FAILURES)
def test_a_first_run_that_fails_leaves_nothing_but_data(system: System, failing: str) -> None:
    """Step 4, item 6: at each phase and at each stack; what holds data is kept and listed."""
    end = system.up(1, failing)
    assert end is (RunEnd.FAILED if failing in {"plan", "prerequisites"} else RunEnd.ROLLED_BACK)
    assert without_data(system.world) == {}
    assert system.kept() == data_of(system.world)
    assert system.up(1) is RunEnd.SUCCEEDED
    assert set(system.world) == set(STACKS)


@pytest.mark.parametrize("failing", FAILURES)
def test_a_change_that_fails_leaves_the_release_before_it(system: System, failing: str) -> None:
    """Step 4, item 6: never a mix of two releases; then the next `up` converges."""
    system.up(1, flows=("base", "last", "west"))
    before = system.world
    end = system.up(2, failing)
    assert end is (RunEnd.FAILED if failing in {"plan", "prerequisites"} else RunEnd.ROLLED_BACK)
    assert without_data(system.world) == without_data(before)
    for stack, names in data_of(before).items():
        assert set(names) <= set(data_of(system.world)[stack])
    for stack, names in data_of(system.world).items():
        newer = [name for name in names if name not in before.get(stack, {})]
        assert system.kept().get(stack, []) == newer
    assert system.up(2) is RunEnd.SUCCEEDED
    assert {held["main"].inputs["size"] for held in system.world.values()} == {"2"}


def releases(system: System) -> list[tuple[Release, World]]:
    """Make four releases with other dataflows each; give what stood after each."""
    made = []
    for number, flows in enumerate((FLOWS, ("base", "last"), (*FLOWS[:3], "last"), FLOWS), 1):
        assert system.up(number, flows=flows) is RunEnd.SUCCEEDED
        live = system.releases.current()
        assert live is not None
        made.append((live, system.world))
    return made


@pytest.mark.parametrize("to", range(4))
def test_any_earlier_release_comes_back(system: System, to: int) -> None:
    """Step 4, item 6: all that it was made of stands again, and the next `up` converges."""
    made = releases(system)
    release, then = made[to]
    assert system.roll_back(release) == ()
    declared = {
        stack: held
        for stack, held in without_data(then).items()
        if held["main"].inputs["size"] == str(to + 1)
    }
    stands = without_data(system.world)
    assert {stack: stands[stack] for stack in declared} == declared
    assert system.releases.current() == release
    assert system.up(4) is RunEnd.SUCCEEDED
    assert without_data(system.world) == without_data(made[-1][1])


@pytest.mark.parametrize("to", [2, pytest.param(0, marks=pytest.mark.long)])
def test_a_rollback_that_is_killed_anywhere_continues(tmp_path: Path, to: int) -> None:
    """Step 4, item 6: before each of its operations; the end is that of an undisturbed one."""
    quiet = System(tmp_path / "quiet")
    quiet.roll_back(releases(quiet)[to][0])
    moments = len(quiet.operations.calls)
    assert moments >= 12
    for moment in range(1, moments + 1):
        killed = System(tmp_path / f"killed-{moment}")
        assert killed.roll_back(releases(killed)[to][0], die_at=moment) == ()
        assert killed.world == quiet.world, f"killed at {moment} of {moments}"


@pytest.mark.parametrize("stack", STACKS)
def test_what_cannot_be_undone_is_named_and_the_way_on_works(system: System, stack: str) -> None:
    """Step 4, item 6: stuck, with the reason; once it is mended a rollback goes on."""
    system.up(1)
    before = system.world
    system.director.error = DirectorRefused("not now")
    assert system.up(2, cannot=f"up {stack}") is RunEnd.STUCK
    left = not_undone(system.journal)
    assert left == {f"restore {stack}": f"stack-failed: stack {stack}: cannot up {stack}"}
    assert system.roll_back(system.releases.current()) == ()
    assert without_data(system.world) == without_data(before)


@pytest.mark.parametrize("stack", STACKS)
def test_after_a_run_that_is_stuck_the_next_run_works_too(system: System, stack: str) -> None:
    """Step 4, item 6: what could not be deleted is taken up again by the next `up`."""
    assert system.up(1, "services", cannot=f"destroy {stack}") is RunEnd.STUCK
    assert list(not_undone(system.journal)) == [f"destroy {stack}"]
    assert set(without_data(system.world)) == {stack}
    assert system.up(1) is RunEnd.SUCCEEDED
    assert set(system.world) == set(STACKS)


def notes(system: System) -> dict[str, str]:
    """Say what the journal notes of the undos of dataflows, by step."""
    return {
        entry.step: entry.note
        for entry in system.journal
        if entry.event is StepEvent.UNDO_FINISHED and ".dataflow." in entry.step
    }


def test_a_director_that_is_well_undoes_its_dataflows(system: System) -> None:
    """Design 5: those that the run made are deleted, those that it changed come back."""
    system.up(1, flows=("base", "last"))
    system.up(2, "services", flows=("base", "east", "last"))
    assert system.director.asked == [
        "teardown east",
        "dataflow-setup base",
        "dataflow-setup last",
    ]
    assert notes(system) == {
        "destroy dev.dataflow.east": "by the director; keeps 2 resources with data: box, box-2",
        "restore dev.dataflow.base": "by the director; keeps 1 resource with data: box-2",
        "restore dev.dataflow.last": "by the director; keeps 1 resource with data: box-2",
    }


def test_a_silent_director_is_asked_once_and_again_once_it_is_another_one(system: System) -> None:
    """Design 5: the conductor does it instead, and says so in journal and output."""
    system.up(1, flows=("base", "last"))
    before = system.world
    system.director.error = DirectorSilent("the director did not answer")
    system.up(2, "services", flows=FLOWS)
    assert system.director.asked == ["teardown west", "dataflow-setup base"]
    said = "by the conductor, as the director did not answer"
    assert [note.partition(";")[0] for note in notes(system).values()] == [said] * len(FLOWS)
    warned = [str(e.fields["message"]) for e in system.events if e.kind is RunEventKind.WARNED]
    assert sum("is undone by the conductor: the director did not" in line for line in warned) == 5
    assert without_data(system.world) == without_data(before)


def test_a_director_that_refuses_is_asked_for_each(system: System) -> None:
    """Design 5: it may be able to undo the next one."""
    system.up(1, flows=("base", "last"))
    system.director.error = DirectorRefused("it failed")
    system.up(2, "services", flows=("base", "last"))
    assert system.director.asked == ["dataflow-setup base", "dataflow-setup last"]
    assert all(note.startswith("by the conductor, as it failed") for note in notes(system).values())


def test_a_director_that_goes_itself_is_not_asked(system: System) -> None:
    """Design 5: a first run that fails leaves none."""
    system.up(1, "services", flows=("base", "last"))
    assert system.director.asked == []
    said = "by the conductor, as the director itself is undone; keeps 2 resources"
    assert all(note.startswith(said) for note in notes(system).values())
