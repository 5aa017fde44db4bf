"""Exceptions from rules that somebody has signed for, until a day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from policies.model import Violation

Words = Annotated[str, Field(min_length=1)]


class WaiversError(ValueError):
    """The file of waivers cannot be used; the message has the file, the place and the reason."""


class Waiver(BaseModel):
    """One exception: which rule, on which resource, why, who answers for it, and until when.

    `resource` is a name, or a pattern as in `gcp-*`, of what violations call `resource`. The
    waiver holds up to and including `expires_on`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: Words
    resource: Words
    reason: Words
    owner: Words
    expires_on: date

    def covers(self, violation: Violation, today: date) -> bool:
        """Whether it excuses a violation today."""
        return (
            self.rule == violation.rule
            and today <= self.expires_on
            and fnmatchcase(violation.resource, self.resource)
        )


def read_waivers(path: Path, known_rules: Sequence[str]) -> tuple[Waiver, ...]:
    """Read the file of waivers; there need not be one.

    Raises:
        WaiversError: it is no list of waivers, or one names a rule that does not exist.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ()
    except (OSError, yaml.YAMLError) as error:
        raise WaiversError(f"{path}: {' '.join(str(error).split())}") from error
    if document is None:
        return ()
    if not isinstance(document, list):
        raise WaiversError(f"{path}: a list of waivers is expected")
    waivers = []
    for number, entry in enumerate(document, start=1):
        try:
            waiver = Waiver.model_validate(entry)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise WaiversError(f"{path}: waiver {number}: {where}: {first['msg']}") from error
        if waiver.rule not in known_rules:
            raise WaiversError(
                f"{path}: waiver {number}: there is no rule {waiver.rule!r}"
                f" (there are: {', '.join(known_rules)})"
            )
        waivers.append(waiver)
    return tuple(waivers)
