"""Enums by number, as Google's generated REST clients send them.

The documents list names only. Their order is the numbering but for a few enums, told here; each is
known by the first of its names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

# Of the proto files: google/api/launch_stage, google/devtools/artifactregistry/v1/repository,
# google/iam/admin/v1/iam and google/cloud/secretmanager/v1/resources.
_NUMBERS: Final[Mapping[str, Mapping[str, int]]] = {
    "LAUNCH_STAGE_UNSPECIFIED": {
        "EARLY_ACCESS": 1,
        "ALPHA": 2,
        "BETA": 3,
        "GA": 4,
        "DEPRECATED": 5,
        "UNIMPLEMENTED": 6,
        "PRELAUNCH": 7,
    },
    "FORMAT_UNSPECIFIED": {
        "APT": 5,
        "YUM": 6,
        "GOOGET": 7,
        "PYTHON": 8,
        "KFP": 9,
        "GO": 10,
        "GENERIC": 11,
        "RUBY": 12,
        "CONDA": 13,
    },
    "ALPHA": {"DEPRECATED": 4, "DISABLED": 5, "EAP": 6},
    "SECRET_TYPE_UNSPECIFIED": {"OTHER": 50},
}


def name_of(names: Sequence[str], number: int) -> str | None:
    """Return the name that has a number; None where none has.

    Args:
        names: Of the enum, in the order of the document.
        number: As sent.
    """
    told = _NUMBERS.get(names[0], {})
    numbered = {told.get(name, position): name for position, name in enumerate(names)}
    return numbered.get(number)
