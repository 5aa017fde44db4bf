"""What an eventually consistent cloud says of new accounts and APIs is waited for."""

from __future__ import annotations

from collections.abc import Sequence

import httpx
import pytest

from architecture.grants import Grant, GrantResource, ResourceKind
from orchestration.access.pacing import Pace
from orchestration.access.probes import Caller, CloudProbe
from orchestration.access.waiting import Clock, EffectiveGrant, wait_until_effective

GRANT = Grant(
    "serviceAccount:cart@p1.iam.gserviceaccount.com",
    "roles/pubsub.publisher",
    GrantResource(ResourceKind.TOPIC, "orders"),
    "dataflow",
    "shop",
    "",
)
MINTING = ":generateAccessToken"
TESTING = ":testIamPermissions"
DISABLED = "Cloud Pub/Sub API has not been used in project 1 before or it is disabled."


def wait_through(action: str, refusals: Sequence[tuple[int, str]]) -> tuple[EffectiveGrant, float]:
    """Wait on a cloud that first answers one action with refusals; give the virtual time too."""
    now_s = 0.0
    left = list(refusals)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith(action) and left:
            status, message = left.pop(0)
            return httpx.Response(status, json={"error": {"code": status, "message": message}})
        if request.url.path.endswith(MINTING):
            return httpx.Response(200, json={"accessToken": "token"})
        return httpx.Response(200, json={"permissions": ["pubsub.topics.publish"]})

    def sleep(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds

    endpoints = {"pubsub": "https://pubsub.test/v1", "iamcredentials": "https://minting.test/v1"}
    probe = CloudProbe(
        Caller("user:me@example.com", lambda: "mine", endpoints),
        project_id="p1",
        custom_roles={},
        client=httpx.Client(transport=httpx.MockTransport(answer)),
    )
    clock = Clock(now=lambda: now_s, sleep=sleep)
    (found,) = wait_until_effective([GRANT], probe, Pace(), clock=clock)
    probe.close()
    assert not left
    return found, now_s


@pytest.mark.parametrize(
    ("action", "refusals"),
    [
        (MINTING, [(403, "Permission denied")] * 9 + [(404, "Unknown service account")] * 9),
        (TESTING, [(403, f"SERVICE_DISABLED: {DISABLED}")] * 12),
        (TESTING, [(404, "Resource not found")] * 5 + [(503, "Try again")] * 5),
    ],
    ids=["new account", "new API", "new resource"],
)
def test_what_is_not_there_yet_is_waited_for(
    action: str, refusals: Sequence[tuple[int, str]]
) -> None:
    """0.6, case 22: no abort, and a go only once it has worked for the confirmation window."""
    found, now_s = wait_through(action, refusals)
    assert found.attempts > len(refusals)
    assert found.delay_s > 0
    assert now_s >= found.delay_s + Pace().confirm_s - 0.001
