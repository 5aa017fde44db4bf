"""Trying grants for real: the permission tested with the member's own token.

A service account's token comes from IAM Credentials, with the deployer's right to impersonate it;
the deployer's own grants are tried with its own token. What can be tried in neither way is read
back from the policy, and reported as such.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx

from architecture.grants import Grant
from orchestration.access.permissions import permissions_to_test
from orchestration.access.policy_calls import PolicyCall, PolicyCalls, held_roles
from orchestration.access.waiting import GrantGroup, TestedBy, Tried
from orchestration.concurrency import pause
from orchestration.errors import CloudUnreachable
from orchestration.tls import trusted_certificates

TIMEOUT_S = 30.0
# Google mints tokens for an hour at most; a wait is shorter than this.
TOKEN_SCOPE = "https://www.googleapis.com/auth/cloud-platform"  # noqa: S105 - a scope
# Pauses between tries of a call that got no answer at all: one lost connection ends no wait.
AGAIN_AFTER_S = (0.1, 0.5)
# What an eventually consistent cloud says of things that are coming to be.
NOT_YET = frozenset({403, 404})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who runs the wait, and where the APIs are: base URLs with their versions."""

    member: str
    access_token: Callable[[], str]
    endpoints: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a call gave: JSON, or the reason why not (yet)."""

    body: Mapping[str, object] | None
    why: str = ""


class CloudProbe:
    """Tries grants on a cloud that speaks Google's APIs."""

    def __init__(
        self,
        caller: Caller,
        *,
        project_id: str,
        custom_roles: Mapping[str, tuple[str, ...]],
        client: httpx.Client | None = None,
    ) -> None:
        self._caller = caller
        self._calls = PolicyCalls(project_id, caller.endpoints)
        self._custom_roles = custom_roles
        self._client = client or httpx.Client(timeout=TIMEOUT_S, verify=trusted_certificates())
        self._tokens: dict[str, str] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def try_group(self, group: GrantGroup) -> Mapping[Grant, Tried]:
        """Try every grant of a group with one call."""
        wanted = {grant: permissions_to_test(grant, self._custom_roles) for grant in group.grants}
        by_permission = {grant: asked for grant, asked in wanted.items() if asked}
        by_policy = [grant for grant, asked in wanted.items() if not asked]
        tried: dict[Grant, Tried] = {}
        if by_permission:
            tried |= self._try_permissions(group, by_permission)
        if by_policy:
            tried |= self._read_policy(group, by_policy)
        return tried

    def _try_permissions(
        self, group: GrantGroup, wanted: Mapping[Grant, frozenset[str]]
    ) -> dict[Grant, Tried]:
        if group.member == self._caller.member:
            token, tested_by, why = self._caller.access_token(), TestedBy.DEPLOYER, ""
        elif group.member.startswith("serviceAccount:"):
            token, why = self._impersonated(group.member.partition(":")[2])
            tested_by = TestedBy.IMPERSONATION
        else:
            return self._read_policy(group, list(wanted))
        if not token:
            return {grant: Tried(works=False, tested_by=tested_by, why=why) for grant in wanted}
        asked = sorted(frozenset[str]().union(*wanted.values()))
        answer = self._call(self._calls.test(group.resource, asked), token)
        if answer.body is None:
            return {
                grant: Tried(works=False, tested_by=tested_by, why=answer.why) for grant in wanted
            }
        held = answer.body.get("permissions")
        allowed = frozenset(held) if isinstance(held, list) else frozenset()
        return {
            grant: Tried(
                works=needed <= allowed,
                tested_by=tested_by,
                why="" if needed <= allowed else f"no {', '.join(sorted(needed - allowed)[:3])}",
            )
            for grant, needed in wanted.items()
        }

    def _read_policy(self, group: GrantGroup, grants: list[Grant]) -> dict[Grant, Tried]:
        answer = self._call(self._calls.policy(group.resource), self._caller.access_token())
        held = held_roles(answer.body or {}, group.member)
        return {
            grant: Tried(
                works=grant.role in held,
                tested_by=TestedBy.POLICY,
                why="" if grant.role in held else answer.why or "it is not in the policy",
            )
            for grant in grants
        }

    def _impersonated(self, email: str) -> tuple[str, str]:
        """Give the account's token, kept for the whole wait, or why there is none yet."""
        with self._lock:
            token = self._tokens.get(email)
        if token:
            return token, ""
        base = self._caller.endpoints["iamcredentials"]
        url = f"{base}/projects/-/serviceAccounts/{email}:generateAccessToken"
        call = PolicyCall("POST", url, {"scope": [TOKEN_SCOPE]})
        answer = self._call(call, self._caller.access_token())
        minted = (answer.body or {}).get("accessToken")
        if not isinstance(minted, str):
            return "", f"{self._caller.member} cannot impersonate it yet: {answer.why}"
        with self._lock:
            self._tokens[email] = minted
        return minted, ""

    def _call(self, call: PolicyCall, token: str) -> _Answer:
        """Call the cloud; what is not there or not allowed yet is a reason, not an error."""
        answer = self._request(call, token)
        if answer.is_success:
            return _Answer(answer.json())
        message = _message(answer)
        if answer.status_code in NOT_YET or answer.status_code >= 429:  # noqa: PLR2004 - HTTP
            return _Answer(None, f"{answer.status_code} {message}")
        raise CloudUnreachable(f"{call.url} answers {answer.status_code}: {message}")

    def _request(self, call: PolicyCall, token: str) -> httpx.Response:
        """Send a request, which changes nothing, until there is an answer or no hope of one."""
        headers = {"Authorization": f"Bearer {token}"}
        pauses = iter(AGAIN_AFTER_S)
        while True:
            try:
                return self._client.request(call.method, call.url, json=call.body, headers=headers)
            except httpx.HTTPError as error:
                again_after_s = next(pauses, None)
                if again_after_s is None:
                    raise CloudUnreachable(f"{call.url} does not answer: {error}") from error
                pause(again_after_s)


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]
