"""Thousands of changes between a preview and its run: nothing that nobody approved ever happens."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import pytest

from architecture.hydration import hydrate
from architecture.loading import load
from architecture.model import Architecture
from orchestration.automation.results import PlannedStep, PropertyChange, StackPreview
from orchestration.review.building import build_review
from orchestration.review.comparing import require_approved
from orchestration.review.errors import NotApproved
from orchestration.review.model import Review
from tests.orchestration.review.test_impact import EVERY_KIND

STACKS = ("prod.foundation", "prod.dataflow.a", "prod.dataflow.b", "prod.services.a")
TYPES = (
    "gcp:pubsub/topic:Topic",
    "gcp:storage/bucket:Bucket",
    "gcp:pubsub/topicIAMMember:TopicIAMMember",
)
CASES = 2_000


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource that somebody asks for, or that is there: its type and one property."""

    type: str
    value: int

    def inputs(self, name: str) -> dict[str, str | int]:
        """Give its properties; a grant's value is who it is for."""
        if self.type.endswith("IAMMember"):
            member = f"serviceAccount:m{self.value}@p"
            return {"topic": name, "role": "roles/pubsub.viewer", "member": member}
        return {"name": name, "value": self.value}


Stacks = dict[str, dict[str, Resource]]


@dataclass(frozen=True, slots=True)
class World:
    """What the programs ask for, what was asked last time, what is there, and the sources."""

    wanted: Stacks
    recorded: Stacks
    there: Stacks
    sources: dict[str, str]
    order: tuple[str, ...] = STACKS


def planned(world: World, chance: random.Random) -> list[StackPreview]:
    """Plan as an engine does, independent resources in any order."""
    previews = []
    for stack in world.order:
        wanted, there = world.wanted[stack], world.there[stack]
        names = sorted(wanted.keys() | there.keys())
        chance.shuffle(names)
        steps = [
            _step(stack, name, wanted.get(name), there.get(name), world.recorded[stack].get(name))
            for name in names
        ]
        previews.append(StackPreview(stack, tuple(steps), {}, {}, chance.random()))
    return previews


def _step(
    stack: str, name: str, new: Resource | None, old: Resource | None, last: Resource | None
) -> PlannedStep:
    some = new or old
    assert some is not None, "there is one or the other"
    operation = "same" if new == old else "create" if old is None else "update"
    operation = "delete" if new is None else operation
    if new is not None and old is not None and new.type != old.type:
        operation = "replace"
    return PlannedStep(
        operation=operation,
        urn=f"urn:{stack}::{name}",
        type=some.type,
        name=name,
        changes=(PropertyChange("value", "update"),) if operation == "update" else (),
        repairs_drift=operation != "same" and new is not None and new == last,
        before={} if old is None else dict(old.inputs(name)),
        after={} if new is None else dict(new.inputs(name)),
    )


def reviewed(world: World, architecture: Architecture, chance: random.Random) -> Review:
    """Preview a world."""
    previews = planned(world, chance)
    return build_review("prod", architecture, previews, contexts=world.sources)


def effects(world: World) -> tuple[object, ...]:
    """Say all that a run on a world would do, and on what: what an approval is for."""
    done = [
        (stack, name, world.there[stack].get(name), world.wanted[stack].get(name))
        for stack in world.order
        for name in sorted(world.wanted[stack].keys() | world.there[stack].keys())
        if world.wanted[stack].get(name) != world.there[stack].get(name)
    ]
    return done, world.order, sorted(world.sources.items())


def mutated(world: World, chance: random.Random) -> World:
    """Change code, cloud, sources or order in up to three places."""
    for _ in range(chance.randrange(4)):
        match chance.randrange(4):
            case 0:
                world = replace(world, wanted=_changed(world.wanted, chance))
            case 1:
                world = replace(world, there=_changed(world.there, chance))
            case 2:
                digest = f"{chance.randrange(3)}" * 64
                name = chance.choice(("taker", "packer", "new"))
                world = replace(world, sources={**world.sources, name: digest})
            case _:
                order = list(world.order)
                chance.shuffle(order)
                world = replace(world, order=tuple(order))
    return world


def _changed(stacks: Stacks, chance: random.Random) -> Stacks:
    stack = chance.choice(STACKS)
    inside = dict(stacks[stack])
    name = f"r{chance.randrange(4)}"
    if chance.random() < 0.4:
        inside.pop(name, None)
    else:
        inside[name] = Resource(chance.choice(TYPES), chance.randrange(3))
    return {**stacks, stack: inside}


def any_world(chance: random.Random) -> World:
    """Make a system that was deployed once, drifted a little, and is to be changed."""
    recorded: Stacks = {
        stack: {
            f"r{n}": Resource(chance.choice(TYPES), chance.randrange(3))
            for n in range(chance.randrange(4))
        }
        for stack in STACKS
    }
    sources = {"taker": "0" * 64, "packer": "1" * 64}
    return mutated(World(recorded, recorded, recorded, sources), chance)


@pytest.fixture(scope="module")
def architecture() -> Architecture:
    """Some architecture: it gives reasons and reach, and decides nothing here."""
    loaded = load(EVERY_KIND).architecture
    return hydrate(loaded, base_dir=EVERY_KIND.parent, project_id="p", environment="prod")


@pytest.mark.parametrize("part", range(4))
def test_a_run_goes_on_exactly_when_it_does_what_was_approved(
    architecture: Architecture, part: int
) -> None:
    """Whatever changes in between: never anything else, and never a refusal of the same."""
    ends = {True: 0, False: 0}
    for seed in range(part * CASES // 4, (part + 1) * CASES // 4):
        chance = random.Random(seed)  # noqa: S311 (a schedule, not a secret)
        world = any_world(chance)
        approved = Review.model_validate_json(
            reviewed(world, architecture, chance).model_dump_json()
        )
        later = mutated(world, chance)
        is_same = effects(later) == effects(world)
        now = reviewed(later, architecture, chance)
        try:
            require_approved(approved, now)
            refusal = None
        except NotApproved as refused:
            refusal = refused.details
        if is_same:
            assert refusal is None, f"seed {seed}: the same was refused: {refusal}"
        else:
            assert refusal, f"seed {seed}: {effects(world)} was approved, {effects(later)} is done"
        ends[is_same] += 1
    assert min(ends.values()) > CASES // 40
