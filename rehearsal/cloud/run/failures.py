"""Why a revision is not ready, in Google's words.

Sources: issues of `google-github-actions/deploy-cloudrun`, `transparency-dev/tesseract` and
`terraform-docs-samples`, where people show what Cloud Run has told them. What a revision says of
itself is that without the first sentence, which is about its service's traffic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.run.templates import port_of


@dataclass(frozen=True, slots=True)
class Cause:
    """What a revision failed by: the condition that tells it, and the reasons for programs."""

    condition: str
    reasons: Mapping[str, str]


MISSING_IMAGE: Final = Cause("ContainerReady", {"reason": "CONTAINER_MISSING"})
UNHEALTHY: Final = Cause("ContainerHealthy", {"revisionReason": "HEALTH_CHECK_CONTAINER_ERROR"})
SECRET_REFUSED: Final = Cause("ResourcesAvailable", {"reason": "SECRETS_ACCESS_CHECK_FAILED"})
NO_ROOM: Final = Cause("ResourcesAvailable", {"reason": "POSTPONED_RETRY"})
BROKEN: Final = Cause("ContainerHealthy", {"reason": "INTERNAL"})
# What an injected fault is taken for.
_BY_STATUS: Final[Mapping[str, Cause]] = {
    "NOT_FOUND": MISSING_IMAGE,
    "FAILED_PRECONDITION": UNHEALTHY,
    "INTERNAL": SECRET_REFUSED,
}
_UNKNOWN: Final = Cause("ContainerHealthy", {"reason": "REVISION_FAILED"})


class RevisionError(ApiError):
    """A revision cannot serve: the error of the operation that was to make it do so."""

    def __init__(self, code: int, status: str, revision: str, why: str, cause: Cause) -> None:
        super().__init__(
            code, status, f"Revision '{revision}' is not ready and cannot serve traffic. {why}"
        )
        self.why = why
        self.cause = cause


def cause_of(error: ApiError) -> Cause:
    """Return what a failed rollout failed by."""
    return error.cause if isinstance(error, RevisionError) else _UNKNOWN


def why(error: ApiError) -> str:
    """Return what a revision says of itself."""
    return error.why if isinstance(error, RevisionError) else error.message


def image_missing(revision: str, image: str) -> RevisionError:
    """An image that nobody has pushed."""
    return RevisionError(404, "NOT_FOUND", revision, f"Image '{image}' not found.", MISSING_IMAGE)


def no_command(revision: str, image: str) -> RevisionError:
    """An image that says not what to start."""
    return _unhealthy(revision, f"The image '{image}' has no command to start.")


def not_listening(revision: str, container: JsonObject, details: str) -> RevisionError:
    """A container that ends at once, or opens no port."""
    # The doubled "provided" is Google's.
    return _unhealthy(
        revision,
        "The user-provided container failed to start and listen on the port defined provided by "
        f"the PORT={port_of(container)} environment variable within the allocated timeout. This "
        "can happen when the container port is misconfigured or if the timeout is too short. The "
        "health check timeout can be extended. Logs for this revision might contain more "
        f"information.{details}",
    )


def probe_failed(revision: str, details: str) -> RevisionError:
    """A container that a startup probe of its own finds wanting."""
    return _unhealthy(
        revision,
        "The user-provided container failed the configured startup probe checks. Logs for this "
        f"revision might contain more information.{details}",
    )


def secret_refused(
    revision: str, field: str, version: str, account: str, *, is_denied: bool
) -> RevisionError:
    """A secret that the revision's account may not read, or that is not there."""
    problem = (
        f"Permission denied on secret: {version} for Revision service account {account}. The "
        "service account used must be granted the 'Secret Manager Secret Accessor' role "
        "(roles/secretmanager.secretAccessor) at the secret, project or higher level."
        if is_denied
        else f"Secret {version} was not found"
    )
    return RevisionError(500, "INTERNAL", revision, f"{field}: {problem}", SECRET_REFUSED)


def no_room(revision: str, reason: str) -> RevisionError:
    """A machine that is full."""
    return RevisionError(429, "RESOURCE_EXHAUSTED", revision, reason, NO_ROOM)


def injected(revision: str, error: ApiError) -> RevisionError:
    """A failure that a fault rule asks for."""
    cause = _BY_STATUS.get(error.status, _UNKNOWN)
    return RevisionError(error.code, error.status, revision, error.message, cause)


def broken(revision: str, error: Exception) -> RevisionError:
    """Something that is no fault of the revision's, or not known to be one."""
    why = f"An internal error occurred: {error or repr(error)}"
    return RevisionError(500, "INTERNAL", revision, why, BROKEN)


def _unhealthy(revision: str, why: str) -> RevisionError:
    return RevisionError(400, "FAILED_PRECONDITION", revision, why, UNHEALTHY)
