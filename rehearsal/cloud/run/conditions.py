"""The conditions of services and revisions, as Cloud Run reports them.

Which reason belongs in which field is the discovery document's: reasons that services share in
`reason`, a revision's own in `revisionReason`.
"""

import time
from collections.abc import Sequence

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.run.failures import Cause
from rehearsal.cloud.times import rfc3339

_PENDING = "CONDITION_RECONCILING"
_SUCCEEDED = "CONDITION_SUCCEEDED"
_FAILED = "CONDITION_FAILED"
# What a revision becomes ready by, in this order.
_STEPS = ("ContainerReady", "ResourcesAvailable", "ContainerHealthy")


def now() -> str:
    """Return the current time as Google's JSON has it."""
    return rfc3339(time.time())


def service_pending() -> JsonObject:
    """Return the status of a service while a change of it is under way."""
    parts = [_condition(kind, _PENDING) for kind in ("RoutesReady", "ConfigurationsReady")]
    return _status(_condition("Ready", _PENDING), parts, is_reconciling=True)


def service_ready() -> JsonObject:
    """Return the status of a service whose traffic is where it shall be."""
    parts = [_condition(kind, _SUCCEEDED) for kind in ("RoutesReady", "ConfigurationsReady")]
    return _status(_condition("Ready", _SUCCEEDED), parts, is_reconciling=False)


def service_failed(message: str, cause: Cause, *, is_routed: bool) -> JsonObject:
    """Return the status of a service whose latest revision failed.

    Args:
        message: Why.
        cause: The same for programs.
        is_routed: Whether all its traffic goes to other revisions, by name.
    """
    why = {"message": message, **cause.reasons}
    routes = _condition("RoutesReady", _SUCCEEDED if is_routed else _FAILED)
    if not is_routed:
        routes |= why
    parts = [routes, _condition("ConfigurationsReady", _FAILED) | why]
    return _status(_condition("Ready", _FAILED) | why, parts, is_reconciling=False)


def revision_pending() -> list[JsonObject]:
    """Return the conditions of a revision that is being started."""
    return [_condition(kind, _PENDING) for kind in ("Ready", *_STEPS)]


def revision_ready(took_s: float, *, is_checked: bool) -> list[JsonObject]:
    """Return the conditions of a revision that can serve.

    Args:
        took_s: How long it took to become so.
        is_checked: Whether an instance of it has proved healthy.
    """
    ready = _condition("Ready", _SUCCEEDED)
    ready["message"] = f"Deploying revision succeeded in {took_s:.2f}s."
    healthy = _condition("ContainerHealthy", _SUCCEEDED)
    if is_checked:
        healthy["message"] = f"Containers became healthy in {took_s:.2f}s."
    else:
        healthy["revisionReason"] = "HEALTH_CHECK_SKIPPED"
    return [ready, *(_condition(kind, _SUCCEEDED) for kind in _STEPS[:-1]), healthy]


def revision_failed(message: str, cause: Cause) -> list[JsonObject]:
    """Return the conditions of a revision that could not start; what comes before is done."""
    why = {"message": message, **cause.reasons}
    failed_at = _STEPS.index(cause.condition)
    steps = [
        _condition(kind, _SUCCEEDED if place < failed_at else _PENDING)
        for place, kind in enumerate(_STEPS)
    ]
    steps[failed_at] = _condition(cause.condition, _FAILED) | why
    return [_condition("Ready", _FAILED) | why, *steps]


def active(*, is_serving: bool) -> JsonObject:
    """Return whether a revision has traffic or a tag."""
    if is_serving:
        return _condition("Active", _SUCCEEDED) | {"severity": "INFO"}
    retired = {"message": "Revision retired.", "revisionReason": "RETIRED", "severity": "INFO"}
    return _condition("Active", _FAILED) | retired


def min_instances(*, are_up: bool) -> JsonObject:
    """Return whether as many instances run as there shall be at least."""
    if are_up:
        return _condition("MinInstancesProvisioned", _SUCCEEDED) | {"severity": "INFO"}
    warming = {"revisionReason": "MIN_INSTANCES_WARMING", "severity": "INFO"}
    return _condition("MinInstancesProvisioned", _PENDING) | warming


def crash_loop(how: str) -> JsonObject:
    """Return the condition of a revision whose instances end again and again."""
    return _condition("ContainerHealthy", _FAILED) | {
        "message": f"{how} System will retry later; current attempt failed.",
        "reason": "POSTPONED_RETRY",
        "severity": "WARNING",
    }


def healthy() -> JsonObject:
    """Return the condition of a revision whose instances stay."""
    return _condition("ContainerHealthy", _SUCCEEDED)


def resources(problem: str = "") -> JsonObject:
    """Return whether there is room for the instances that a revision needs."""
    if not problem:
        return _condition("ResourcesAvailable", _SUCCEEDED)
    short = {"message": problem, "reason": "POSTPONED_RETRY", "severity": "WARNING"}
    return _condition("ResourcesAvailable", _FAILED) | short


def merged(conditions: Sequence[JsonObject], change: JsonObject) -> list[JsonObject]:
    """Return the conditions with one of them replaced, or added.

    The time of its last transition stays where its state does.
    """
    result = []
    is_new = True
    for condition in conditions:
        if condition["type"] != change["type"]:
            result.append(condition)
            continue
        is_new = False
        if condition["state"] == change["state"]:
            change = change | {"lastTransitionTime": condition["lastTransitionTime"]}
        result.append(change)
    return [*result, change] if is_new else result


def _status(
    terminal: JsonObject, parts: Sequence[JsonObject], *, is_reconciling: bool
) -> JsonObject:
    return {
        "terminalCondition": terminal,
        "conditions": list(parts),
        "reconciling": is_reconciling,
    }


def _condition(kind: str, state: str) -> JsonObject:
    return {"type": kind, "state": state, "lastTransitionTime": now()}
