"""How often a server looks for garbage that refers to itself."""

from __future__ import annotations

import gc
from typing import Final

# Deciding on a large request makes half a million objects and no garbage in circles; looking
# through them every 700 objects, as Python does by default, took a third of the time.
YOUNG_OBJECTS: Final = 50_000
YOUNGER_ROUNDS: Final = 20


def collect_rarely() -> None:
    """Leave what is loaded alone for good, and look at new objects in large portions."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, YOUNGER_ROUNDS, YOUNGER_ROUNDS)
