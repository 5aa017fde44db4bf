"""What `kill -9` leaves at every moment at which the engine touches its state folder.

An image of folder and world is taken before each such call; each is what a process that dies there
leaves behind. (Real kills are in `test_failures`.)
"""

from __future__ import annotations

import copy
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from engine_bench import Bench
from fake_provider import World
from pulumi.automation import CommandResult

from rehearsal.engine.programs.processes import Launcher
from rehearsal.engine.state import integrity

BEFORE = """
base = Thing("base", name="base", token=pulumi.Output.secret("s3cret"))
Thing("gone", name="gone", after=base.url)
Thing("moved", name="one", after=base.url)
"""
AFTER = """
base = Thing("base", name="base", token=pulumi.Output.secret("s3cret"), size=2)
Thing("moved", name="two", after=base.url, foreseen=True)
Thing("new", name="new", after=base.url, foreseen=True)
"""
TOUCHING = ("fsync", "replace", "link", "unlink")


class Images:
    """The images taken so far: a folder each, and the world at that moment."""

    def __init__(self, bench: Bench, folder: Path) -> None:
        self._bench = bench
        self._folder = folder
        self.taken: list[tuple[Path, World]] = []

    def take(self) -> None:
        """Copy the project and remember the world."""
        image = self._folder / str(len(self.taken))
        shutil.copytree(self._bench.root, image, ignore=shutil.ignore_patterns("images"))
        self.taken.append((image, copy.deepcopy(self._bench.world)))


def images_of(bench: Bench, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> Images:
    """Do something, with an image before each touch of the folder."""
    images = Images(bench, bench.root / "images")

    def watched(original: Callable[..., object]) -> Callable[..., object]:
        def call(*args: Any, **kwargs: Any) -> object:
            images.take()
            return original(*args, **kwargs)

        return call

    with monkeypatch.context() as patched:
        for name in TOUCHING:
            patched.setattr(os, name, watched(getattr(os, name)))
        act()
    return images


def images_of_an_update(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Images:
    """Update, replace, create and delete, with an image before each touch of the folder."""
    bench.program(BEFORE)
    stack = bench.stack()
    stack.up()
    bench.program(AFTER)
    return images_of(bench, monkeypatch, stack.up)


def assert_whole(left: Bench) -> bool:
    """See that whatever is there is whole; tell whether the stack exists."""
    folder = left.root / "state" / ".pulumi"
    # The one who died may have left files of his own; nobody reads them.
    for file in folder.rglob("*.json"):
        json.loads(file.read_text())
    for file in (*folder.rglob("*.yaml"), *(left.root / "environments").glob("*.yaml")):
        assert isinstance(yaml.safe_load(file.read_text()), dict)
    for entry in folder.rglob("*.history.json"):
        assert entry.with_name(entry.name.replace(".history", ".checkpoint")).exists()
    if not left.checkpoint_file().exists():
        return False
    assert integrity.violation(left.snapshot().resources) == ""
    assert "s3cret" not in left.checkpoint_file().read_text()
    return True


def go_on(image: Path, world: World, launcher: Launcher) -> None:
    """Bring the stack of an image up, and find that nothing is left to do."""
    bench = Bench(image, world, launcher)
    stack = bench.stack()
    stack.cancel()
    stack.up()
    assert sorted(world.things) == [f"fake:index:Thing/{name}" for name in ("base", "new", "two")]
    assert set(bench.resources()) == {"demo-dev", "base", "moved", "new"}
    assert set(stack.up().summary.resource_changes or {}) == {"same"}


def test_state_opens_after_a_kill_at_every_write(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, launcher: Launcher
) -> None:
    """Each image has a whole checkpoint, sound and with its secrets; a sample of them goes on."""
    images = images_of_an_update(bench, monkeypatch).taken
    assert len(images) > 30
    for image, world in images:
        assert assert_whole(Bench(image, world, launcher))
    for image, world in images[:: len(images) // 8]:
        go_on(image, world, launcher)


@pytest.mark.long
def test_update_goes_on_after_a_kill_at_every_write(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, launcher: Launcher
) -> None:
    """Wherever it died, the next update ends where this one would have."""
    for image, world in images_of_an_update(bench, monkeypatch).taken:
        go_on(image, world, launcher)


COMMANDS: dict[str, list[str]] = {
    "refresh": ["refresh", "--yes"],
    "destroy": ["destroy", "--yes"],
    "config": ["config", "set", "token", "s3cret", "--secret"],
    "import": ["stack", "import", "--file", "export.json"],
    "init": ["stack", "init", "dev"],
    "remove": ["stack", "rm", "--yes", "--force", "dev"],
}


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_other_command_may_be_killed_and_done_again(
    name: str, bench: Bench, monkeypatch: pytest.MonkeyPatch, launcher: Launcher
) -> None:
    """State, history, configuration and selection are whole; done again the command ends alike."""
    words = COMMANDS[name]
    words = words if words[-1] == "dev" else [*words, "--stack", "dev"]
    bench.program(BEFORE)
    if name != "init":
        stack = bench.stack()
        stack.up()
        exported = run(bench, "stack", "export", "--stack", "dev").stdout
        (bench.root / "export.json").write_text(exported)
        bench.world.things["fake:index:Thing/base"]["size"] = 7
    images = images_of(bench, monkeypatch, lambda: run(bench, *words)).taken
    assert len(images) >= 2
    assert (assert_whole(bench), sorted(bench.world.things)) == after(name)
    for image, world in images:
        assert_whole(Bench(image, world, launcher))
    for image, world in (images[0], images[len(images) // 2], images[-1]):
        left = Bench(image, world, launcher)
        exists = left.checkpoint_file().exists()
        if exists:
            run(left, "cancel", "--stack", "dev")
        if name not in ("init", "remove") or exists == (name == "remove"):
            # A folder in which the lock stayed behind has no stack to cancel yet.
            shutil.rmtree(image / "state" / ".pulumi" / "locks", ignore_errors=True)
            run(left, *words)
        assert (assert_whole(left), sorted(world.things)) == after(name)


def after(name: str) -> tuple[bool, list[str]]:
    """Say what a command leaves: whether there is a stack, and the things in the world."""
    things = [f"fake:index:Thing/{thing}" for thing in ("base", "gone", "one")]
    return name != "remove", [] if name in ("destroy", "init") else things


def run(bench: Bench, *words: str) -> CommandResult:
    """Run a command that succeeds."""
    done = bench.engine.execute(words, bench.root, bench.full_environ)
    assert done.code == 0, done.stdout + done.stderr
    return done
