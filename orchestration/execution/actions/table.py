"""Which action does what, by the names of `orchestration.coordination.rules`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from orchestration.execution.actions.action import Action
from orchestration.execution.actions.migration import Billing, Migration
from orchestration.execution.actions.quality import QualityCheck
from orchestration.execution.actions.scaling import Direction, Scaling
from orchestration.execution.actions.settings import BatchSize, Caching
from orchestration.execution.actions.snapshots import Snapshot

ACTIONS: Final[Mapping[str, Action]] = MappingProxyType(
    {
        "take_snapshot": Snapshot(),
        "scale_resources": Scaling(Direction.ANY),
        "scale_up": Scaling(Direction.UP),
        "scale_down": Scaling(Direction.DOWN),
        "increase_batch_size": BatchSize(larger=True),
        "decrease_batch_size": BatchSize(larger=False),
        "enable_caching": Caching(on=True),
        "disable_caching": Caching(on=False),
        "migrate_workload": Migration(),
        "migrate_to_spot": Migration(Billing.REQUEST),
        "migrate_to_on_demand": Migration(Billing.INSTANCE),
        "validate_quality": QualityCheck(),
    }
)
