"""All rules, over all planned resources."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import Final

from policies import (
    missing_labels,
    no_limits,
    primitive_roles,
    public_invokers,
    service_account_keys,
    unprotected_data,
)
from policies.model import PlannedResource, Rule, Violation
from policies.waivers import Waiver

RULES: Final[tuple[Rule, ...]] = (
    public_invokers.RULE,
    primitive_roles.RULE,
    service_account_keys.RULE,
    missing_labels.RULE,
    unprotected_data.RULE,
    no_limits.RULE,
)


def violations_of(
    resources: Iterable[PlannedResource], waivers: Sequence[Waiver], today: date
) -> tuple[Violation, ...]:
    """Find every violation, those that stop a run first.

    Args:
        resources: what the stacks declare.
        waivers: exceptions; an expired one excuses nothing.
        today: the day by which waivers are judged.
    """
    found = []
    for resource in resources:
        for rule in RULES:
            for message in rule.check(resource):
                violation = Violation(
                    rule=rule.name,
                    level=rule.level,
                    stack=resource.stack,
                    resource=resource.name,
                    message=f"{resource.type.rpartition(':')[2]} {resource.name} {message}",
                    why=rule.why,
                    instead=rule.instead,
                )
                waiver = next((w for w in waivers if w.covers(violation, today)), None)
                if waiver is not None:
                    said = f"{waiver.reason} ({waiver.owner}, until {waiver.expires_on})"
                    violation = replace(violation, waived=said)
                found.append(violation)
    return tuple(sorted(found, key=lambda v: (not v.stops, v.level, v.rule, v.stack, v.resource)))
