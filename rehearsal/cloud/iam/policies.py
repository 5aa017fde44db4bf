"""Policies as they are stored, and the grants in them as they work.

A policy is kept with the moments at which each of its grants begins or ceases to work, so that a
restart neither hastens nor delays any.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import aborted
from rehearsal.cloud.iam.propagation import Delays
from rehearsal.cloud.store import Store

_KIND: Final = "iam.policies"
# The etag of a policy that nobody has set yet, as Google answers it.
_FIRST_ETAG: Final = "ACAB"
CONCURRENT_CHANGE: Final = (
    "There were concurrent policy changes. Please retry the whole read-modify-write with"
    " exponential backoff."
)


class Policies:
    """The policy of every resource, by full resource name."""

    def __init__(self, store: Store, delays: Delays, clock: Callable[[], float]) -> None:
        self._store = store
        self._delays = delays
        self._clock = clock
        # Parsed once: every permission check reads these.
        self._entries: dict[str, JsonObject] = dict(store.items(_KIND))

    def get(self, resource: str) -> JsonObject:
        """Return the stored policy, whatever of it works already."""
        entry = self._entries.get(resource)
        if entry is None:
            return {"version": 1, "etag": _FIRST_ETAG}
        policy: JsonObject = entry["policy"]
        return policy | (
            {"bindings": [_copied(binding) for binding in policy["bindings"]]}
            if "bindings" in policy
            else {}
        )

    def set(self, resource: str, policy: JsonObject, *, immediately: bool = False) -> JsonObject:
        """Replace the stored policy; its changes begin to work after their delays.

        Raises:
            ApiError: 409; the policy has changed since the etag was read.
        """
        etag = policy.get("etag")
        if etag and etag != self.get(resource)["etag"]:
            raise aborted(CONCURRENT_CHANGE)
        entry = {
            "policy": _normalised(policy),
            "changes": self._changes(resource, policy, immediately=immediately),
        }
        self._store.put(_KIND, resource, entry)
        self._entries[resource] = entry
        return self.get(resource)

    def forget(self, resource: str) -> None:
        """Drop the policies of a deleted resource and of everything below it."""
        gone = [
            name for name in self._entries if name == resource or name.startswith(f"{resource}/")
        ]
        self._store.delete_many(_KIND, gone)
        for name in gone:
            del self._entries[name]

    def mark_deleted(self, member: str, unique_id: str) -> None:
        """Turn a deleted account's grants into Google's memory of them, which permits nothing."""
        deleted = f"deleted:{member}?uid={unique_id}"
        for resource, entry in self._entries.items():
            changes = [change for change in entry["changes"] if change[1] != member]
            if len(changes) == len(entry["changes"]):
                continue
            for binding in entry["policy"].get("bindings", ()):
                binding["members"] = [
                    deleted if known == member else known for known in binding["members"]
                ]
            entry["changes"] = changes
            self._store.put(_KIND, resource, entry)

    def effective_grants(self, resource: str) -> Iterator[tuple[str, str]]:
        """All (role, member) of a resource that work now."""
        entry = self._entries.get(resource)
        if entry is None:
            return
        now = self._clock()
        for role, member, changes in entry["changes"]:
            if _works(changes, now):
                yield role, member

    def _changes(
        self, resource: str, policy: JsonObject, *, immediately: bool
    ) -> list[tuple[str, str, list[tuple[float, bool]]]]:
        """When each grant begins or ceases to work, per (role, member)."""
        now = self._clock()
        wanted = {
            (binding["role"], member)
            for binding in policy.get("bindings") or ()
            for member in binding.get("members") or ()
        }
        known: dict[tuple[str, str], list[tuple[float, bool]]] = {
            (role, member): list(changes)
            for role, member, changes in self._entries.get(resource, {}).get("changes", ())
        }
        merged = []
        for grant in sorted(wanted | known.keys()):
            changes = _settled(known.get(grant, []), now)
            is_wanted = grant in wanted
            if is_wanted != (changes[-1][1] if changes else False):
                steps = [(0.0, is_wanted)]
                if not immediately:
                    steps = list(self._delays.steps(resource, *grant, is_granted=is_wanted))
                # A later change never works before an earlier one.
                earliest = changes[-1][0] if changes else 0.0
                changes += [(max(now + delay, earliest), works) for delay, works in steps]
            if changes and not (len(changes) == 1 and not changes[0][1]):
                merged.append((*grant, changes))
        return merged


def _settled(changes: Sequence[tuple[float, bool]], now: float) -> list[tuple[float, bool]]:
    """Drop the changes that later ones, already working, have overtaken."""
    past = [change for change in changes if change[0] <= now]
    return [*past[-1:], *(change for change in changes if change[0] > now)]


def _works(changes: Sequence[tuple[float, bool]], now: float) -> bool:
    working = False
    for begins_at, is_granted in changes:
        if begins_at <= now:
            working = is_granted
    return working


def _normalised(policy: JsonObject) -> JsonObject:
    """The policy as Google stores it: one binding a role, a new etag, no empty bindings."""
    members: dict[str, list[str]] = {}
    for binding in policy.get("bindings") or ():
        known = members.setdefault(binding["role"], [])
        known.extend(member for member in binding.get("members") or () if member not in known)
    stored: JsonObject = {
        # Google answers the lowest version that can express the policy; conditions need 3.
        "version": 1,
        "etag": base64.b64encode(secrets.token_bytes(8)).decode(),
    }
    bindings = [
        {"role": role, "members": sorted(of_role)}
        for role, of_role in sorted(members.items())
        if of_role
    ]
    if bindings:
        stored["bindings"] = bindings
    if policy.get("auditConfigs"):
        stored["auditConfigs"] = policy["auditConfigs"]
    return stored


def _copied(binding: JsonObject) -> JsonObject:
    return binding | {"members": list(binding["members"])}
