"""Calling a service's URL: who may, and how requests travel."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

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


def test_a_grant_taken_away_closes_the_service_again(run: Any, uri: str, local_cloud: Any) -> None:
    """The token is as good as before; its owner may no longer call."""
    email = local_cloud.account("caller")
    headers = run.token(uri, email)
    local_cloud.grant(SERVICE, "roles/run.invoker", f"serviceAccount:{email}")
    assert get(uri, headers) == 200
    body = {"policy": {"bindings": []}}
    assert local_cloud.deployer.post(f"{SERVICE}:setIamPolicy", json=body).status_code == 200
    assert get(uri, headers) == 403


def test_a_token_must_be_googles_and_fresh(run: Any, uri: str, local_cloud: Any) -> None:
    """Another issuer, a token of another key, a changed one and an expired one are all refused."""
    good = run.token(uri)
    head, claims, signature = good["Authorization"].removeprefix("Bearer ").split(".")
    other = run.token(uri, "someone@else.test")["Authorization"].split(".")[1]
    assert get(uri, {"Authorization": f"Bearer {head}.{other}.{signature}"}) == 401
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    now = int(time.time())
    forged = {"aud": uri, "email": "developer@local.test", "exp": now + 60, "iat": now}
    for issuer in ("https://accounts.google.com", "https://elsewhere.example"):
        token = jwt.encode(forged | {"iss": issuer}, key, "RS256")
        assert get(uri, {"Authorization": f"Bearer {token}"}) == 401
    refused = httpx.get(uri, headers={"Authorization": f"Bearer {head}"}, trust_env=False)
    assert refused.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
    assert claims
    assert get(uri, good) == 200
    local_cloud.clock.ahead_s += 3601
    assert get(uri, good) == 401


def test_the_other_header_leaves_the_usual_one_to_the_service(run: Any, uri: str) -> None:
    """`X-Serverless-Authorization` is checked alone; the checked token loses its signature."""
    token = run.token(uri)["Authorization"]
    serverless = {"X-Serverless-Authorization": token, "Authorization": "Basic of-its-own"}
    assert seen_by_service(uri, serverless)["Authorization"] == "Basic of-its-own"
    passed = seen_by_service(uri, {"Authorization": token})["Authorization"]
    assert passed == token.rpartition(".")[0] + ".SIGNATURE_REMOVED_BY_GOOGLE"
    spoiled = {"X-Serverless-Authorization": "Bearer nonsense", "Authorization": token}
    assert get(uri, spoiled) == 401


def test_a_public_service_sees_headers_as_they_were_sent(uri: str, local_cloud: Any) -> None:
    """Nobody looks at a token there but the service itself; a trace is begun or continued."""
    local_cloud.grant(SERVICE, "roles/run.invoker", "allUsers")
    seen = seen_by_service(uri, {"Authorization": "Bearer a.b.c", "X-Forwarded-For": "10.0.0.1"})
    assert seen["Authorization"] == "Bearer a.b.c"
    assert seen["X-Forwarded-For"] == "10.0.0.1,127.0.0.1"
    assert seen["traceparent"].split("-")[1] == seen["X-Cloud-Trace-Context"].partition("/")[0]


def test_a_service_that_lets_nobody_in_is_not_found(run: Any, echo: str, uri: str) -> None:
    """Neither without ingress nor without its URL does anything reach an instance."""
    for closed in ({"ingress": "INGRESS_TRAFFIC_NONE"}, {"defaultUriDisabled": True}):
        run.patch("worker", run.template(echo) | closed)
        assert run.call(uri).status_code == 404
    run.patch("worker", run.template(echo) | {"ingress": "INGRESS_TRAFFIC_INTERNAL_ONLY"})
    assert run.call(uri).status_code == 200


def test_a_refusal_shows_the_path_harmlessly(uri: str) -> None:
    """What a caller writes into the path stays text on Google's page."""
    page = httpx.get(f"{uri}/<script>x</script>", trust_env=False)
    assert page.status_code == 403
    assert "<script>" not in page.text
    assert "Your client does not have permission to get URL" in page.text


def test_requests_and_answers_have_a_size(run: Any, uri: str) -> None:
    """Beyond 32 MiB a request is refused, whether it says its length or not; so is an answer."""
    headers = run.token(uri) | {"Content-Length": str(32 * 1024 * 1024 + 1)}
    with socket.create_connection(("127.0.0.1", int(uri.rpartition(":")[2]))) as connection:
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        connection.sendall(f"POST / HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode())
        assert connection.recv(64).startswith(b"HTTP/1.1 413 ")
    chunks = (b"x" * 1024 * 1024 for _ in range(33))
    try:
        code = run.call(uri, method="POST", content=chunks).status_code
    except httpx.TransportError:
        # The answer came, and the connection went, while the rest was still being sent.
        code = 413
    assert code == 413
    large = run.call(uri, "/large")
    assert large.status_code == 500
    assert "Response size was too large" in large.text


def test_an_upgrade_is_refused_loudly(run: Any, uri: str) -> None:
    """WebSockets are not modelled, and nobody has to find out by a hanging connection."""
    headers = run.token(uri) | {"Upgrade": "websocket", "Connection": "Upgrade"}
    assert get(uri, headers) == 501


def seen_by_service(uri: str, headers: dict[str, str]) -> dict[str, str]:
    """Return the headers that arrive at the service."""
    answer = httpx.get(f"{uri}/headers", headers=headers, trust_env=False)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_the_call_log_shows_who_called_a_service(run: Any, echo: str) -> None:
    """Refused calls and others, with the permission that an invoker needs; never the token."""
    uri = run.create("worker", run.template(echo))["response"]["uri"]
    assert httpx.get(f"{uri}/secret?token=abc", trust_env=False).status_code == 403
    assert httpx.get(uri, headers={"Authorization": "Bearer x"}, trust_env=False).status_code == 401
    assert run.call(uri).status_code == 200
    log = run.client.get("/_local/log").text
    lines = [json.loads(line) for line in log.splitlines()]
    calls = [line for line in lines if line["method"] == "run.routes.invoke"]
    told = [(line["principal"], line["decision"], line["code"]) for line in calls]
    assert told == [
        ("anonymous", "denied", 403),
        ("anonymous", "denied", 401),
        ("user:developer@local.test", "allowed", 200),
    ]
    assert {line["permission"] for line in calls} == {"run.routes.invoke"}
    assert {line["resource"].rsplit("/", 1)[-1] for line in calls} == {"worker"}
    assert calls[0]["message"] == "GET /secret"
