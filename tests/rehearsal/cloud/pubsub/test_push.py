"""Push subscriptions, posted to a real endpoint."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from google.auth import jwt
from google.auth.exceptions import GoogleAuthError
from jwt import PyJWK

from rehearsal.cloud.pubsub.state import broker_of

BASE = "/pubsub/v1/projects/local-proj"
TOPIC_NAME = "projects/local-proj/topics/orders"
SUBSCRIPTION = f"{BASE}/subscriptions/pushed"
Expect = Callable[..., Any]


class Endpoint:
    """An HTTP endpoint that records requests and answers the codes it is told."""

    def __init__(self) -> None:
        self.codes: list[int] = []
        self.requests: list[tuple[dict[str, str], bytes]] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                endpoint.requests.append((dict(self.headers), body))
                self.send_response(endpoint.codes.pop(0) if endpoint.codes else 204)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                """Stay quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/push"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """An endpoint that serves while the test runs."""
    endpoint = Endpoint()
    thread = threading.Thread(target=endpoint.server.serve_forever, args=(0.01,))
    thread.start()
    yield endpoint
    endpoint.server.shutdown()
    thread.join()
    endpoint.server.server_close()


@pytest.fixture
def push(local_cloud: Any, expect: Expect) -> Callable[..., None]:
    """Create a push subscription and publish one message to it."""

    def create(config: dict[str, Any], **settings: Any) -> None:
        client = local_cloud.deployer
        expect(client.put(f"{BASE}/topics/orders", json={}))
        body = {"topic": TOPIC_NAME, "pushConfig": config, **settings}
        expect(client.put(SUBSCRIPTION, json=body))
        message = {"data": base64.b64encode(b"hello").decode(), "attributes": {"k": "v"}}
        expect(client.post(f"{BASE}/topics/orders:publish", json={"messages": [message]}))

    return create


def expect_certificates(local_cloud: Any) -> dict[str, str]:
    """The keys that the cloud serves, by id, as Google's library takes them."""
    keys = local_cloud.deployer.get("/oauth2/v3/certs").json()["keys"]
    return {
        key["kid"]: PyJWK(key)
        .key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        .decode()
        for key in keys
    }


