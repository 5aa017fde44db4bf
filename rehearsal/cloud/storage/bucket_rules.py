"""What Cloud Storage demands of a bucket's settings and of its policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import ApiError, invalid_argument

_MULTI_REGIONS: Final = frozenset({"US", "EU", "ASIA"})
_DUAL_REGIONS: Final = frozenset({"ASIA1", "EUR4", "EUR5", "EUR7", "EUR8", "NAM4"})
_STORAGE_CLASSES: Final = frozenset(
    {
        "STANDARD",
        "NEARLINE",
        "COLDLINE",
        "ARCHIVE",
        # Older names, still accepted.
        "MULTI_REGIONAL",
        "REGIONAL",
        "DURABLE_REDUCED_AVAILABILITY",
    }
)
_ACTIONS: Final = frozenset({"Delete", "SetStorageClass", "AbortIncompleteMultipartUpload"})
_EVERYBODY: Final = frozenset({"allUsers", "allAuthenticatedUsers"})
_MOST_RULES: Final = 100
# Soft deletion lasts from a week to ninety days, or is off.
_SOFT_DELETION_S: Final = range(604_800, 7_776_001)


def location_type(location: str) -> str:
    """Return what kind of place a bucket's location is."""
    if location in _MULTI_REGIONS:
        return "multi-region"
    return "dual-region" if location in _DUAL_REGIONS else "region"


def check_bucket(bucket: JsonObject) -> None:
    """Refuse settings that no bucket can have.

    Raises:
        ApiError: 400.
    """
    if bucket["storageClass"] not in _STORAGE_CLASSES:
        raise invalid_argument(f"Invalid storage class: {bucket['storageClass']}")
    rules = (bucket.get("lifecycle") or {}).get("rule") or []
    if len(rules) > _MOST_RULES:
        raise invalid_argument(f"A bucket has at most {_MOST_RULES} lifecycle rules.")
    for rule in rules:
        _check_rule(rule)
    kept_s = int((bucket.get("softDeletePolicy") or {}).get("retentionDurationSeconds") or 0)
    if kept_s and kept_s not in _SOFT_DELETION_S:
        raise invalid_argument(
            "Soft delete policies must have a retention of 0, or from 7 to 90 days."
        )


def check_change(old: JsonObject, new: JsonObject) -> None:
    """Refuse what cannot change in a bucket that exists.

    Raises:
        ApiError: 400.
    """
    for field in ("name", "location"):
        if str(new.get(field)).upper() != str(old[field]).upper():
            raise invalid_argument(f"The bucket's {field} cannot be changed.")


def check_policy(bucket: JsonObject, policy: Mapping[str, object]) -> None:
    """Refuse a policy that opens a bucket whose public access is prevented.

    Raises:
        ApiError: 412.
    """
    if bucket["iamConfiguration"]["publicAccessPrevention"] != "enforced":
        return
    bindings = policy.get("bindings")
    members = {
        member
        for binding in (bindings if isinstance(bindings, list) else [])
        for member in binding.get("members") or ()
    }
    if members & _EVERYBODY:
        raise ApiError(
            412,
            "FAILED_PRECONDITION",
            "The member bindings allUsers and allAuthenticatedUsers are not allowed since public"
            " access prevention is enforced.",
            reason="conditionNotMet",
        )


def _check_rule(rule: JsonObject) -> None:
    action: JsonObject = rule.get("action") or {}
    kind, target = action.get("type"), action.get("storageClass")
    if kind not in _ACTIONS:
        raise invalid_argument(f"Invalid lifecycle action: {kind}")
    if kind == "SetStorageClass" and target not in _STORAGE_CLASSES:
        raise invalid_argument(f"SetStorageClass needs a storage class, not {target}.")
    if not rule.get("condition"):
        raise invalid_argument("A lifecycle rule must have at least one condition.")
    if int(rule["condition"].get("age") or 0) < 0:
        raise invalid_argument("A lifecycle condition's age must not be negative.")
