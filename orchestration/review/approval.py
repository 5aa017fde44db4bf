"""A run that was approved: it does what its preview said, or nothing.

Under the run's lease every stack is previewed once more. Only if that is what was approved does the
run go on, and then each stack is brought up with the plan that this preview has saved: whatever
changes after that, the engine refuses every step that is not in it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from orchestration.conductor.parts import Prerequisites
from orchestration.conductor.script import Unwinding
from orchestration.conductor.state import PlanOutcome
from orchestration.environments import Environment
from orchestration.review.comparing import require_approved
from orchestration.review.model import Review


class ApprovedPlans:
    """The saved plans of an approved run; they are there exactly while it goes forward."""

    def __init__(self, environment: Environment) -> None:
        self.folder: Path = environment.plans_dir

    def make(self) -> None:
        """Begin without any."""
        self.clear()
        self.folder.mkdir(parents=True, mode=0o700)

    def clear(self) -> None:
        """Delete them: what comes now is bound to no plan."""
        shutil.rmtree(self.folder, ignore_errors=True)


class ApprovedPrerequisites:
    """The prerequisites of a run, the last of which is that it is the one that was approved."""

    def __init__(
        self,
        prerequisites: Prerequisites,
        review: Callable[[PlanOutcome], Review],
        approved: Review,
        plans: ApprovedPlans,
    ) -> None:
        self._prerequisites = prerequisites
        self._review = review
        self._approved = approved
        self._plans = plans

    def check(self, plan: PlanOutcome) -> None:
        """Check what every run needs, then preview everything and compare.

        Raises:
            PrerequisitesMissing: with every finding.
            NotApproved: what would be done is not what was approved.
            StackFailed: a preview failed.
        """
        self._prerequisites.check(plan)
        self._plans.make()
        now = self._review(plan)
        try:
            require_approved(self._approved, now)
        except BaseException:
            self._plans.clear()
            raise


class UnboundUnwinding:
    """An unwinding that no plan binds: what it does is the opposite of what was approved."""

    def __init__(self, unwinding: Unwinding, plans: ApprovedPlans) -> None:
        self._unwinding = unwinding
        self._plans = plans

    def steps(self) -> list[str]:
        """Name what is to be undone; from now on there is no plan."""
        self._plans.clear()
        return self._unwinding.steps()

    def undo(self, step: str) -> str:
        """Undo one of them, and say how."""
        return self._unwinding.undo(step)
