"""The project's policies over what the stacks declare, before anything is applied."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from architecture.model import Architecture
from architecture.names import stack_name
from orchestration.automation.declared import declared_resources
from orchestration.director.digests import file_digest, program_digest
from orchestration.environments import Environment, write_atomically
from orchestration.errors import UsageError
from orchestration.review.errors import PolicyDenied
from orchestration.wording import counted
from policies.checking import RULES, violations_of
from policies.model import Level, PlannedResource, Violation
from policies.waivers import WaiversError, read_waivers

WAIVERS: Final = Path("policies") / "waivers.yaml"


class DeclaredResources(BaseModel):
    """What the programs declared on the inputs that `key` is a digest of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    resources: tuple[PlannedResource, ...]


class PolicyCheck:
    """Checks one environment's architecture; touches no cloud."""

    def __init__(self, environment: Environment, architecture: Architecture) -> None:
        self._environment = environment
        self._architecture = architecture

    def violations(self) -> tuple[Violation, ...]:
        """Find every violation in what the hydrated architecture's stacks declare.

        Raises:
            UsageError: the file of waivers cannot be used.
            StackFailed: a stack's program failed.
        """
        project_dir = self._environment.settings.project_dir
        try:
            waivers = read_waivers(project_dir / WAIVERS, [rule.name for rule in RULES])
        except WaiversError as error:
            raise UsageError(str(error)) from error
        return violations_of(self._declared(), waivers, datetime.now(UTC).date())

    def enforce(self) -> tuple[str, ...]:
        """Stop where a policy denies something; give what it warns of, a line each.

        Raises:
            PolicyDenied: `findings` has every violation that stops the run.
        """
        violations = self.violations()
        denied = tuple(violation_line(v) for v in violations if v.stops)
        if denied:
            raise PolicyDenied(
                f"policies deny {counted(len(denied), 'thing')} that would be deployed",
                findings=denied,
            )
        return warnings_of(violations)

    def _declared(self) -> tuple[PlannedResource, ...]:
        """Run the stacks' programs, unless they were run on the same things before."""
        project_dir = self._environment.settings.project_dir
        stacks, config = self._stacks(), self._config()
        inputs = (
            program_digest(project_dir),
            file_digest(self._environment.architecture_file),
            file_digest(self._environment.overrides_file),
            stacks,
            sorted(config.items()),
        )
        key = hashlib.sha256(repr(inputs).encode()).hexdigest()
        kept = self._environment.folder / "declared.json"
        with suppress(FileNotFoundError, ValidationError):
            found = DeclaredResources.model_validate_json(kept.read_bytes())
            if found.key == key:
                return found.resources
        resources = declared_resources(project_dir, stacks, config)
        write_atomically(
            kept, DeclaredResources(key=key, resources=resources).model_dump_json() + "\n"
        )
        return resources

    def _stacks(self) -> tuple[str, ...]:
        name = self._environment.name
        flows = self._architecture.application_dataflows()
        return (
            *(stack_name(name, layer) for layer in ("foundation", "images", "director")),
            *(stack_name(name, "dataflow", flow) for flow in flows),
            *(stack_name(name, "services", flow) for flow in flows),
        )

    def _config(self) -> dict[str, str]:
        """Configure the stacks as far as declaring needs it; nothing of it reaches a cloud."""
        record = self._environment.require_record()
        return {
            "conductor:architecture": str(self._environment.architecture_file),
            "conductor:overrides": str(self._environment.overrides_file),
            "conductor:contexts": str(self._environment.contexts_dir),
            "conductor:environment": self._environment.name,
            "conductor:target": record.target.value,
            "gcp:project": self._architecture.project_id,
            "gcp:region": self._architecture.region,
        }


def violation_line(violation: Violation) -> str:
    """Say a violation in one line: what, the rule, why, and what to do."""
    return (
        f"{violation.message} [{violation.rule}, {violation.stack}]: {violation.why};"
        f" {violation.instead}"
    )


def warnings_of(violations: Sequence[Violation]) -> tuple[str, ...]:
    """Tell what is only warned of, a rule a line: what is waived is not told again."""
    lines = []
    for rule in RULES:
        warned = [
            v for v in violations if v.rule == rule.name and v.level is Level.WARN and not v.waived
        ]
        if warned:
            first = ", ".join(sorted({v.resource for v in warned})[:3])
            more = f" and {len(warned) - 3} more" if len(warned) > 3 else ""  # noqa: PLR2004 - as above
            lines.append(f"policy {rule.name}: {first}{more}: {rule.why}; {rule.instead}")
    return tuple(lines)
