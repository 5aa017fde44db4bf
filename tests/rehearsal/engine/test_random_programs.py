"""Random programs, changed at random, with random failures: what holds whatever happens."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pytest
from engine_bench import Bench
from fake_provider import FakeProvider, World
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pulumi import automation as auto

from rehearsal.engine.programs.processes import ZygoteLauncher
from rehearsal.engine.provider import Properties

PROGRAM = """
import json, pathlib
made, retained = {}, {None: False}
for item in json.loads(pathlib.Path("spec.json").read_text()):
    options = Options(
        parent=made.get(item["parent"]),
        depends_on=[made[name] for name in item["after"] if name in made],
        protect=item["protect"] or None,
        retain_on_delete=item["retain"] or None,
        delete_before_replace=item["first"],
        ignore_changes=["size"] if item["ignores"] else None,
        aliases=[pulumi.Alias(name=item["was"])] if item["was"] else None,
    )
    retained[item["name"]] = item["retain"] or retained[item["parent"]]
    if item["group"]:
        made[item["name"]] = Group(item["name"], options)
        continue
    sources = [made[name].url for name in item["uses"] if hasattr(made.get(name), "url")]
    made[item["name"]] = Thing(
        item["name"], options, size=item["size"], zone=item["zone"], sources=sources,
        retained=retained[item["name"]],
    )
pulumi.export("urls", [thing.url for thing in made.values() if hasattr(thing, "url")])
"""


@dataclass(frozen=True)
class Item:
    """One resource of a random program; those it refers to come before it."""

    name: str
    group: bool
    parent: str | None
    after: list[str]
    uses: list[str]
    size: int
    zone: int
    protect: bool
    retain: bool
    first: bool | None
    ignores: bool
    was: str | None = None


class WatchedWorld(World):
    """A world in which nothing may be deleted that others still use."""

    def __init__(self) -> None:
        super().__init__()
        self.deleted_first: set[str] = set()

    def provider(self) -> FakeProvider:
        """Make a provider that watches over it."""
        return Watched(self)


class Watched(FakeProvider):
    """A provider that notes when something is deleted that others still use."""

    def __init__(self, world: WatchedWorld) -> None:
        super().__init__(world)
        self._watched = world

    async def delete(
        self,
        *,
        urn: str,
        type_: str,
        id: str,  # noqa: A002 (the protocol's name)
        outputs: Properties,
        inputs: Properties,
        timeout: float,
    ) -> None:
        """Delete a thing."""
        await super().delete(
            urn=urn, type_=type_, id=id, outputs=outputs, inputs=inputs, timeout=timeout
        )
        if urn.rpartition("::")[2] in self._watched.deleted_first:
            # Deleted ahead of its replacement: who only uses it is updated afterwards.
            return
        for other, thing in self._world.things.items():
            sources = thing.get("sources")
            if not thing.get("retained") and outputs.get("url") in (sources or ()):  # type: ignore[operator]
                self._world.calls.append(("orphaned", other))


@st.composite
def items(draw: st.DrawFn, name: str, before: list[Item]) -> Item:
    """Draw one resource; its parent is a component, as nothing may depend on what it is in."""
    things = [item.name for item in before if not item.group]
    groups = [item.name for item in before if item.group]
    some = st.lists(st.sampled_from(things), max_size=3, unique=True) if things else st.just([])
    return Item(
        name=name,
        group=draw(st.integers(0, 4)) == 0,
        parent=draw(st.sampled_from([None, *groups])),
        after=draw(some),
        uses=draw(some),
        size=draw(st.integers(0, 2)),
        zone=draw(st.integers(0, 1)),
        protect=draw(st.integers(0, 7)) == 0,
        retain=draw(st.integers(0, 5)) == 0,
        first=draw(st.sampled_from([None, None, True, False])),
        ignores=draw(st.integers(0, 5)) == 0,
    )


@st.composite
def programs(draw: st.DrawFn) -> list[Item]:
    """Draw a program of up to ten resources."""
    found: list[Item] = []
    for number in range(draw(st.integers(1, 10))):
        found.append(draw(items(f"r{number}", found)))
    return found


@st.composite
def changed(draw: st.DrawFn, program: list[Item]) -> list[Item]:
    """Draw a change of a program: resources go, come, change, and are renamed."""
    found: list[Item] = []
    for item in program:
        match draw(st.sampled_from(["keep", "keep", "change", "change", "drop", "rename"])):
            case "keep":
                found.append(item)
            case "change":
                new = draw(items(item.name, found))
                # Another parent or type would be another resource, under another URN.
                found.append(replace(new, group=item.group, parent=item.parent))
            case "rename":
                found.append(replace(item, name=f"{item.name}x", was=item.name))
            case _:
                pass
    return [
        replace(
            item, parent=item.parent if item.parent in {other.name for other in found} else None
        )
        for item in found
    ]


class Trial:
    """A stack on which random programs are tried."""

    def __init__(self, root: Path, launcher: ZygoteLauncher) -> None:
        self.world = WatchedWorld()
        self.bench = Bench(root, self.world, launcher)
        self.bench.program(PROGRAM)
        self.stack = self.bench.stack()
        self.said = ""

    def write(self, program: list[Item]) -> None:
        """Make a program the stack's."""
        text = json.dumps([asdict(item) for item in program])
        (self.bench.root / "stacks" / "spec.json").write_text(text)
        self.world.deleted_first.update(item.name for item in program if item.first)

    def attempt(self, *, failing: set[tuple[str, str]], keep_going: bool) -> bool:
        """Bring the stack up while some calls fail; tell whether it came up."""
        self.world.failing = failing
        try:
            self.stack.up(continue_on_error=keep_going)
        except auto.CommandError as error:
            self.said = str(error)
            self.require_whole()
            return False
        finally:
            self.world.failing = set()
        self.require_whole()
        self.require_settled()
        return True

    def require_whole(self) -> None:
        """Require that nothing dangles, and that state and world tell the same."""
        assert "internal error" not in self.said
        assert "inconsistent" not in self.said
        resources = self.bench.latest().get("resources", [])
        seen: set[str] = set()
        for resource in resources:
            for required in references(resource):
                assert required in seen, f"{resource['urn']} needs {required}"
            seen.add(resource["urn"])
        assert "pending_operations" not in self.bench.latest()
        recorded = {
            item["id"]: item
            for item in resources
            # Deleted ahead of its replacement: on record, but gone.
            if item["type"] == "fake:index:Thing" and not item.get("pendingReplacement")
        }
        things = {
            identity: thing
            for identity, thing in self.world.things.items()
            if identity in recorded or not thing["retained"]
        }
        assert set(things) == set(recorded)
        for identity, thing in things.items():
            assert recorded[identity]["outputs"] == thing
        assert self.world.done("orphaned") == []

    def require_settled(self) -> None:
        """Require that there is nothing left to do."""
        summary = self.stack.preview().change_summary
        assert set(summary) <= {"same"}, summary
        resources = self.bench.latest()["resources"]
        assert not any(item.get("delete") or item.get("pendingReplacement") for item in resources)

    def clear(self, program: list[Item]) -> None:
        """Take the stack down, protected resources after their protection is lifted."""
        if any(item.get("protect") for item in self.bench.resources().values()):
            with pytest.raises(auto.CommandError, match="because it is protected"):
                self.stack.destroy()
            self.require_whole()
            assert self.bench.resources()
        self.write(unprotected(program))
        assert self.attempt(failing=set(), keep_going=False), self.said
        self.stack.destroy()
        assert self.bench.latest().get("resources", []) == []
        assert all(thing["retained"] for thing in self.world.things.values())


