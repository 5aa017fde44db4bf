"""An update that is given a preview's plan does what is in it, and nothing else."""

from __future__ import annotations

import random
import stat
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from engine_bench import Bench
from fake_provider import World
from pulumi import automation as auto

TWO = """
    first = Thing("first", name="first", size=1)
    Thing("second", name="second", source=first.url, size=1)
"""


def planned(bench: Bench, program: str, folder: Path) -> tuple[auto.Stack, str]:
    """Preview a program and save its plan."""
    bench.program(program)
    stack, path = bench.stack(), str(folder / "plan.json")
    stack.preview(plan=path)
    return stack, path


def test_the_same_program_does_what_was_planned(bench: Bench, world: World, tmp_path: Path) -> None:
    """What the preview could not know yet is no difference; a second time nothing is left to do."""
    stack, plan = planned(bench, TWO, tmp_path)
    assert stat.S_IMODE(Path(plan).stat().st_mode) == 0o600
    assert stack.up(plan=plan).summary.resource_changes == {"create": 3}
    assert stack.up(plan=plan).summary.resource_changes == {"same": 3}
    assert world.done("create") == ["first", "second"]


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (TWO + '    Thing("third", name="third", size=1)\n', "create is not allowed by the plan"),
        (TWO.replace('"second", source', '"other", source'), "name is not as planned"),
        (TWO.replace("size=1)", "size=2)"), "size is not as planned"),
        (TWO.replace("size=1)", 'size=1, labels={"a": "b"})'), "labels is not as planned"),
    ],
)
def test_another_program_is_stopped_before_it_changes_anything_unplanned(
    bench: Bench, world: World, tmp_path: Path, program: str, said: str
) -> None:
    """A new resource, another name, another value, one property more."""
    stack, plan = planned(bench, TWO, tmp_path)
    bench.program(program)
    with pytest.raises(auto.CommandError) as refused:
        stack.up(plan=plan)
    assert said in str(refused.value)
    things = world.things.values()
    assert all(thing["name"] in {"first", "second"} for thing in things)
    assert all(thing["size"] == 1 and not thing.get("labels") for thing in things)


def test_an_unplanned_deletion_or_replacement_is_refused(
    bench: Bench, world: World, tmp_path: Path
) -> None:
    """A program that has lost a resource deletes nothing."""
    bench.program(TWO)
    bench.stack().up()
    stack, plan = planned(bench, TWO, tmp_path)
    bench.program('    Thing("first", name="first", size=1)\n')
    with pytest.raises(auto.CommandError, match="delete is not allowed by the plan"):
        stack.up(plan=plan)
    assert world.done("delete") == []


def test_a_secret_is_compared_and_not_shown(bench: Bench, world: World, tmp_path: Path) -> None:
    """The plan's file has it encrypted."""
    program = 'Thing("t", name="t", labels={"p": pulumi.Output.secret("hunter2")})'
    stack, plan = planned(bench, program, tmp_path)
    assert "hunter2" not in Path(plan).read_text()
    bench.program(program.replace("hunter2", "hunter3"))
    with pytest.raises(auto.CommandError, match="labels is not as planned"):
        stack.up(plan=plan)
    assert not world.things
    bench.program(program)
    stack.up(plan=plan)
    assert len(world.things) == 1


@pytest.mark.parametrize("text", ["", "[]", '{"manifest": {}}'])
def test_what_is_no_plan_is_refused(bench: Bench, tmp_path: Path, text: str) -> None:
    """A missing file, another one, and a plan of the real engine."""
    path = tmp_path / "plan.json"
    if text:
        path.write_text(text)
    bench.program(TWO)
    with pytest.raises(auto.CommandError, match=r"plan"):
        bench.stack().up(plan=str(path))


@dataclass(frozen=True)
class Small:
    """A program with a few things of which each has a size and a label."""

    sizes: tuple[tuple[str, int], ...]

    def text(self) -> str:
        """Write the program; each thing needs the one before it."""
        lines, before = [], ""
        for name, size in self.sizes:
            source = f", source={before}.url" if before else ""
            lines.append(f'    {name} = Thing("{name}", name="{name}", size={size}{source})')
            before = name
        return "\n".join(lines) + "\n" if lines else "    pass\n"

    def mutated(self, chance: random.Random) -> Small:
        """Change it in one or more places, or not at all."""
        sizes = list(self.sizes)
        for _ in range(chance.randrange(3)):
            match chance.randrange(4):
                case 0:
                    sizes.append((f"new{chance.randrange(99)}", chance.randrange(3)))
                case 1 if sizes:
                    sizes.pop(chance.randrange(len(sizes)))
                case 2 if sizes:
                    at = chance.randrange(len(sizes))
                    sizes[at] = (sizes[at][0], chance.randrange(3))
                case _:
                    chance.shuffle(sizes)
        return replace(self, sizes=tuple(dict(sizes).items()))


def _drift(world: World, chance: random.Random) -> bool:
    """Change or delete something behind everybody's back."""
    if not world.things or chance.random() < 0.5:
        return False
    key = chance.choice(sorted(world.things))
    if chance.random() < 0.5:
        del world.things[key]
    else:
        world.things[key]["size"] = 77
    return True


def _snapshot(world: World) -> dict[str, tuple[object, ...]]:
    return {
        key: (thing["name"], thing.get("size"), str(thing.get("source")))
        for key, thing in world.things.items()
    }


def _hold_one_case(bench: Bench, world: World, folder: Path, chance: random.Random) -> None:
    """Preview one program, change whatever, and bring it up with the plan."""
    base = Small(tuple((name, chance.randrange(3)) for name in ("a", "b", "c")))
    bench.program(base.text())
    bench.stack().up(refresh=True)
    wanted = base.mutated(chance)
    stack, plan = planned(bench, wanted.text(), folder)
    actual = wanted.mutated(chance) if chance.random() < 0.7 else wanted
    drifted = _drift(world, chance)
    before = _snapshot(world)
    bench.program(actual.text())
    try:
        stack.up(plan=plan, refresh=True)
    except auto.CommandError:
        # A repeat of what was previewed is never refused.
        assert actual != wanted or drifted
    after = _snapshot(world)
    sizes = dict(wanted.sizes)
    for key in before.keys() | after.keys():
        if before.get(key) == after.get(key):
            continue
        name = key.rpartition("/")[2]
        if key in after:
            assert sizes.get(name) == after[key][1], f"{name} was changed to what nobody approved"
        else:
            assert name not in sizes, f"{name} was deleted and nobody approved it"


@pytest.mark.parametrize("seed", range(3))
def test_nothing_unplanned_ever_runs(bench: Bench, world: World, tmp_path: Path, seed: int) -> None:
    """Seeded changes of the program and of the cloud between preview and update."""
    chance = random.Random(seed)  # noqa: S311 (a schedule, not a secret)
    for _ in range(5):
        _hold_one_case(bench, world, tmp_path, chance)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1_000, 1_100))
def test_nothing_unplanned_ever_runs_a_thousand_times(
    bench: Bench, world: World, tmp_path: Path, seed: int
) -> None:
    """The same with many more seeds."""
    chance = random.Random(seed)  # noqa: S311 (a schedule, not a secret)
    for _ in range(20):
        _hold_one_case(bench, world, tmp_path, chance)
