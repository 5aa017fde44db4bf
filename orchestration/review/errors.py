"""What stands between an approval and the run that it is for, and between a comment and GitHub."""

from __future__ import annotations

from orchestration.errors import Blocked, ConductorError


class PreviewUnknown(Blocked):
    """The preview that is said to be approved is not stored here."""

    code = "preview-unknown"


class NotApproved(Blocked):
    """What would be done now is not what was approved; `details` names every difference."""

    code = "not-approved"
    default_hint = "preview again, and have the new fingerprint approved"


class PolicyDenied(Blocked):
    """A policy denies what would be deployed; `findings` names every violation."""

    code = "policy-denied"
    default_hint = "mend it, or have it waived for a time in policies/waivers.yaml"

    def __init__(self, message: str, *, findings: tuple[str, ...] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.findings = findings


class GitHubRefused(ConductorError):  # noqa: N818 - the house's tree names states, not mishaps
    """GitHub refuses what it was asked for; the message has its status and words."""

    code = "github-refused"

    def __init__(self, message: str, *, status: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status


class GitHubUnreachable(ConductorError):  # noqa: N818
    """GitHub does not answer, or says that it is busy, however often it is asked."""

    code = "github-unreachable"
    retryable = True
    default_hint = "nothing else was changed; run the command again later"
