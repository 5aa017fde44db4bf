"""A review made of the previews of all stacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from architecture.grants import plan_grants
from architecture.graph import graph_of
from architecture.model import Architecture
from orchestration.automation.results import StackPreview
from orchestration.review.access import access_changes, grant_reasons, with_lost_grants
from orchestration.review.differences import resource_change
from orchestration.review.fingerprint import fingerprint_of
from orchestration.review.impact import impact_of
from orchestration.review.model import PolicyFinding, Review, StackReview
from orchestration.review.places import NOWHERE, Places
from policies.model import Violation


def build_review(
    environment: str,
    architecture: Architecture,
    previews: Sequence[StackPreview],
    *,
    contexts: Mapping[str, str],
    violations: Sequence[Violation] = (),
    before: Architecture | None = None,
    deployer: str | None = None,
    places: Places = NOWHERE,
) -> Review:
    """Make the review of a previewed system.

    Args:
        environment: the environment's name.
        architecture: the hydrated architecture that was previewed.
        previews: one per stack, in the order of a run.
        contexts: the digest of each service's build context.
        violations: what the project's policies find in it.
        before: the architecture of the release that stands, for what is deleted.
        deployer: the member that deploys, whose own grants have reasons too.
        places: what in values only says on which machine the preview was made.
    """
    previews = [
        replace(preview, steps=tuple(places.left_out_of(step) for step in preview.steps))
        for preview in previews
    ]
    stacks = tuple(stack_review(preview) for preview in previews)
    reasons = grant_reasons(plan_grants(architecture, deployer=deployer))
    changed = [
        change
        for preview in previews
        for change in access_changes(preview.stack, preview.steps, reasons)
    ]
    if before is not None:
        changed = with_lost_grants(changed, plan_grants(before, deployer=deployer))
    access = tuple(
        sorted(
            changed,
            key=lambda one: (one.risk.rank, one.stack, one.member, one.role, one.on, one.effect),
        )
    )
    graphs = [graph_of(one) for one in (architecture, before) if one is not None]
    return Review(
        environment=environment,
        architecture=architecture.name,
        project=architecture.project_id,
        stacks=stacks,
        access=access,
        impact=impact_of(
            graphs,
            [step for preview in previews for step in preview.steps],
            [change for stack in stacks for change in stack.changes],
        ),
        contexts=dict(contexts),
        policies=tuple(PolicyFinding.model_validate(asdict(one)) for one in violations),
        fingerprint=fingerprint_of(environment, architecture.name, stacks, access, contexts),
    )


def stack_review(preview: StackPreview) -> StackReview:
    """Describe what becomes of one stack; of components only what is in them is told."""
    steps = [step for step in preview.steps if step.is_custom]
    return StackReview(
        stack=preview.stack,
        changes=tuple(
            resource_change(preview.stack, step)
            for step in sorted(steps, key=lambda step: (step.type, step.name, step.urn))
            if not step.is_quiet
        ),
        unchanged=sum(step.is_quiet for step in steps),
    )
