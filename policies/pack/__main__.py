"""The rules as a pack for the real `pulumi`: the same functions, the same waivers."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)

# Pulumi starts a pack in its own folder, with its own environment.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from policies.checking import RULES, violations_of
from policies.model import Level, PlannedResource, Rule
from policies.waivers import read_waivers

WAIVERS = read_waivers(
    Path(__file__).resolve().parents[1] / "waivers.yaml", [rule.name for rule in RULES]
)
LEVELS = {Level.DENY: EnforcementLevel.MANDATORY, Level.WARN: EnforcementLevel.ADVISORY}


def policy_of(rule: Rule) -> ResourceValidationPolicy:
    """Wrap a rule as a policy."""

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        resource = PlannedResource(
            stack="",  # A pack is asked about one stack at a time.
            type=args.resource_type,
            name=args.name,
            inputs=args.props,
            is_protected=bool(args.opts.protect),
        )
        for violation in violations_of([resource], WAIVERS, datetime.now(UTC).date()):
            if violation.rule == rule.name and not violation.waived:
                report(f"{violation.message}: {violation.why}; {violation.instead}")

    return ResourceValidationPolicy(
        name=rule.name,
        description=rule.why,
        enforcement_level=LEVELS[rule.level],
        validate=validate,
    )


PolicyPack(name="conductor", policies=[policy_of(rule) for rule in RULES])
