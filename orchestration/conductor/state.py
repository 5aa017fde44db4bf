"""What phases hand to each other, and what a run reports at its end.

A phase reads only what an earlier one has put here; nothing is looked up again behind its back.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from orchestration.automation.results import count_changes


class Frozen(BaseModel):
    """A value: it does not change, and knows all its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PlanOutcome(Frozen):
    """Phase 0: what is to be deployed, in our terms."""

    architecture_name: str
    project_id: str
    director: str
    services: tuple[str, ...]
    dataflows: tuple[str, ...]
    # Dataflows whose resources can be set up side by side, in order: a subscription may be to
    # another dataflow's topic.
    resource_levels: tuple[tuple[str, ...], ...]
    # Dataflows whose services can be deployed side by side, in order.
    levels: tuple[tuple[str, ...], ...]
    warnings: tuple[str, ...] = ()


class StackOutcome(Frozen):
    """One stack's operation: how many resources by operation, and how long it took."""

    stack: str
    changes: Mapping[str, int]
    duration_s: float

    @property
    def changed(self) -> int:
        """How many resources were changed."""
        return count_changes(self.changes)


class AccountsOutcome(Frozen):
    """Phase 2: service account e-mails by account name."""

    accounts: Mapping[str, str]
    stack: StackOutcome


class ImagesOutcome(Frozen):
    """Phase 4: image references by digest, by service."""

    images: Mapping[str, str]
    stack: StackOutcome


class DirectorOutcome(Frozen):
    """Phase 4: where the director answers, what it runs and what it listens to."""

    url: str
    image: str
    topics: tuple[str, ...] = ()
    subscriptions: tuple[str, ...] = ()
    stack: StackOutcome


class ExpectedDelay(Frozen):
    """When half and nearly all of a role's grants worked in earlier runs."""

    p50_s: float
    p99_s: float


class GrantOutcome(Frozen):
    """One grant that works: who may do what where, after how long, and how that was tested."""

    member: str
    role: str
    resource: str
    delay_s: float
    tested: str
    # None where no earlier run had measured the role.
    expected: ExpectedDelay | None = None


class DataflowOutcome(Frozen):
    """Phase 5: what the director set up for one dataflow."""

    dataflow: str
    topics: tuple[str, ...]
    subscriptions: tuple[str, ...]
    stack: StackOutcome


class ServicesOutcome(Frozen):
    """Phase 7: the URLs of one dataflow's services."""

    dataflow: str
    urls: Mapping[str, str]
    stack: StackOutcome


class RunState(BaseModel):
    """All outcomes so far; written to the run's record after every phase."""

    model_config = ConfigDict(extra="forbid")

    plan: PlanOutcome | None = None
    accounts: AccountsOutcome | None = None
    images: ImagesOutcome | None = None
    director: DirectorOutcome | None = None
    dataflows: tuple[DataflowOutcome, ...] = ()
    services: tuple[ServicesOutcome, ...] = ()
    grants: tuple[GrantOutcome, ...] = ()

    @property
    def urls(self) -> dict[str, str]:
        """Every URL that answers, by service; the director's is among them."""
        urls = {name: url for outcome in self.services for name, url in outcome.urls.items()}
        if self.director is not None and self.plan is not None:
            urls[self.plan.director] = self.director.url
        return urls

    @property
    def stacks(self) -> tuple[StackOutcome, ...]:
        """Every stack that was brought up, in order."""
        singles = (self.accounts, self.images, self.director)
        return (
            *(outcome.stack for outcome in singles if outcome is not None),
            *(outcome.stack for outcome in self.dataflows),
            *(outcome.stack for outcome in self.services),
        )
