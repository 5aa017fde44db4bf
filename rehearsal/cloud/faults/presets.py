"""Well-known errors by name, in Google's words, for rules that need not spell them out.

Texts may use `{service}` (`pubsub.googleapis.com`), `{project}` (its number), `{resource}` and
`{limit}` (of a quota).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import ERROR_INFO, ApiError

# What texts are filled with.
Words: TypeAlias = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Preset:
    """An error: HTTP status, canonical code, message, and the reason of its details."""

    code: int
    status: str
    message: str
    reason: str = ""
    info_reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)

    def error(self, words: Words, message: str = "") -> ApiError:
        """Return the error of a call, with another message if one is given."""
        text = message or self.message.format_map(words)
        details = self._details(words)
        return ApiError(self.code, self.status, text, reason=self.reason, details=details)

    def _details(self, words: Words) -> tuple[JsonObject, ...]:
        if not self.info_reason:
            return ()
        known = {name: text.format_map(words) for name, text in self.metadata.items()}
        metadata = {
            "service": words["service"],
            "consumer": f"projects/{words['project']}",
            **{name: text for name, text in known.items() if text},
        }
        return (
            {
                "@type": ERROR_INFO,
                "reason": self.info_reason,
                "domain": "googleapis.com",
                "metadata": metadata,
            },
        )


PRESETS: Final[Mapping[str, Preset]] = {
    "SERVICE_DISABLED": Preset(
        403,
        "PERMISSION_DENIED",
        "{service} has not been used in project {project} before or it is disabled. Enable it by"
        " visiting https://console.developers.google.com/apis/api/{service}/overview?project="
        "{project} then retry. If you enabled this API recently, wait a few minutes for the action"
        " to propagate to our systems and retry.",
        reason="accessNotConfigured",
        info_reason="SERVICE_DISABLED",
    ),
    "RATE_LIMIT_EXCEEDED": Preset(
        429,
        "RESOURCE_EXHAUSTED",
        "Quota exceeded for quota metric 'Requests' and limit 'Requests per minute' of service"
        " '{service}' for consumer 'project_number:{project}'.",
        info_reason="RATE_LIMIT_EXCEEDED",
        metadata={
            "quota_metric": "{service}/default_requests",
            "quota_limit": "defaultPerMinutePerProject",
            "quota_limit_value": "{limit}",
            "quota_location": "global",
        },
    ),
    "PERMISSION_DENIED": Preset(403, "PERMISSION_DENIED", "The caller does not have permission"),
    "ACT_AS_DENIED": Preset(
        403,
        "PERMISSION_DENIED",
        "Permission 'iam.serviceaccounts.actAs' denied on service account of {resource}"
        " (or it may not exist).",
    ),
    "NOT_FOUND": Preset(404, "NOT_FOUND", "Resource '{resource}' was not found."),
    "SA_NOT_FOUND": Preset(
        400, "INVALID_ARGUMENT", "Service account of {resource} does not exist."
    ),
    "CONCURRENT_POLICY": Preset(
        409,
        "ABORTED",
        "There were concurrent policy changes. Please retry the whole read-modify-write with"
        " exponential backoff.",
    ),
    "ALREADY_EXISTS": Preset(
        409, "ALREADY_EXISTS", "Resource '{resource}' already exists.", reason="alreadyExists"
    ),
    "ACTIVATION_IN_PROGRESS": Preset(
        400, "FAILED_PRECONDITION", "Another activation or deactivation is in progress."
    ),
    "ORGANIZATION_POLICY": Preset(
        400,
        "FAILED_PRECONDITION",
        "One or more users named in the policy do not belong to a permitted customer, perhaps due"
        " to an organization policy.",
    ),
    "INTERNAL": Preset(500, "INTERNAL", "Internal error encountered."),
    "BAD_GATEWAY": Preset(502, "UNAVAILABLE", "Bad gateway."),
    "UNAVAILABLE": Preset(503, "UNAVAILABLE", "The service is currently unavailable."),
    "DEADLINE": Preset(504, "DEADLINE_EXCEEDED", "Deadline exceeded."),
    # For operations of Cloud Run, which tells first which revision is not ready.
    "CONTAINER_FAILED": Preset(
        400,
        "FAILED_PRECONDITION",
        "The user-provided container failed to start and listen on the port defined provided by"
        " the PORT=8080 environment variable within the allocated timeout. This can happen when"
        " the container port is misconfigured or if the timeout is too short.",
    ),
    "IMAGE_NOT_FOUND": Preset(404, "NOT_FOUND", "Image not found."),
    "SECRET_DENIED": Preset(
        500,
        "INTERNAL",
        "Permission denied on secret for Revision service account. The service account used must"
        " be granted the 'Secret Manager Secret Accessor' role"
        " (roles/secretmanager.secretAccessor) at the secret, project or higher level.",
    ),
}
