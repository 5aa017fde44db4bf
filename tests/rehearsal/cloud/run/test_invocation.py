"""Calling a service's URL: who may, and how requests travel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

SERVICE = "/run/v2/projects/local-proj/locations/europe-west1/services/worker"


@pytest.fixture
def uri(run: Any, echo: str) -> str:
    """The URL of a running service."""
    return str(run.create("worker", run.template(echo))["response"]["uri"])


def get(uri: str, headers: dict[str, str] | None = None) -> int:
    """Call a service and return the status."""
    return httpx.get(uri, headers=headers, trust_env=False).status_code


def test_only_an_invoker_with_a_proper_token_may_call(run: Any, uri: str, local_cloud: Any) -> None:
    """Without the role 403, with a token that is none or is not meant for this service 401."""
    email = local_cloud.account("caller")
    assert get(uri) == 403
    assert get(uri, {"Authorization": "Bearer nonsense"}) == 401
    assert get(uri, run.token("https://elsewhere.example")) == 401
    assert get(uri, run.token(uri)) == 200
    assert get(uri, run.token(uri, email)) == 403
    local_cloud.grant(SERVICE, "roles/run.invoker", f"serviceAccount:{email}")
    assert get(uri, run.token(uri, email)) == 200
    assert get(uri, run.token(f"{uri}/", email)) == 200


def test_an_access_token_is_no_identity_token(run: Any, uri: str, local_cloud: Any) -> None:
    """Cloud Run takes identity tokens only."""
    token = local_cloud.cloud.tokens.access_token(local_cloud.cloud.deployer)
    assert get(uri, {"Authorization": f"Bearer {token}"}) == 401


def test_all_users_opens_a_service(uri: str, local_cloud: Any) -> None:
    """A public service answers anybody."""
    local_cloud.grant(SERVICE, "roles/run.invoker", "allUsers")
    assert get(uri) == 200


def test_a_custom_audience_is_accepted(run: Any, echo: str) -> None:
    """Tokens may be meant for a name of the service's own."""
    body = run.template(echo) | {"customAudiences": ["orders"]}
    uri = run.create("worker", body)["response"]["uri"]
    assert get(uri, run.token("orders")) == 200


def test_the_check_can_be_switched_off(run: Any, echo: str) -> None:
    """`invokerIamDisabled` lets everybody in."""
    body = run.template(echo) | {"invokerIamDisabled": True}
    assert get(run.create("worker", body)["response"]["uri"]) == 200


def test_bodies_and_paths_pass_unchanged(run: Any, uri: str) -> None:
    """Method, raw path, query and body arrive as sent, in one piece or streamed."""
    answer = run.call(uri, "/a%2Fb?x=%20y&x=2", method="POST", content=b"\x00" * 300_000)
    assert answer.headers["X-Path"] == "/a%2Fb?x=%20y&x=2"
    assert answer.content == b"\x00" * 300_000

    def chunks() -> Iterator[bytes]:
        yield b"one "
        yield b"two"

    assert run.call(uri, method="POST", content=chunks()).content == b"one two"


def test_a_request_beyond_its_time_is_answered_504(run: Any, echo: str) -> None:
    """The service's request timeout bounds every call."""
    body = run.template(echo)
    body["template"]["timeout"] = "1s"
    uri = run.create("worker", body)["response"]["uri"]
    assert run.call(uri, "/slow").status_code == 504


def test_requests_wait_for_an_instance_that_restarts(
    run: Any, uri: str, wait_until: Callable[..., None]
) -> None:
    """After a crash the process is started again, and requests wait for it."""
    before = run.environment(uri)["PID"]
    assert run.call(uri, "/crash").status_code == 503
    wait_until(lambda: run.call(uri).status_code == 200)
    after = run.environment(uri)
    assert after["PID"] != before
