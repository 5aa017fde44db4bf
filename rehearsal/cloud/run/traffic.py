"""Which revisions get how much of a service's traffic, which tags lead to them, and who is next."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import invalid_argument, not_found

LATEST: Final = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
_REVISION: Final = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
_UNSPECIFIED: Final = "TRAFFIC_TARGET_ALLOCATION_TYPE_UNSPECIFIED"
_WHOLE: Final = 100
_TAG: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
# A tag, three dashes and the service's name are one part of a host name.
_MOST_IN_HOST: Final = 63
_SEPARATOR: Final = "---"


def checked_traffic(
    asked: Sequence[JsonObject], service_id: str, has_revision: Callable[[str], bool]
) -> list[JsonObject]:
    """Return traffic targets as Cloud Run keeps them; without any, all goes to the latest.

    Args:
        asked: The targets as they were sent.
        service_id: The service's short name.
        has_revision: Whether the service has a revision of this short name.

    Raises:
        ApiError: 400 or 404.
    """
    if not asked:
        return [{"type": LATEST, "percent": _WHOLE}]
    targets = [_checked_target(target, service_id, has_revision) for target in asked]
    tags = [target["tag"] for target in targets if "tag" in target]
    if len(set(tags)) < len(tags):
        raise invalid_argument("Violation in Service.traffic: each tag must be unique.")
    if sum(target.get("percent", 0) for target in targets) != _WHOLE:
        raise invalid_argument(
            "Violation in Service.traffic: the percentages of the traffic targets must sum to 100."
        )
    return targets


@dataclass(frozen=True, slots=True)
class Routes:
    """Where a service's requests go, by the full names of its revisions.

    Attributes:
        shares: The percentage of each revision that has any.
        tags: The revision of each tag.
    """

    shares: Mapping[str, int]
    tags: Mapping[str, str]

    @property
    def revisions(self) -> list[str]:
        """Return every revision that can be reached, each once."""
        return list(dict.fromkeys([*self.shares, *self.tags.values()]))


def routes_of(traffic: Sequence[JsonObject], latest_ready: str) -> Routes:
    """Return where checked targets lead.

    Args:
        traffic: Checked targets.
        latest_ready: The full name of the latest revision that is ready.
    """
    shares: dict[str, int] = {}
    tags: dict[str, str] = {}
    for target in traffic:
        revision = latest_ready
        if target["type"] == _REVISION:
            revision = f"{latest_ready.rpartition('/')[0]}/{target['revision']}"
        if target.get("percent"):
            shares[revision] = shares.get(revision, 0) + target["percent"]
        if target.get("tag"):
            tags[target["tag"]] = revision
    return Routes(shares, tags)


def follows_latest(traffic: Sequence[JsonObject]) -> bool:
    """Return whether the latest revision is among the targets, whatever its name."""
    return any(target["type"] == LATEST for target in traffic)


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

    def share_of(self, revision: str) -> int:
        """Return a revision's percentage."""
        return self._shares.get(revision, 0)


def _checked_target(
    target: JsonObject, service_id: str, has_revision: Callable[[str], bool]
) -> JsonObject:
    revision = str(target.get("revision") or "").rpartition("/")[2]
    kind = target.get("type") or _UNSPECIFIED
    if kind == _UNSPECIFIED:
        kind = _REVISION if revision else LATEST
    percent = int(target.get("percent") or 0)
    if not 0 <= percent <= _WHOLE:
        raise invalid_argument("Violation in Service.traffic: a percentage is from 0 to 100.")
    checked: JsonObject = {"type": kind} | ({"percent": percent} if percent else {})
    if kind == LATEST and revision:
        raise invalid_argument(
            "Violation in Service.traffic: the latest revision is not given by name."
        )
    if kind == _REVISION:
        if not has_revision(revision):
            raise not_found(f"Revision '{revision}' does not exist.")
        checked |= {"revision": revision}
    if tag := str(target.get("tag") or ""):
        _check_tag(tag, service_id)
        checked |= {"tag": tag}
    return checked


def _check_tag(tag: str, service_id: str) -> None:
    if not _TAG.fullmatch(tag) or len(f"{tag}{_SEPARATOR}{service_id}") > _MOST_IN_HOST:
        raise invalid_argument(
            f"Violation in Service.traffic: Invalid tag '{tag}': it must consist of lower case "
            "letters, digits and dashes, begin and end with a letter or digit, and have at most "
            f"{_MOST_IN_HOST} characters together with '{_SEPARATOR}{service_id}'."
        )
