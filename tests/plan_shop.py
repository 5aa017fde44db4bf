"""The architecture that plans of these tests work on, and recommendations about it."""

from __future__ import annotations

from pathlib import Path

from pydantic import JsonValue

from architecture.hydration import hydrate
from architecture.loading import loads
from architecture.model import Architecture
from orchestration.coordination.model import Recommendation
from orchestration.coordination.rules import PLAN_TEMPLATES, Rules, StepTemplate

SHOP = """\
name: shop
project_id: some-project
region: europe-west1
service_manager_spec:
  name: director
  service_account: director-sa
  deployment: {source_path: src}
  command_topic: {name: commands, lookup: {key: c}}
  completion_topic: {name: completions, lookup: {key: d}}
dataflows:
  orders:
    services:
      intake:
        service_account: intake-sa
        deployment: {min_instances: 2, max_instances: 5, environment_vars: {BATCH: "10"}}
        metadata: {settings: {batch_size: BATCH, caching: USE_CACHE}}
      billing:
        service_account: billing-sa
        deployment: {max_instances: 5}
  stock:
    services:
      shelf:
        service_account: shelf-sa
        deployment: {max_instances: 5}
"""
# Scenario 3 of document 004.
SCENARIO_3 = (
    StepTemplate("take_snapshot", critical=True, reversible=True, retain_on_rollback=True),
    StepTemplate("scale_resources", critical=False, reversible=True),
    StepTemplate("migrate_workload", critical=True, reversible=True),
    StepTemplate("validate_quality", critical=True, reversible=False),
)
RULES = Rules(templates={**PLAN_TEMPLATES, "optimize_workload": SCENARIO_3})
PARAMETERS: dict[str, dict[str, JsonValue]] = {
    "take_snapshot": {},
    "scale_resources": {"count": 3, "min_count": 1},
    "scale_up": {"count": 9},
    "scale_down": {"count": 1},
    "increase_batch_size": {"value": 64},
    "decrease_batch_size": {"value": 4},
    "enable_caching": {},
    "disable_caching": {},
    "migrate_workload": {"region": "europe-west4"},
    "migrate_to_spot": {},
    "migrate_to_on_demand": {},
    "validate_quality": {},
    "optimize_workload": {"count": 3, "region": "europe-west4"},
}


def shop() -> Architecture:
    """Give the shop, hydrated."""
    return hydrate(loads(SHOP, Path("services.yaml")).architecture, base_dir=Path("/shop"))


def recommended(action: str, *services: str, **fields: object) -> Recommendation:
    """Recommend an action on services, with parameters that it can be done with."""
    values: dict[str, object] = {
        "id": f"rec-{action}",
        "agent_id": "cost-agent-1",
        "customer_id": "cust-1",
        "type": "cost",
        "action": action,
        "risk_level": "low",
        "affected_resources": [f"services/{name}" for name in services or ("intake",)],
        "parameters": PARAMETERS.get(action, {}),
        "confidence": 0.9,
        **fields,
    }
    return Recommendation.model_validate(values)
