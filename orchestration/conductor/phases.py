"""The phases of a run, in the order of the user's document (000), after a local one."""

from __future__ import annotations

from enum import IntEnum


class Phase(IntEnum):
    """What a run does, in this order; a phase starts when the one before it has succeeded."""

    PLAN = 0
    PREREQUISITES = 1
    IAM = 2
    ARTIFACTS = 3
    IMAGES_AND_DIRECTOR = 4
    FOUNDATIONAL = 5
    RESOURCE_IAM = 6
    SERVICES = 7

    @property
    def title(self) -> str:
        """What people read."""
        return TITLES[self]

    @property
    def word(self) -> str:
        """What people type: `--skip images-and-director`."""
        return self.name.lower().replace("_", "-")


TITLES = {
    Phase.PLAN: "Plan",
    Phase.PREREQUISITES: "Prerequisites",
    Phase.IAM: "IAM",
    Phase.ARTIFACTS: "Artifacts",
    Phase.IMAGES_AND_DIRECTOR: "Images and director",
    Phase.FOUNDATIONAL: "Foundational infrastructure",
    Phase.RESOURCE_IAM: "Resource IAM",
    Phase.SERVICES: "Services",
}