def test_a_message_is_posted_as_the_configured_account(
    push: Callable[..., None], endpoint: Endpoint, local_cloud: Any, wait_until: Any
) -> None:
    """The body wraps the message; the token is the account's, for the endpoint."""
    email = local_cloud.account("pusher")
    push({"pushEndpoint": endpoint.url, "oidcToken": {"serviceAccountEmail": email}})
    wait_until(lambda: endpoint.requests)
    headers, body = endpoint.requests[0]
    posted = json.loads(body)
    assert posted["subscription"] == "projects/local-proj/subscriptions/pushed"
    assert base64.b64decode(posted["message"]["data"]) == b"hello"
    assert posted["message"]["attributes"] == {"k": "v"}
    assert posted["message"]["messageId"] == posted["message"]["message_id"]
    # Google's own library verifies the token by the keys that are served.
    certificates = expect_certificates(local_cloud)
    token = headers["Authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, certs=certificates, audience=endpoint.url)
    assert (claims["iss"], claims["email"]) == ("https://accounts.google.com", email)
    assert claims["email_verified"] is True
    assert claims["exp"] - claims["iat"] == 3600
    with pytest.raises(GoogleAuthError):
        jwt.decode(token, certs=certificates, audience="https://elsewhere")


def test_the_audience_is_what_the_subscription_says(
    push: Callable[..., None], endpoint: Endpoint, local_cloud: Any, wait_until: Any
) -> None:
    """And without a living account there is no token, so nothing is posted."""
    email = local_cloud.account("pusher")
    oidc = {"serviceAccountEmail": email, "audience": "https://orders"}
    push({"pushEndpoint": endpoint.url, "oidcToken": oidc})
    wait_until(lambda: endpoint.requests)
    token = endpoint.requests[0][0]["Authorization"].removeprefix("Bearer ")
    certificates = expect_certificates(local_cloud)
    assert jwt.decode(token, certs=certificates, audience="https://orders")["email"] == email
    account = f"/iam/v1/projects/local-proj/serviceAccounts/{email}"
    assert local_cloud.deployer.post(f"{account}:disable").status_code == 200
    message = {"messages": [{"data": "eA=="}]}
    local_cloud.deployer.post(f"{BASE}/topics/orders:publish", json=message)
    backlog = broker_of(local_cloud.cloud).backlog("projects/local-proj/subscriptions/pushed")
    wait_until(lambda: any(entry.attempts > 1 for entry in backlog._queue._entries.values()))
    assert len(endpoint.requests) == 1
    assert local_cloud.deployer.post(f"{account}:enable").status_code == 200
    wait_until(lambda: len(endpoint.requests) == 2)


def test_a_refused_message_is_posted_again(
    push: Callable[..., None], endpoint: Endpoint, wait_until: Any
) -> None:
    """Any answer but success leads to another attempt, after a growing pause."""
    endpoint.codes = [500, 403]
    push({"pushEndpoint": endpoint.url})
    wait_until(lambda: len(endpoint.requests) == 3)
    ids = {json.loads(body)["message"]["messageId"] for _, body in endpoint.requests}
    assert len(ids) == 1


def test_an_unwrapped_message_is_the_body(
    push: Callable[..., None], endpoint: Endpoint, wait_until: Any
) -> None:
    """With `noWrapper` the data itself is posted."""
    push({"pushEndpoint": endpoint.url, "noWrapper": {"writeMetadata": False}})
    wait_until(lambda: endpoint.requests)
    headers, body = endpoint.requests[0]
    assert body == b"hello"
    assert not any(name.lower().startswith("x-goog-pubsub") for name in headers)


def test_an_unwrapped_message_tells_its_metadata_in_headers(
    push: Callable[..., None], endpoint: Endpoint, wait_until: Any
) -> None:
    """With `writeMetadata` also its attributes."""
    push({"pushEndpoint": endpoint.url, "noWrapper": {"writeMetadata": True}})
    wait_until(lambda: endpoint.requests)
    headers = endpoint.requests[0][0]
    assert headers["x-goog-pubsub-subscription-name"].endswith("/subscriptions/pushed")
    assert headers["x-goog-pubsub-message-id"].isdecimal()
    assert "x-goog-pubsub-publish-time" in headers
    assert headers["k"] == "v"


def test_a_push_that_fails_ends_at_the_dead_letter_topic(
    push: Callable[..., None],
    endpoint: Endpoint,
    local_cloud: Any,
    expect: Expect,
    wait_until: Any,
) -> None:
    """Each attempt is counted in the envelope; after the last the message moves on."""
    dead = {"deadLetterTopic": "projects/local-proj/topics/dead", "maxDeliveryAttempts": 5}
    expect(local_cloud.deployer.put(f"{BASE}/topics/dead", json={}))
    body = {"topic": dead["deadLetterTopic"]}
    expect(local_cloud.deployer.put(f"{BASE}/subscriptions/dead", json=body))
    agent = "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
    project = "/resourcemanager/v1/projects/local-proj"
    for role in ("roles/pubsub.publisher", "roles/pubsub.subscriber"):
        local_cloud.grant(project, role, agent)
    endpoint.codes = [500] * 5
    push({"pushEndpoint": endpoint.url}, deadLetterPolicy=dead)
    wait_until(lambda: len(endpoint.requests) == 5)
    attempts = [json.loads(body)["deliveryAttempt"] for _, body in endpoint.requests]
    assert attempts == [1, 2, 3, 4, 5]
    pull = f"{BASE}/subscriptions/dead:pull"
    received = expect(local_cloud.deployer.post(pull, json={"maxMessages": 1}))
    attributes = received["receivedMessages"][0]["message"]["attributes"]
    assert attributes["CloudPubSubDeadLetterSourceDeliveryCount"] == "5"
    assert len(endpoint.requests) == 5


def test_pushing_as_an_account_needs_act_as(
    endpoint: Endpoint, local_cloud: Any, expect: Expect
) -> None:
    """Who may not use the account cannot make Pub/Sub use it."""
    email, other = local_cloud.account("pusher"), local_cloud.account("another")
    project = "/resourcemanager/v1/projects/local-proj"
    local_cloud.grant(project, "roles/pubsub.editor", f"serviceAccount:{other}")
    client = local_cloud.client(f"serviceAccount:{other}")
    expect(client.put(f"{BASE}/topics/orders", json={}))
    config = {"pushEndpoint": endpoint.url, "oidcToken": {"serviceAccountEmail": email}}
    body = {"topic": TOPIC_NAME, "pushConfig": config}
    expect(client.put(SUBSCRIPTION, json=body), 403)
