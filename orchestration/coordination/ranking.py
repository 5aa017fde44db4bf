"""Who wins: priority, then savings, then confidence, then lower risk, then the smaller id.

The impact score (ruling C10) never decides a conflict; it orders plans between which the winner
order, ids apart, sees no difference.
"""

from __future__ import annotations

from typing import Final

from orchestration.coordination.model import Recommendation, RiskLevel

RISK_ORDER: Final = {level: place for place, level in enumerate(RiskLevel)}


def merit(item: Recommendation) -> tuple[int, float, float, int]:
    """Give the winner order without its last resort, the id; the stronger one sorts first."""
    return (
        -item.priority,
        -item.estimated_savings,
        -item.confidence,
        RISK_ORDER[item.risk_level],
    )


def strength(item: Recommendation) -> tuple[int, float, float, int, str]:
    """Give the key by which the stronger of two sorts first; no two ids are the same."""
    return (*merit(item), item.id)


def impact_score(item: Recommendation) -> float:
    """Weigh what a recommendation promises against what it could do.

    Savings times confidence, divided by 1 to 4 for its risk and by its blast radius: the number
    of distinct resources it touches, at least one.
    """
    blast_radius = max(1, len(set(item.affected_resources)))
    risk = 1 + RISK_ORDER[item.risk_level]
    return item.estimated_savings * item.confidence / (risk * blast_radius)