def unprotected(program: list[Item]) -> list[Item]:
    """Lift every protection."""
    return [replace(item, protect=False) for item in program]


def references(resource: Mapping[str, object]) -> set[str]:
    """Collect the URNs that a recorded resource refers to."""
    found = {str(resource[key]) for key in ("parent", "deletedWith") if resource.get(key)}
    found.update(resource.get("dependencies", ()))  # type: ignore[arg-type]
    for urns in resource.get("propertyDependencies", {}).values():  # type: ignore[attr-defined]
        found.update(urns or ())
    if resource.get("provider"):
        found.add(str(resource["provider"]).rpartition("::")[0])
    return found


def run_trial(data: st.DataObject, launcher: ZygoteLauncher) -> None:
    """Bring a random program up, change it, let calls fail, and take it down again."""
    program = data.draw(programs(), "first program")
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(Path(folder), launcher)
        trial.write(program)
        assert trial.attempt(failing=set(), keep_going=False), trial.said
        program = data.draw(changed(program), "changed program")
        trial.write(program)
        calls = st.sampled_from(["create", "update", "delete"])
        names = st.sampled_from([f"r{number}" for number in range(10)])
        failing = data.draw(st.sets(st.tuples(calls, names), max_size=4), "failing")
        trial.attempt(failing=failing, keep_going=data.draw(st.booleans(), "keep going"))
        if not trial.attempt(failing=set(), keep_going=False):
            # Only protection hinders it: of what is replaced, or of what the program left out.
            assert "protect" in trial.said
            program = unprotected(program)
            trial.write(program)
            if not trial.attempt(failing=set(), keep_going=False):
                assert "because it is protected" in trial.said
                return
        trial.clear(program)


@pytest.mark.timeout(240)
@settings(max_examples=5, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_state_is_true_whatever_happens(data: st.DataObject, launcher: ZygoteLauncher) -> None:
    """Nothing dangles, nothing is lost, an update settles, and a destroy leaves nothing."""
    run_trial(data, launcher)


@pytest.mark.long
@pytest.mark.timeout(3600)
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_state_is_true_whatever_happens_many_times(
    data: st.DataObject, launcher: ZygoteLauncher
) -> None:
    """The same for many more programs."""
    run_trial(data, launcher)
