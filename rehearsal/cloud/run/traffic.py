"""Which revisions get how much of a service's traffic, and which one the next request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import failed_precondition, invalid_argument, not_found

LATEST: Final = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
_REVISION: Final = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
_UNSPECIFIED: Final = "TRAFFIC_TARGET_ALLOCATION_TYPE_UNSPECIFIED"
_WHOLE: Final = 100


def checked_traffic(
    asked: Sequence[JsonObject], has_revision: Callable[[str], bool]
) -> list[JsonObject]:
    """Return traffic targets as Cloud Run keeps them; without any, all goes to the latest.

    Args:
        asked: The targets as they were sent.
        has_revision: Whether the service has a revision of this short name.

    Raises:
        ApiError: 400 or 404.
    """
    if not asked:
        return [{"type": LATEST, "percent": _WHOLE}]
    targets = [_checked_target(target, has_revision) for target in asked]
    if sum(target.get("percent", 0) for target in targets) != _WHOLE:
        raise invalid_argument(
            "Violation in Service.traffic: the percentages of the traffic targets must sum to 100."
        )
    return targets


def shares_of(traffic: Sequence[JsonObject], latest_ready: str) -> dict[str, int]:
    """Return the percentage of each revision, by full name; those without any are left out.

    Args:
        traffic: Checked targets.
        latest_ready: The full name of the latest revision that is ready.
    """
    shares: dict[str, int] = {}
    for target in traffic:
        revision = latest_ready
        if target["type"] == _REVISION:
            revision = f"{latest_ready.rpartition('/')[0]}/{target['revision']}"
        if target.get("percent"):
            shares[revision] = shares.get(revision, 0) + target["percent"]
    return shares


class TrafficSplit:
    """Spreads requests over revisions evenly: of a hundred, each gets exactly its share."""

    def __init__(self, shares: Mapping[str, int]) -> None:
        self._shares = dict(shares)
        self._credit = dict.fromkeys(shares, 0)

    def next(self) -> str | None:
        """Return the revision of the next request; None where nothing serves."""
        if not self._shares:
            return None
        for revision, share in self._shares.items():
            self._credit[revision] += share
        chosen = max(self._credit, key=lambda revision: self._credit[revision])
        self._credit[chosen] -= sum(self._shares.values())
        return chosen

    def largest(self) -> str | None:
        """Return the revision with the largest share; None where nothing serves."""
        return max(self._shares, key=lambda revision: self._shares[revision], default=None)


def _checked_target(target: JsonObject, has_revision: Callable[[str], bool]) -> JsonObject:
    if target.get("tag"):
        raise failed_precondition("Traffic tags are not modelled in the local cloud.")
    revision = str(target.get("revision") or "").rpartition("/")[2]
    kind = target.get("type") or _UNSPECIFIED
    if kind == _UNSPECIFIED:
        kind = _REVISION if revision else LATEST
    percent = int(target.get("percent") or 0)
    if not 0 <= percent <= _WHOLE:
        raise invalid_argument("Violation in Service.traffic: a percentage is from 0 to 100.")
    checked: JsonObject = {"type": kind} | ({"percent": percent} if percent else {})
    if kind == LATEST:
        if revision:
            raise invalid_argument(
                "Violation in Service.traffic: the latest revision is not given by name."
            )
        return checked
    if not has_revision(revision):
        raise not_found(f"Revision '{revision}' does not exist.")
    return checked | {"revision": revision}
