"""What the coordination engine refuses although the request itself is well formed."""

from __future__ import annotations

from orchestration.errors import Blocked, UsageError


class Forbidden(Blocked):
    """The caller may not do this."""

    code = "forbidden"


class IdentityMismatch(Forbidden):
    """A request's body names somebody else than its token."""

    code = "identity-mismatch"


class SelfApproval(Forbidden):
    """Somebody decides on what they, or an agent of theirs, asked for."""

    code = "self-approval"
    default_hint = "have somebody else decide"


class ApprovalUnknown(UsageError):  # noqa: N818 - the house's tree names states, not mishaps
    """There is no such approval, or not for this caller."""

    code = "approval-not-found"


class PlanUnknown(UsageError):  # noqa: N818
    """There is no such plan, or not for this caller."""

    code = "plan-not-found"


class CoordinationUnknown(UsageError):  # noqa: N818
    """There is no such coordination, or not for this caller."""

    code = "coordination-not-found"


class AlreadyDecided(Blocked):
    """The approval was decided before, or by this person."""

    code = "approval-already-processed"


class ContentChanged(Blocked):
    """What is to be approved or run is not what was shown."""

    code = "content-changed"
    default_hint = "look at the newest approval of this recommendation, and decide on that one"


class ApprovalLapsed(Blocked):
    """The approval was not decided in time."""

    code = "approval-expired"
    default_hint = "have the agent recommend it again"


class RecommendationLapsed(Blocked):
    """The recommendation itself is no longer valid."""

    code = "recommendation-expired"
    default_hint = "have the agent recommend it again"


class PlanUnavailable(Blocked):
    """The plan runs, or has ended."""

    code = "plan-not-executable"


class ExecutorNotAvailable(Blocked):
    """Nothing here can run plans; they stay as they are."""

    code = "executor-not-available"
    retryable = True


class KeyReused(Blocked):
    """An idempotency key came back with another request."""

    code = "idempotency-key-reused"
    default_hint = "use a new key for a new request"
