"""The rules that an operator sets in a file: what differs from the documented ones.

The file is YAML. What it does not name stays as documented; `docs/guides/coordination.md` shows
one with every key.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from architecture.durations import seconds
from orchestration.coordination.model import Identifier, RiskLevel, Text
from orchestration.coordination.rules import (
    APPROVAL_RULES,
    CONTRADICTIONS,
    PLAN_TEMPLATES,
    ApprovalRule,
    Freeze,
    Rules,
    StepTemplate,
)
from orchestration.errors import UsageError


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _readable(text: str) -> str:
    if seconds(text) <= 0:
        raise ValueError(f"{text!r} is no time at all")
    return text


class FreezeEntry(_Part):
    """A time in which nothing is changed."""

    name: Identifier
    starts_at: AwareDatetime
    ends_at: AwareDatetime

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> FreezeEntry:
        if self.ends_at <= self.starts_at:
            raise ValueError("ends before it starts")
        return self


class ApprovalEntry(_Part):
    """What a risk level asks of people; what is not given stays as documented."""

    approvers: Annotated[int, Field(ge=0, le=20)] | None = None
    approvers_with_auto_approve: Annotated[int, Field(ge=0, le=20)] | None = None
    expires_after: Annotated[str, AfterValidator(_readable)] | None = None
    notifies_when_automatic: bool | None = None

    def above(self, documented: ApprovalRule) -> ApprovalRule:
        """Give the documented rule with what this entry changes."""
        given = self.model_dump(exclude_none=True)
        if self.expires_after is not None:
            given["expires_after"] = timedelta(seconds=seconds(self.expires_after))
        return replace(documented, **given)


class StepEntry(_Part):
    """One step of a plan; without an agent it is the recommendation's own."""

    action: Identifier
    critical: bool = True
    reversible: bool = True
    agent: Text = ""
    retain_on_rollback: bool = False
    parameters: dict[Identifier, Text] = {}


def _different(pair: tuple[Identifier, Identifier]) -> tuple[Identifier, Identifier]:
    if pair[0] == pair[1]:
        raise ValueError(f"{pair[0]!r} cannot contradict itself")
    return pair


class RulesFile(_Part):
    """What a rules file may say."""

    freezes: tuple[FreezeEntry, ...] = ()
    contradictions: tuple[
        Annotated[tuple[Identifier, Identifier], AfterValidator(_different)], ...
    ] = ()
    approvals: dict[RiskLevel, ApprovalEntry] = {}
    templates: dict[Identifier, Annotated[tuple[StepEntry, ...], Field(min_length=1)]] = {}

    def rules(self) -> Rules:
        """Give the documented rules with what the file adds and changes."""
        return Rules(
            contradictions=CONTRADICTIONS | {frozenset(pair) for pair in self.contradictions},
            approvals={
                level: self.approvals.get(level, ApprovalEntry()).above(documented)
                for level, documented in APPROVAL_RULES.items()
            },
            templates={
                **PLAN_TEMPLATES,
                **{
                    action: tuple(StepTemplate(**step.model_dump()) for step in steps)
                    for action, steps in self.templates.items()
                },
            },
            freezes=tuple(Freeze(f.name, f.starts_at, f.ends_at) for f in self.freezes),
        )


def read_rules(path: Path) -> Rules:
    """Read a rules file.

    Raises:
        UsageError: it cannot be read, or says what no rule can be; every place is named.
    """
    hint = "docs/guides/coordination.md shows what it may say"
    try:
        content = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint=hint) from error
    except yaml.YAMLError as error:
        first, *_ = str(error).splitlines()
        mark = getattr(error, "problem_mark", None)
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise UsageError(f"{path}{place} is no YAML: {first}", hint=hint) from error
    try:
        return RulesFile.model_validate({} if content is None else content).rules()
    except ValidationError as error:
        findings = [
            f"{'.'.join(str(part) for part in entry['loc']) or 'the file'}: "
            f"{entry['msg'].removeprefix('Value error, ')}"
            for entry in error.errors()
        ]
        raise UsageError(
            f"{path}: {findings[0]}", details="\n".join(findings[1:]), hint=hint
        ) from error
