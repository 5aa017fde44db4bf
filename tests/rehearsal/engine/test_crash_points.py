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
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from engine_bench import PASSPHRASE, Bench
from fake_provider import World

from rehearsal.engine.programs.processes import Launcher
from rehearsal.engine.secrets.codec import StateCodec
from rehearsal.engine.secrets.passphrase import unlock
from rehearsal.engine.state import checkpoint, integrity

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


def images_of_an_update(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Images:
    """Update, replace, create and delete, with an image before each touch of the folder."""
    bench.program(BEFORE)
    stack = bench.stack()
    stack.up()
    bench.program(AFTER)
    images = Images(bench, bench.root / "images")

    def watched(original: Callable[..., object]) -> Callable[..., object]:
        def call(*args: Any, **kwargs: Any) -> object:
            images.take()
            return original(*args, **kwargs)

        return call

    with monkeypatch.context() as patched:
        for name in TOUCHING:
            patched.setattr(os, name, watched(getattr(os, name)))
        stack.up()
    return images


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
        left = Bench(image, world, launcher)
        latest = left.latest()
        codec = StateCodec(partial(unlock, checkpoint.salt_of(latest), PASSPHRASE))
        snapshot = checkpoint.read(latest, codec)
        assert integrity.violation(snapshot.resources) == ""
        assert "s3cret" not in json.dumps(latest)
    for image, world in images[:: len(images) // 8]:
        go_on(image, world, launcher)


@pytest.mark.long
def test_update_goes_on_after_a_kill_at_every_write(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, launcher: Launcher
) -> None:
    """Wherever it died, the next update ends where this one would have."""
    for image, world in images_of_an_update(bench, monkeypatch).taken:
        go_on(image, world, launcher)
