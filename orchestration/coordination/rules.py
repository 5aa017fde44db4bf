"""The rules of the engine as data: what a customer's policy may change without new code."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from types import MappingProxyType
from typing import Final

from orchestration.coordination.model import RiskLevel

# Pairs that undo each other, in whichever order they come.
CONTRADICTIONS: Final[frozenset[frozenset[str]]] = frozenset(
    frozenset(pair)
    for pair in (
        ("scale_up", "scale_down"),
        ("scale_up", "terminate"),
        ("scale_down", "add_capacity"),
        ("migrate_to_spot", "migrate_to_on_demand"),
        ("migrate_to_spot", "reserve_instances"),
        ("increase_batch_size", "decrease_batch_size"),
        ("enable_caching", "disable_caching"),
    )
)

# The built-in actions: does one leave something behind that an undo takes back?
BUILT_IN_ACTIONS: Final[Mapping[str, bool]] = MappingProxyType(
    {
        "take_snapshot": True,
        "scale_resources": True,
        "scale_up": True,
        "scale_down": True,
        "increase_batch_size": True,
        "decrease_batch_size": True,
        "enable_caching": True,
        "disable_caching": True,
        "migrate_workload": True,
        "migrate_to_spot": True,
        "migrate_to_on_demand": True,
        "validate_quality": False,
    }
)
UNDO_PREFIX: Final = "undo:"
# How recommendations name services of an environment.
SERVICE_PREFIX: Final = "services/"
SPOT_NOTE: Final = (
    "Cloud Run has no spot instances: services move to billing by request with no minimum of"
    " instances"
)


@dataclass(frozen=True, slots=True)
class ApprovalRule:
    """What a risk level asks of people; the numbers are distinct approvers."""

    approvers: int
    approvers_with_auto_approve: int
    expires_after: timedelta
    notifies_when_automatic: bool = False


APPROVAL_RULES: Final[Mapping[RiskLevel, ApprovalRule]] = MappingProxyType(
    {
        RiskLevel.LOW: ApprovalRule(1, 0, timedelta(days=7)),
        RiskLevel.MEDIUM: ApprovalRule(1, 0, timedelta(hours=48), notifies_when_automatic=True),
        RiskLevel.HIGH: ApprovalRule(1, 1, timedelta(hours=24)),
        RiskLevel.CRITICAL: ApprovalRule(2, 2, timedelta(hours=4)),
    }
)


@dataclass(frozen=True, slots=True)
class StepTemplate:
    """One step of a plan; an empty `agent` is the recommendation's own."""

    action: str
    critical: bool
    reversible: bool
    agent: str = ""
    retain_on_rollback: bool = False
    # Added to the recommendation's own parameters.
    parameters: Mapping[str, str] = field(default_factory=dict)


_SNAPSHOT = StepTemplate("take_snapshot", critical=True, reversible=True, retain_on_rollback=True)
_VALIDATION = StepTemplate(
    "validate_quality", critical=True, reversible=False, agent="application-agent"
)
PLAN_TEMPLATES: Final[Mapping[str, tuple[StepTemplate, ...]]] = MappingProxyType(
    {
        "migrate_to_spot": (
            _SNAPSHOT,
            # Cloud Run has no spot instances: paying by request is what comes nearest.
            StepTemplate(
                "migrate_workload",
                critical=True,
                reversible=True,
                parameters={"billing": "request"},
            ),
            _VALIDATION,
        ),
        "scale_down": (
            _VALIDATION,
            StepTemplate("scale_resources", critical=True, reversible=True),
            _VALIDATION,
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Freeze:
    """A time in which nothing is changed."""

    name: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class ResourceTree:
    """Which resources lie within which (`services/a` within `dataflows/d`)."""

    parents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def ancestors(self, resource: str) -> frozenset[str]:
        """Everything that contains the resource, at any height."""
        found: set[str] = set()
        waiting = list(self.parents.get(resource, ()))
        while waiting:
            parent = waiting.pop()
            if parent not in found:
                found.add(parent)
                waiting.extend(self.parents.get(parent, ()))
        return frozenset(found - {resource})


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything that decides, besides the request itself."""

    contradictions: frozenset[frozenset[str]] = CONTRADICTIONS
    built_in_actions: Mapping[str, bool] = field(default_factory=lambda: BUILT_IN_ACTIONS)
    approvals: Mapping[RiskLevel, ApprovalRule] = field(default_factory=lambda: APPROVAL_RULES)
    templates: Mapping[str, tuple[StepTemplate, ...]] = field(
        default_factory=lambda: PLAN_TEMPLATES
    )
    freezes: tuple[Freeze, ...] = ()
    resources: ResourceTree = field(default_factory=ResourceTree)
    max_recommendations: int = 10_000
    # Each is an entry of the reply: this many take about a second and 20 MB.
    max_overlaps: int = 50_000
    # How long the strategy `optimal` may look for something better than the documented order.
    optimal_time_limit_s: float = 2.0

    def offers(self, action: str, known_actions: Collection[str]) -> bool:
        """Whether a built-in handler or an agent offers the action, or every step of its plan."""
        steps = [step.action for step in self.templates.get(action, ())] or [action]
        return all(step in self.built_in_actions or step in known_actions for step in steps)

    def longest_wait(self) -> timedelta:
        """Give the time that the most patient approval waits."""
        return max(rule.expires_after for rule in self.approvals.values())

    def contradictory(self) -> dict[str, frozenset[str]]:
        """The actions that each action contradicts."""
        actions = set(chain.from_iterable(self.contradictions))
        return {
            action: frozenset(
                other
                for pair in self.contradictions
                if action in pair
                for other in pair
                if other != action
            )
            for action in actions
        }
