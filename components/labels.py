"""The labels of everything we declare that can carry labels.

Google refuses upper-case letters and most punctuation only when the resource is made; here a
label that cannot work is refused before anything is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import pulumi

MANAGED_BY = "conductor"
LONGEST = 63
_KEY = re.compile(rf"[a-z][a-z0-9_-]{{0,{LONGEST - 1}}}")
_VALUE = re.compile(rf"[a-z0-9_-]{{0,{LONGEST}}}")


class InvalidLabelError(pulumi.RunError):
    """A label that Google Cloud would refuse."""


def resource_labels(
    environment: str, dataflow: str | None = None, own: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return a resource's labels in sorted order: its own, and ours, which win.

    Keys and values are lower-cased, as Google demands.

    Raises:
        InvalidLabelError: a key or value has a character that no label may have, or is too long.
    """
    wanted = {key.lower(): value.lower() for key, value in (own or {}).items()}
    wanted |= {"managed-by": MANAGED_BY, "environment": environment.lower()}
    if dataflow is not None:
        wanted["dataflow"] = dataflow.lower()
    for key, value in wanted.items():
        if not _KEY.fullmatch(key):
            raise InvalidLabelError(
                f"label key {key!r} is not usable: a lower-case letter, then at most "
                f"{LONGEST - 1} of a-z, 0-9, _ and -"
            )
        if not _VALUE.fullmatch(value):
            raise InvalidLabelError(
                f"value {value!r} of label {key!r} is not usable: at most {LONGEST} of "
                "a-z, 0-9, _ and -"
            )
    return dict(sorted(wanted.items()))
