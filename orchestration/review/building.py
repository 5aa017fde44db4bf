"""A review made of the previews of all stacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from architecture.grants import plan_grants
from architecture.graph import graph_of
from architecture.model import Architecture
from orchestration.automation.results import QUIET_OPERATIONS, StackPreview
from orchestration.review.access import access_changes, grant_reasons
from orchestration.review.differences import resource_change
from orchestration.review.fingerprint import fingerprint_of
from orchestration.review.impact import impact_of
from orchestration.review.model import PolicyFinding, Review, StackReview
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
    """
    stacks = tuple(_stack_review(preview) for preview in previews)
    reasons = grant_reasons(plan_grants(architecture, deployer=deployer))
    access = tuple(
        sorted(
            (
                change
                for preview in previews
                for change in access_changes(preview.stack, preview.steps, reasons)
            ),
            key=lambda change: (change.risk.rank, change.stack, change.member, change.role),
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


def _stack_review(preview: StackPreview) -> StackReview:
    return StackReview(
        stack=preview.stack,
        # Components stand for the resources in them, which are listed themselves.
        changes=tuple(
            resource_change(preview.stack, step)
            for step in sorted(preview.steps, key=lambda step: (step.type, step.name))
            if not step.is_quiet and step.is_custom
        ),
        unchanged=sum(n for op, n in preview.changes.items() if op in QUIET_OPERATIONS),
    )
