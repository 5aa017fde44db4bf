"""The target that an environment was made for."""

from __future__ import annotations

from orchestration.environments import Environment, EnvironmentRecord, TargetName
from orchestration.targets.builders import Builder
from orchestration.targets.google import GoogleTarget
from orchestration.targets.local import LocalTarget


def target_of(
    environment: Environment,
    record: EnvironmentRecord | None = None,
    *,
    region: str = "",
    propagation: str = "",
    builder: Builder | None = None,
) -> LocalTarget | GoogleTarget:
    """Make the target of an environment: what its record says, or the record of one to be made.

    Raises:
        UsageError: there is no such environment.
    """
    held = record or environment.require_record()
    if held.target is TargetName.GOOGLE:
        return GoogleTarget(held, region=region)
    return LocalTarget(
        environment,
        project_id=held.project_id,
        region=region,
        propagation=propagation,
        builder=builder,
    )
