"""The conditions of services and revisions, as Cloud Run reports them."""

import time

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.times import rfc3339

_PENDING = "CONDITION_RECONCILING"
_SUCCEEDED = "CONDITION_SUCCEEDED"
_FAILED = "CONDITION_FAILED"
# The reasons that only revisions have; Google's API keeps them apart from the common ones.
_REVISION_REASONS = frozenset({"HEALTH_CHECK_CONTAINER_ERROR"})


def now() -> str:
    """Return the current time as Google's JSON has it."""
    return rfc3339(time.time())


def service_pending() -> JsonObject:
    """Return the status of a service while a change of it is under way."""
    return _status(_condition("Ready", _PENDING), is_reconciling=True)


def service_ready() -> JsonObject:
    """Return the status of a service whose latest revision serves."""
    return _status(_condition("Ready", _SUCCEEDED), is_reconciling=False)


def service_failed(message: str, reason: str) -> JsonObject:
    """Return the status of a service whose latest revision failed."""
    return _status(_failure(message, reason), is_reconciling=False)


def revision_ready() -> list[JsonObject]:
    """Return the conditions of a revision that serves."""
    types = ("Ready", "ContainerReady", "ResourcesAvailable")
    return [_condition(kind, _SUCCEEDED) for kind in types]


def revision_failed(message: str, reason: str) -> list[JsonObject]:
    """Return the conditions of a revision that could not start."""
    return [_failure(message, reason)]


def revision_pending() -> list[JsonObject]:
    """Return the conditions of a revision that is being started."""
    return [_condition("Ready", _PENDING)]


def _status(terminal: JsonObject, *, is_reconciling: bool) -> JsonObject:
    parts = [
        _condition("RoutesReady", terminal["state"]),
        _condition("ConfigurationsReady", terminal["state"]),
    ]
    return {
        "terminalCondition": terminal,
        "conditions": parts,
        "reconciling": is_reconciling,
    }


def _failure(message: str, reason: str) -> JsonObject:
    failed = _condition("Ready", _FAILED) | {"message": message}
    if reason:
        failed["revisionReason" if reason in _REVISION_REASONS else "reason"] = reason
    return failed


def _condition(kind: str, state: str) -> JsonObject:
    return {"type": kind, "state": state, "lastTransitionTime": now()}
